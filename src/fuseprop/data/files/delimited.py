"""Delimited text: CSV in all its dialects, as a `Source`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from math import isnan

import numpy as np
from numpy.typing import NDArray

from ...checks.quoting import counted, shown
from ..cells import Cells, Numbers
from ..errors import DataError
from ..target_cells import MANY_NUMBERS
from .cellwise import NumberColumn, TextColumn, plain_number, plain_numbers
from .dialect import dialect_of
from .duck import Refused, delimited, fed, stream
from .opening import Named, refusing
from .rows import BLANKS, BadRow, lines_of, rows_of
from .text import NotUTF8, Text

KIND = "a table as text, such as CSV"
HINT = "Save it as CSV in UTF-8."

MOST_COLUMNS = 1000
"""With more columns, DuckDB takes longer to prepare a query than Python to divide the rows."""

CELLS_AT_ONCE = 1 << 20
"""Cells that are kept at a time where rows are read one by one."""

FEW = 0.1
"""A column hinted as numbers with a larger share of other texts is read again as texts."""

SUFFIXES = {".tsv": "\t", ".tab": "\t", ".psv": "|", ".ssv": ";"}


class Delimited:
    """A file of delimited text; see `Source`."""

    typed = False

    def __init__(self, named: Named) -> None:
        self._named = named
        self.rows = 0
        with refusing(named, KIND, HINT):
            self._text = Text(named)
            by_suffix = next((SUFFIXES[s] for s in named.path.suffixes if s in SUFFIXES), "")
            self._dialect = dialect_of(self._text, by_suffix=by_suffix)
        self._one_row_a_line = False
        columns = self._dialect.columns
        self.name = named.place
        self.names = columns.names
        self.index_like = columns.index_like
        self.notes = self._told()
        self._places = {name: i for i, name in enumerate(self.names)}

    def cells(self, names: Sequence[str], *, as_text: Sequence[str] = ()) -> Mapping[str, Cells]:
        """Return the cells of these columns; see `Source.cells`."""
        with refusing(self._named, KIND, HINT):
            try:
                return self._cells(names, as_text)
            except NotUTF8:
                self._text.use_legacy()
                self.notes = self._told()
                return self._cells(names, as_text)

    def _told(self) -> tuple[str, ...]:
        note = self._text.note()
        return (*((note,) if note else ()), *self._dialect.notes)

    def _cells(self, names: Sequence[str], as_text: Sequence[str]) -> dict[str, Cells]:
        texts = set(as_text) | {name for name in names if not self._seems_numeric(self._places[name])}
        read = self._read([(name, name in texts) for name in names])
        wrong = [name for name in names if name not in texts and _are_texts(read[name])]
        if wrong:
            for name in wrong:
                del read[name]
            read.update(self._read([(name, True) for name in wrong]))
        return read

    def _seems_numeric(self, place: int) -> bool:
        """Whether a column's cells in the sample are numbers, but for some."""
        cells = [row[place] for row in self._dialect.sample if place < len(row)]
        values = [plain_number(cell) for cell in cells]
        others = sum(value is None for value in values)
        numbers = sum(value is not None and not isnan(value) for value in values)
        return others <= FEW * (numbers + others)

    def _read(self, columns: Sequence[tuple[str, bool]]) -> dict[str, Cells]:
        """Return the cells of columns, each with whether it is read as texts."""
        made: dict[str, NumberColumn | TextColumn] = {
            name: TextColumn() if is_text else NumberColumn() for name, is_text in columns
        }
        dialect = self._dialect
        if dialect.delimiter == BLANKS or len(self.names) > MOST_COLUMNS or len(self.names) == 1:
            self._read_rows(made)
        else:
            self._read_blocks(made)
        return {name: column.cells() for name, column in made.items()}

    def _read_blocks(self, made: Mapping[str, NumberColumn | TextColumn]) -> None:
        dialect = self._dialect
        inner, outer = [], []
        for name, column in made.items():
            within, without = column.sql(self._places[name])
            inner += within
            outer += without
        rows = 0
        watch = _Watch(self._rows_text())
        try:
            with fed(watch) as path:
                source = delimited(path, len(self.names), dialect.delimiter, dialect.quote)
                query = f"SELECT {', '.join(outer)} FROM (SELECT {', '.join(inner)} FROM {source})"
                for block in stream(query, path):
                    rows += len(block[0])
                    for column in reversed(list(made.values())):
                        column.add(block)
        except Refused as refused:
            raise self._bad_row(str(refused)) from refused
        self.rows = rows
        self._one_row_a_line = watch.one_row_a_line

    def _read_rows(self, made: Mapping[str, NumberColumn | TextColumn]) -> None:
        """Read row by row, without DuckDB, where there are many columns, one, or blanks between cells."""
        columns = [(self._places[name], column) for name, column in made.items()]
        numbers = [(place, column) for place, column in columns if isinstance(column, NumberColumn)]
        texts = [(place, column) for place, column in columns if isinstance(column, TextColumn)]
        values: list[NDArray[np.float64]] = []
        waiting: list[list[str]] = []

        def flush() -> None:
            matrix = np.array(values).T if values else np.empty((len(numbers), 0))
            for (_, number_column), of_column in zip(numbers, matrix, strict=True):
                number_column.add_values(np.ascontiguousarray(of_column))
            for place, text_column in texts:
                text_column.add_texts([cells[place] for cells in waiting])
            values.clear()
            waiting.clear()

        self.rows = 0
        for row, (line, cells) in enumerate(self._rows()):
            if len(cells) != len(self.names):
                raise self._uneven(row + 1, line, cells)
            picked = [cells[place] for place, _ in numbers]
            plain = plain_numbers(picked)
            if plain is None:
                each = [column.value(row, text) for (_, column), text in zip(numbers, picked, strict=True)]
                plain = np.array(each, dtype=np.float64)
            values.append(plain)
            if texts:
                waiting.append(cells)
            if len(values) * len(cells) >= CELLS_AT_ONCE:
                flush()
            self.rows = row + 1
        flush()
        self._one_row_a_line = False

    def _rows_text(self) -> Iterator[bytes]:
        """Yield the text below the header, without blank rows at its end."""
        skip = self._dialect.start
        blank = b' \t\n"' + self._dialect.delimiter.encode()
        waiting = b""
        for block in self._text.blocks():
            if skip:
                block, skip = block[skip:], max(0, skip - len(block))
            if not block:
                continue
            end = len(block.rstrip(blank))
            if not end:
                waiting += block
                continue
            yield waiting + block[:end]
            waiting = block[end:]
        end = waiting.find(b"\n") + 1
        rest = waiting[end:]
        yield waiting[:end] if end and rest.count(b'"') % 2 == 0 else waiting

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row below the header: its line, and its cells. Raises DataError for open quotes."""
        dialect, row = self._dialect, 0
        rows = rows_of(lines_of(self._rows_text()), dialect.delimiter, dialect.quote, dialect.first_line)
        try:
            for row, found in enumerate(rows, 1):  # noqa: B007
                yield found
        except BadRow as bad:
            raise DataError(f"{self.name}: row {row + 1} (line {bad.line}): {bad.why}.") from bad

    def _uneven(self, row: int, line: int, cells: list[str]) -> DataError:
        place = f"{self.name}: row {row} (line {line})"
        if not any(cells):
            return DataError(f"{place} is blank, and rows follow. Fill it, or leave it out.")
        expected = counted(len(self.names), "cell")
        return DataError(f"{place}: expected {expected}, as in the header, got {len(cells)}.")

    def _bad_row(self, said: str) -> DataError:
        """Return the error for the first row that cannot be divided into as many cells as there are names."""
        for row, (line, cells) in enumerate(self._rows(), 1):
            if len(cells) != len(self.names):
                return self._uneven(row, line, cells)
        reason = " ".join(re.split(r"Possible fixes|Original Line", said)[0].split())
        return DataError(f"{self.name} cannot be divided into rows ({shown(reason, 200)}). {HINT}")

    def place(self, row: int) -> str:
        """Return where a row stands; see `Source.place`."""
        if self._one_row_a_line:
            return f"{self.name}: row {row + 1} (line {self._dialect.first_line + row})"
        with suppress(DataError, OSError):  # the file may have changed
            for line, _ in islice(self._rows(), row, None):
                return f"{self.name}: row {row + 1} (line {line})"
        return f"{self.name}: row {row + 1}"


class _Watch:
    """Passes a text on, and sees whether each row is a line: without quotes and empty lines."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self.one_row_a_line = True

    def __iter__(self) -> Iterator[bytes]:
        last = b"\n"
        for part in self._parts:
            if self.one_row_a_line and (b'"' in part or b"\n\n" in last + part):
                self.one_row_a_line = False
            last = part[-1:]
            yield part


def _are_texts(cells: Cells) -> bool:
    """Whether a column that was read as numbers is to be read again as texts."""
    if not isinstance(cells, Numbers) or not cells.count:
        return False
    numbers = cells.values[~np.isnan(cells.values)]
    return cells.count > FEW * (len(numbers) + cells.count) or len(np.unique(numbers)) <= MANY_NUMBERS

"""Delimited text: CSV in all its dialects, as a `Source`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from math import isnan
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from ...checks.quoting import counted, shown
from ...world import ALONE
from ..cells import Cells, Numbers
from ..dates import ISO, formats_of
from ..errors import DataError
from ..target_cells import MANY_NUMBERS
from .cellwise import DateColumn, NumberColumn, TextColumn, plain_number, plain_numbers
from .dialect import dialect_of
from .duck import Refused, delimited, fed, stream
from .opening import Named, refusing
from .rows import BLANKS, BadRow, lines_of, rows_of
from .text import NotUTF8, Text
from .watch import Doubtful, Watch

KIND = "a table as text, such as CSV"
HINT = "Save it as CSV in UTF-8."

MOST_COLUMNS = 1000
"""With more columns, DuckDB takes longer to prepare a query than Python to divide the rows."""

CELLS_AT_ONCE = 1 << 20
"""Cells that are kept at a time where rows are read one by one."""

MANY_DATES = 100
"""With fewer different dates in the sample, their texts are looked up faster than read as dates."""

FEW = 0.1
"""A column hinted as numbers with a larger share of other texts is read again as texts."""

SUFFIXES = {".tsv": "\t", ".tab": "\t", ".psv": "|", ".ssv": ";"}


Column = NumberColumn | DateColumn | TextColumn


class Delimited:
    """A file of delimited text; see `Source`."""

    typed = False

    def __init__(self, named: Named) -> None:
        self._named = named
        self.world, self.rows, self.first = ALONE, 0, 0
        with refusing(named, KIND, HINT):
            self._text = Text(named)
            by_suffix = next((SUFFIXES[s] for s in named.path.suffixes if s in SUFFIXES), "")
            self._dialect = dialect_of(self._text, by_suffix=by_suffix)
        self._one_row_a_line = False
        width = len(self._dialect.columns.names)
        self._by_rows = self._dialect.delimiter == BLANKS or width > MOST_COLUMNS or width == 1
        columns = self._dialect.columns
        self.name = named.place
        self.names = columns.names
        self.index_like = columns.index_like
        self.notes = self._told()
        self._places = {name: i for i, name in enumerate(self.names)}

    def cells(self, names: Sequence[str], *, as_text: Sequence[str] = ()) -> dict[str, Cells]:
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
        texts = set(as_text)
        made = {name: TextColumn() if name in texts else self._hinted(name) for name in names}
        read = self._read(made)
        wrong = [name for name, column in made.items() if _are_texts(column, read[name])]
        if wrong:
            for name in wrong:
                del read[name]
            read.update(self._read({name: TextColumn() for name in wrong}))
        return read

    def _hinted(self, name: str) -> Column:
        """Return what a column's cells in the sample seem to be: numbers, but for some, dates, or texts."""
        place = self._places[name]
        cells = [row[place] for row in self._dialect.sample if place < len(row)]
        values = [plain_number(cell) for cell in cells]
        others = sum(value is None for value in values)
        numbers = sum(value is not None and not isnan(value) for value in values)
        if others <= FEW * (numbers + others):
            return NumberColumn()
        different = {cell for cell, value in zip(cells, values, strict=True) if value is None}
        if not numbers and len(different) > MANY_DATES:
            form, *more = [*formats_of(list(different)), ""]
            if form in ISO and more == [""] and not self._by_rows:
                return DateColumn(form)
        return TextColumn()

    def _read(self, made: Mapping[str, Column]) -> dict[str, Cells]:
        """Return the cells of columns."""
        if self._by_rows:
            self._read_rows(made)
        else:
            self._read_blocks(made)
        if not self.rows:
            raise DataError(f"{self.name} holds no rows, only a header.")
        return {name: column.cells() for name, column in made.items()}

    def _read_blocks(self, made: Mapping[str, Column], *, checked: bool = False) -> None:
        """Read by DuckDB, in which each cell is `checked` if the text holds what it misreads."""
        dialect = self._dialect
        inner, outer = [], []
        for name, column in made.items():
            within, without = column.sql(self._places[name], checked=checked)
            inner += within
            outer += without
        rows = 0
        checks = not checked and any(isinstance(column, NumberColumn) for column in made.values())
        watch = Watch(self._rows_text(), dialect.delimiter, checks=checks)
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
        except Doubtful:
            for column in made.values():
                column.clear()
            self._read_blocks(made, checked=True)
            return
        self.rows = rows
        self._one_row_a_line = watch.one_row_a_line

    def _read_rows(self, made: Mapping[str, Column]) -> None:
        """Read row by row, without DuckDB, where there are many columns, one, or blanks between cells."""
        columns = [(self._places[name], column) for name, column in made.items()]
        numbers = [(place, column) for place, column in columns if isinstance(column, NumberColumn)]
        texts = [(place, column) for place, column in columns if isinstance(column, TextColumn)]
        places = [place for place, _ in numbers]
        # Of a single place, `itemgetter` would make no tuple.
        pick = itemgetter(*places) if len(places) > 1 else lambda cells: [cells[place] for place in places]
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
            picked = pick(cells)
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
        """Yield the text below the header, without lines at its end that hold nothing but white space.

        Lines of delimiters or empty quotes are rows, whose cells are missing.
        """
        skip, delimiter = self._dialect.start, self._dialect.delimiter
        # Non-breaking spaces too: a line of these two bytes alone holds no other characters.
        blank = b" \t\x0b\x0c\n\xc2\xa0"
        if delimiter != BLANKS:
            blank = blank.replace(delimiter.encode(), b"")
        waiting, has_rows = b"", False
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
            waiting, has_rows = block[end:], True
        if has_rows:
            # What is left of the last row: blanks may be cells, and belong to an open quote.
            yield waiting[: waiting.find(b"\n") + 1] or waiting

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row below the header: its line, and its cells. Raises DataError for open quotes."""
        dialect, row = self._dialect, 0
        rows = rows_of(
            lines_of(self._rows_text()),
            dialect.delimiter,
            dialect.quote,
            dialect.first_line,
            one_column=len(self.names) == 1,
        )
        try:
            for row, found in enumerate(rows, 1):  # noqa: B007
                yield found
        except BadRow as bad:
            raise DataError(f"{self.name}: row {row + 1} (line {bad.line}): {bad.why}.") from bad

    def _uneven(self, row: int, line: int, cells: list[str]) -> DataError:
        place = f"{self.name}: row {row} (line {line})"
        expected = counted(len(self.names), "cell")
        if not any(cells):
            return DataError(f"{place} is blank; expected {expected}. Fill it, or leave it out.")
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


def _are_texts(column: Column, cells: Cells) -> bool:
    """Whether a column that was read as numbers or dates is to be read again as texts."""
    if isinstance(column, DateColumn):
        return column.wrong > 0
    if not isinstance(cells, Numbers) or not cells.count:
        return False
    numbers = cells.values[~np.isnan(cells.values)]
    return cells.count > FEW * (len(numbers) + cells.count) or len(np.unique(numbers)) <= MANY_NUMBERS

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
from ..cells import Cells, Numbers
from ..dates import ISO, formats_of
from ..errors import DataError
from ..target_cells import MANY_NUMBERS
from .cellwise import DateColumn, NumberColumn, TextColumn, plain_number, plain_numbers
from .dialect import Dialect, dialect_of
from .duck import Refused, delimited, fed, stream
from .opening import Named, refusing
from .own_text import OwnText
from .rows import BLANKS, BadRow, lines_of, rows_of
from .shares import WHOLE, Shares
from .text import HINT, KIND, NotUTF8, Text
from .watch import Doubtful, Watch

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


class Misread(Exception):
    """A row that is none: its number in the share, counted from 0, its line, and what is said behind it."""

    def __init__(self, row: int, line: int, said: str) -> None:
        super().__init__(row, line, said)
        self.row, self.line, self.said = row, line, said


class Delimited:
    """A file of delimited text; see `Source`.

    Of several processes the first one reads the head, and finds how the file is written. Each reads the bytes
    of its own share and the rest of a row that goes on behind them: see `OwnText`.
    """

    typed = False

    def __init__(self, named: Named, shares: Shares = WHOLE) -> None:
        self._named = named
        self.world, self.rows, self.first = shares.world, 0, 0
        found: tuple[tuple[str, str], Dialect, int] | None = None
        with refusing(named, KIND, HINT, self.world):
            if not self.world.rank:
                found = self._looked_at()
        found = self.world.of_first(found)
        assert found is not None
        encodings, self._dialect, start = found
        self._text = Text(named, encodings)
        self._one_row_a_line = False
        width = len(self._dialect.columns.names)
        self._by_rows = self._dialect.delimiter == BLANKS or width > MOST_COLUMNS or width == 1
        # Non-breaking spaces too: a line of these two bytes alone holds no other characters.
        self._blank = b" \t\x0b\x0c\n\xc2\xa0"
        if self._dialect.delimiter != BLANKS:
            self._blank = self._blank.replace(self._dialect.delimiter.encode(), b"")
        self._own: OwnText | None = None
        if self.world.size > 1:
            self._own = OwnText(self._text, self._dialect.delimiter, self._blank, start, shares)
        columns = self._dialect.columns
        self.name = named.place
        self.names = columns.names
        self.index_like = columns.index_like
        self.notes = self._told()
        self._places = {name: i for i, name in enumerate(self.names)}

    def cells(self, names: Sequence[str], *, as_text: Sequence[str] = ()) -> dict[str, Cells]:
        """Return the cells of these columns; see `Source.cells`."""
        try:
            return self._cells(names, as_text)
        except NotUTF8:
            self._text.use_legacy()
            self.notes = self._told()
            return self._cells(names, as_text)

    def _looked_at(self) -> tuple[tuple[str, str], Dialect, int]:
        """Return the file's encoding, how it is written, and the byte in which its first row begins.

        The latter is 0 for a single process, which reads a file from its beginning.
        """
        text = Text(self._named)
        by_suffix = next((SUFFIXES[s] for s in self._named.path.suffixes if s in SUFFIXES), "")
        dialect = dialect_of(text, by_suffix=by_suffix)
        start = text.behind_line_ends(0, dialect.first_line - 1) if self.world.size > 1 else 0
        return text.encodings, dialect, start

    def _told(self) -> tuple[str, ...]:
        note = self._text.note()
        return (*((note,) if note else ()), *self._dialect.notes)

    def _cells(self, names: Sequence[str], as_text: Sequence[str]) -> dict[str, Cells]:
        texts = set(as_text)
        made = {name: TextColumn() if name in texts else self._hinted(name) for name in names}
        read = self._read(made)
        wrong = self._wrong(made, read)
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
        found: NotUTF8 | Misread | None = None
        with refusing(self._named, KIND, HINT, self.world):
            try:
                if self._by_rows:
                    self._read_rows(made)
                else:
                    self._read_blocks(made)
            except (NotUTF8, Misread) as error:
                found = error
        if isinstance(found, NotUTF8):
            raise found  # of a single process: several have gone over the text before
        misread = None if found is None else (found.row, found.line, found.said)
        shares = self.world.gathered((self.rows, misread))
        counts = [rows for rows, _ in shares]
        self.first = sum(counts[: self.world.rank])
        for rank, (_, bad) in enumerate(shares):
            if bad is not None:
                row, line, said = bad
                raise DataError(f"{self._placed(sum(counts[:rank]) + row, line)}{said}") from found
        if not sum(counts):
            raise DataError(f"{self.name} holds no rows, only a header.")
        return {name: column.cells() for name, column in made.items()}

    def _wrong(self, made: Mapping[str, Column], read: Mapping[str, Cells]) -> list[str]:
        """Return the columns that were read as numbers or dates and are to be read again as texts."""
        counts = [_count_of_others(column, read[name]) for name, column in made.items()]
        others = dict(zip(made, self.world.total(np.array(counts, np.int64)).tolist(), strict=True))
        wrong = {name for name, column in made.items() if isinstance(column, DateColumn) and others[name]}
        columns: dict[str, tuple[int, list[float]]] = {}
        for name, cells in read.items():
            if others[name] and isinstance(cells, Numbers):
                numbers = cells.values[~np.isnan(cells.values)]
                columns[name] = len(numbers), np.unique(numbers)[: MANY_NUMBERS + 1].tolist()
        found = self.world.gathered(columns)
        for name in columns:
            count = sum(of[name][0] for of in found)
            different = {value for of in found for value in of[name][1]}
            if others[name] > FEW * (count + others[name]) or len(different) <= MANY_NUMBERS:
                wrong.add(name)
        return [name for name in made if name in wrong]

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
                raise self._uneven(row, line, cells)
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
        waiting, has_rows = b"", False
        for block in self._below_header() if self._own is None else self._own.blocks():
            end = len(block.rstrip(self._blank))
            if not end:
                waiting += block
                continue
            yield waiting + block[:end]
            waiting, has_rows = block[end:], True
        if self._own is not None and not self._own.is_last:
            yield waiting
        elif has_rows:
            # What is left of the last row: blanks may be cells, and belong to an open quote.
            yield waiting[: waiting.find(b"\n") + 1] or waiting

    def _below_header(self) -> Iterator[bytes]:
        skip = self._dialect.start
        for block in self._text.blocks():
            if len(block) > skip:
                yield block[skip:] if skip else block
            skip = max(0, skip - len(block))

    def _first_line(self) -> int:
        """Return the line in which the first row of the share begins."""
        return self._dialect.first_line + (0 if self._own is None else self._own.lines_before)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row of the share: its line, and its cells. Raises Misread for open quotes."""
        dialect, row = self._dialect, 0
        rows = rows_of(
            lines_of(self._rows_text()),
            dialect.delimiter,
            dialect.quote,
            self._first_line(),
            one_column=len(self.names) == 1,
        )
        try:
            for row, found in enumerate(rows, 1):  # noqa: B007
                yield found
        except BadRow as bad:
            raise Misread(row, bad.line, f": {bad.why}.") from bad

    def _uneven(self, row: int, line: int, cells: list[str]) -> Misread:
        expected = counted(len(self.names), "cell")
        if not any(cells):
            return Misread(row, line, f" is blank; expected {expected}. Fill it, or leave it out.")
        return Misread(row, line, f": expected {expected}, as in the header, got {len(cells)}.")

    def _bad_row(self, said: str) -> Exception:
        """Return the error for the first row that cannot be divided into as many cells as there are names."""
        for row, (line, cells) in enumerate(self._rows()):
            if len(cells) != len(self.names):
                return self._uneven(row, line, cells)
        reason = " ".join(re.split(r"Possible fixes|Original Line", said)[0].split())
        return DataError(f"{self.name} cannot be divided into rows ({shown(reason, 200)}). {HINT}")

    def place(self, row: int) -> str:
        """Return where a row stands; see `Source.place`."""
        line = None
        if self.first <= row < self.first + self.rows:
            line = self._line(row - self.first)
        return self._placed(row, *(found for found in self.world.gathered(line) if found is not None))

    def _placed(self, row: int, line: int | None = None) -> str:
        return f"{self.name}: row {row + 1}" + ("" if line is None else f" (line {line})")

    def _line(self, row: int) -> int | None:
        """Return the line of a row of the share; None if the file has changed."""
        if self._one_row_a_line:
            return self._first_line() + row
        with suppress(DataError, Misread, OSError):
            for line, _ in islice(self._rows(), row, None):
                return line
        return None


def _count_of_others(column: Column, cells: Cells) -> int:
    """Return how many cells of a column of numbers or dates are neither these nor missing."""
    if isinstance(column, DateColumn):
        return column.wrong
    return cells.count if isinstance(cells, Numbers) else 0

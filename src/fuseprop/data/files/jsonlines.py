"""JSON lines as a `Source`: an object a line, whose keys are columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from math import nan
from shlex import quote
from typing import Any

import numpy as np

from ...checks.quoting import literal, shown
from ...world import ALONE, Processes
from ..cells import Booleans, Cells, Numbers
from ..errors import DataError
from ..objects import text_of
from .cellwise import NumberColumn, TextColumn
from .opening import Named, refusing
from .rows import lines_of
from .text import Text

KIND = "a file of JSON lines"
HINT = 'pandas writes one: table.to_json("t.jsonl", orient="records", lines=True).'
SUFFIXES = (".jsonl", ".ndjson", ".json")

ROWS_AT_ONCE = 1 << 13

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def not_shared(named: Named) -> DataError:
    """Return the error, with the line that converts the file, where several processes are to share it."""
    source, target = str(named.path), str(named.path.with_suffix(".parquet"))
    code = f"import duckdb; duckdb.read_json({source!r}).write_parquet({target!r})"
    return DataError(
        f"{named.place} holds JSON lines, of which no process can read a part alone. Convert it once to "
        f"Parquet: python -c {shown(quote(code), None)}"
    )


class Digits(str):
    """A number as it is written."""

    __slots__ = ()


class JsonLines:
    """A file of JSON lines; see `Source`.

    The columns are the keys of all lines, in the order of their first ones; a line may lack some, and null
    and NaN are missing values. It is read by one process alone. Raises DataError, with the line, for what is
    no JSON object, and for keys that stand twice in one.
    """

    def __init__(self, named: Named, world: Processes = ALONE) -> None:
        self._named = named
        self.world, self.first = world, 0
        self.name, self.typed = named.place, True
        self.index_like: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.rows = 0
        self._kinds: dict[str, set[type]] = {}
        with refusing(named, KIND, HINT):
            self._text = Text(named)
            for _, values in self._objects():
                self.rows += 1
                for name, value in values.items():
                    try:
                        self._kinds[name].add(type(value))
                    except KeyError:
                        self._kinds[name] = {type(value)}
        if not self._kinds:
            raise DataError(f"{self.name} is empty; expected a JSON object in each line.")
        self.names = tuple(self._kinds)

    def cells(self, names: Sequence[str], *, as_text: Sequence[str] = ()) -> dict[str, Cells]:
        """Return the cells of these columns; see `Source.cells`."""
        kinds = {name: self._kinds[name] - {type(None)} for name in names}
        for name in names:
            if kinds[name] & {dict, list}:
                raise DataError(
                    f"{self.name}: the column {literal(name)} holds objects or lists; expected numbers, "
                    f"texts, true or false. Leave it out, or give each value in it a key of its own."
                )
        columns = {
            name: NumberColumn()
            if name not in as_text and kinds[name] and (kinds[name] <= {Digits} or kinds[name] <= {bool})
            else TextColumn(nulls=True)
            for name in names
        }
        with refusing(self._named, KIND, HINT):
            objects = self._objects()
            first = 0
            while rows := [values for _, values in islice(objects, ROWS_AT_ONCE)]:
                for name, column in columns.items():
                    values = [row.get(name) for row in rows]
                    if isinstance(column, TextColumn):
                        column.add_texts([None if value is None else _text(value) for value in values])
                    else:
                        numbers = [
                            nan
                            if value is None
                            else float(value)
                            if value is True or value is False
                            else column.value(first + row, value)
                            for row, value in enumerate(values)
                        ]
                        column.add_values(np.array(numbers, dtype=np.float64))
                first += len(rows)
        return {name: _typed(column, kinds[name]) for name, column in columns.items()}

    def _objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield each object with its line, counted from 1. Empty lines are none."""
        decoder = json.JSONDecoder(
            object_pairs_hook=_different, parse_int=Digits, parse_float=Digits, parse_constant=_constant
        )
        for number, line in enumerate(lines_of(self._text.blocks()), 1):
            if line.isspace():
                continue
            place = f"{self.name}: line {number}"
            if line.lstrip().startswith("["):
                raise DataError(f"{place} is a JSON array; expected an object in each line. {HINT}")
            try:
                values = decoder.decode(line)
            except _Twice as error:
                raise DataError(
                    f"{place} has the key {literal(str(error))} twice; expected each once."
                ) from None
            except (ValueError, RecursionError) as error:
                raise DataError(f"{place} is no JSON object ({shown(error, 100)}). {HINT}") from error
            if _SURROGATE.search(line):
                _check_text(values, place)
            if not isinstance(values, dict):
                raise DataError(f"{place}: expected a JSON object, got {literal(line.strip())}.")
            yield number, values

    def place(self, row: int) -> str:
        """Return where a row stands; see `Source.place`."""
        with suppress(DataError, OSError):  # the file may have changed
            for line, _ in islice(self._objects(), row, None):
                return f"{self.name}: row {row + 1} (line {line})"
        return f"{self.name}: row {row + 1}"


def _check_text(values: Any, place: str) -> None:
    """Raise DataError if a text has half of a surrogate pair, which no file of text can hold."""
    try:
        json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):x}"
        raise DataError(
            f"{place} has {half}, half of a surrogate pair, which is no character. Write both halves, or "
            f"leave it out."
        ) from None


class _Twice(Exception):
    """A key that an object has twice."""


def _different(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for name in names if names.count(name) > 1))
    return values


def _constant(text: str) -> Digits | None:
    """Return what NaN, Infinity or -Infinity is, which Python writes though JSON has none of them."""
    return None if text == "NaN" else Digits("-inf" if text.startswith("-") else "inf")


def _text(value: str | bool) -> str:
    """Return a value as a text: a number as cells of all typed sources are spelled, 1 for 1.0."""
    if isinstance(value, Digits) and not value.removeprefix("-").isdecimal():
        return text_of(float(value))
    return str(value)


def _typed(column: NumberColumn | TextColumn, kinds: set[type]) -> Cells:
    cells = column.cells()
    return Booleans(cells.values) if isinstance(cells, Numbers) and kinds == {bool} else cells

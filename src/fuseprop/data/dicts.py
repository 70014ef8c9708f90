"""Rows as dicts: many of them as columns, and one alone read directly, for quick single predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..world import ALONE, Processes
from .column import Column
from .spelling import EXACT_LIMIT

ISO_DAY = "%Y-%m-%d"
DAY_ZERO = date(1970, 1, 1).toordinal()

Read = Callable[[Any], float | None]


def as_columns(data: Any, world: Processes = ALONE) -> Any:
    """Return a dict of single values, or a list of dicts, as a dict of columns; other data as they are.

    A row that lacks a key of another row, of any process, has no value there. A list may be empty in one
    process where it holds dicts in others.
    """
    if isinstance(data, Mapping) and data and all(_is_single(value) for value in data.values()):
        data = [data]
    are_rows = isinstance(data, list | tuple) and all(isinstance(row, Mapping) for row in data)
    own = [*dict.fromkeys(name for row in data for name in row)] if are_rows else None
    names_of = [names for names in world.gathered(own) if names is not None]
    if not are_rows or not any(names_of):
        return data
    names = dict.fromkeys(name for names in names_of for name in names)
    return {name: [row.get(name) for row in data] for name in names}


def _is_single(value: Any) -> bool:
    return isinstance(value, str | bytes) or not (hasattr(value, "__len__") or np.ndim(value))


class RowReader:
    """Reads rows, one by one, as columns that are known.

    It reads what is beyond doubt, and leaves all else, and all errors, to what reads tables.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._readers = [(column.name, _reader(column)) for column in columns]

    def __call__(self, row: Mapping[str, Any]) -> NDArray[np.float64] | None:
        """Return the cells (1, d) of a row as a `Table` holds them, or None if one of them is in doubt."""
        cells = []
        for name, read in self._readers:
            cell = read(row.get(name))
            if cell is None:
                return None
            cells.append(cell)
        return np.array([cells])


def _reader(column: Column) -> Read:
    if column.kind == "number":
        return _number
    if column.kind == "date":
        return _iso_day if column.notation == ISO_DAY else _date
    code_of = {level: float(code) for code, level in enumerate(column.levels)}

    def code(value: Any) -> float | None:
        # What stands in a column, such as a list, may not be hashed.
        return code_of.get(value) if isinstance(value, str) else None

    if column.kind == "boolean":
        return lambda value: float(value) if isinstance(value, bool) else code(value)
    return code


def _number(value: Any) -> float | None:
    if isinstance(value, float):
        return float(value) if -inf < value < inf else None
    is_exact = isinstance(value, int) and not isinstance(value, bool) and -EXACT_LIMIT < value < EXACT_LIMIT
    return float(value) if is_exact else None


def _date(value: Any) -> float | None:
    if type(value) is date:
        return float(value.toordinal() - DAY_ZERO)
    if type(value) is datetime and value.tzinfo is None:
        second = 3600 * value.hour + 60 * value.minute + value.second
        return value.toordinal() - DAY_ZERO + (1_000_000 * second + value.microsecond) / 1e6 / 86400
    return None


def _iso_day(value: Any) -> float | None:
    if not isinstance(value, str):
        return _date(value)
    if len(value) != 10 or not value[4] == value[7] == "-":
        return None
    try:
        return float(date.fromisoformat(value).toordinal() - DAY_ZERO)
    except ValueError:
        return None

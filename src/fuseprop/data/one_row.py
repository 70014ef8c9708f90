"""One row, given as a dict, read directly: a prediction for one row takes no longer than its arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .column import Column

DAY_ZERO = date(1970, 1, 1).toordinal()
ISO_DAY = "%Y-%m-%d"

Read = Callable[[Any], float | None]


class OneRow:
    """Reads rows, one by one, as columns that are known.

    It reads what is beyond doubt, and leaves all else, errors too, to what reads tables.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._read = [(column.name, _reader(column)) for column in columns]

    def __call__(self, row: Mapping[str, Any]) -> NDArray[np.float64] | None:
        """Return the numbers (1, d) that stand for the cells of a row, or None if one of them is in doubt."""
        values = []
        for name, read in self._read:
            value = row.get(name, ...)
            number = np.nan if value is None else read(value)
            if number is None:
                return None
            values.append(number)
        return np.array([values])


def is_row(data: Any) -> bool:
    """Whether data is a dict of one row: of single values, not of columns."""
    return isinstance(data, Mapping) and bool(data) and not any(map(_is_column, data.values()))


def _is_column(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes) and np.ndim(value) != 0


def _reader(column: Column) -> Read:
    if column.kind == "number":
        return _number
    if column.kind == "date":
        return _iso_date if column.notation == ISO_DAY else _date
    code_of = {level: float(code) for code, level in enumerate(column.levels)}
    return _boolean(code_of) if column.kind == "boolean" else _category(code_of)


def _number(value: Any) -> float | None:
    if isinstance(value, float | int | np.floating | np.integer) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            return None
        return None if number in (np.inf, -np.inf) else number
    return None


def _boolean(code_of: Mapping[str, float]) -> Read:
    def read(value: Any) -> float | None:
        if isinstance(value, bool | np.bool_):
            return float(value)
        return code_of.get(value) if isinstance(value, str) else None

    return read


def _category(code_of: Mapping[str, float]) -> Read:
    return lambda value: code_of.get(value) if isinstance(value, str) else None


def _date(value: Any) -> float | None:
    if type(value) is date:
        return float(value.toordinal() - DAY_ZERO)
    if type(value) is datetime and value.tzinfo is None:
        seconds = value.hour * 3600 + value.minute * 60 + value.second
        return value.toordinal() - DAY_ZERO + (seconds * 1_000_000 + value.microsecond) / 1e6 / 86400
    return None


def _iso_date(value: Any) -> float | None:
    if isinstance(value, str):
        if len(value) != len("2024-02-29") or value[4] != "-" or value[7] != "-":
            return None
        try:
            return float(date.fromisoformat(value).toordinal() - DAY_ZERO)
        except ValueError:
            return None
    return _date(value)

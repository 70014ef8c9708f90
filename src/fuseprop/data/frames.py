"""Data frames: pandas, Polars and PyArrow tables, structured arrays and dicts of columns.

They are recognized by their attributes, so that none of these libraries is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend import HostArray
from ..checks.quoting import counted, literal
from .columns import plain
from .errors import DataError, check_columns, listed, repeated


@dataclass(frozen=True)
class Frame:
    """Columns by name.

    Attributes
    ----------
    names : tuple of str
        The columns' labels as text, in order.
    named : bool
        Whether the labels are names. pandas labels columns without names 0, 1, 2, ...; labels of any other
        type are names, such as years, dates and tuples, and so are numbers in another order or with gaps.
    """

    names: tuple[str, ...]
    named: bool
    _column: Callable[[int], Any]

    def array(self, names: Sequence[str], source: str, what: str) -> HostArray:
        """Return the columns `names`, in that order, as an array (N, columns).

        Its dtype is the common one if all columns hold numbers, otherwise object. Raises DataError for names
        that are missing or repeated, and for columns that differ in length or do not hold plain values.
        `source` and `what`, a plural such as "features", are for its message.
        """
        twice = [name for name in repeated(self.names) if name in names]
        if twice:
            raise DataError(f"{source} has more than one column {listed(twice)}; names must differ.")
        check_columns(names, self.names, source, what)
        return self.stacked([self.names.index(name) for name in names], source)

    def stacked(self, places: Sequence[int], source: str) -> HostArray:
        """Return the columns at these positions, as `array` does."""
        columns = [self._plain(place, source) for place in places]
        lengths = [len(column) for column in columns]
        for place, length in zip(places, lengths, strict=True):
            if length != lengths[0]:
                raise DataError(
                    f"{source}: column {literal(self.names[place])} has {counted(length, 'row')}, but "
                    f"{literal(self.names[places[0]])} has {lengths[0]:,}."
                )
        if all(column.dtype.kind in "biuf" for column in columns):
            # No cast to float64: a target may hold whole numbers beyond 2^53.
            return np.stack(columns, axis=1) if columns else np.empty((0, 0))
        return np.stack([column.astype(object) for column in columns], axis=1)

    def _plain(self, place: int, source: str) -> HostArray:
        name = f"{source}: column {literal(self.names[place])}"
        column = plain(name, self._column(place))
        if column.ndim != 1:
            raise DataError(f"{name} must have shape (rows,), got {column.shape}: a column of single values.")
        return column


def frame_of(data: Any) -> Frame | None:
    """Return the named columns of a data frame, or None for any other data.

    Raises TypeError for lazy tables, which hold no values yet.
    """
    if isinstance(data, Frame):
        return data
    if isinstance(data, np.ndarray):
        names = data.dtype.names
        return None if names is None else _frame(list(names), lambda place: data[names[place]])
    if isinstance(data, Mapping):
        return _frame(list(data), lambda place: data[list(data)[place]])
    if isinstance(data, type):
        return None
    if hasattr(data, "collect") and hasattr(data, "collect_schema"):
        raise TypeError(
            f"expected a table that holds its values, got a {type(data).__name__}: `.collect()` it."
        )
    if callable(getattr(data, "column", None)) and hasattr(data, "column_names"):
        return _frame(list(data.column_names), data.column)
    if hasattr(data, "columns") and hasattr(data, "__getitem__"):
        names = list(data.columns)
        if hasattr(data, "iloc"):
            return _frame(names, lambda place: data.iloc[:, place])
        return _frame(names, lambda place: data[names[place]])
    return None


def name_of(data: Any) -> str | None:
    """Return the name of a single column, such as a pandas Series; None if it has none."""
    name = getattr(data, "name", None)
    return name if isinstance(name, str) and name and hasattr(data, "__len__") else None


def _frame(names: list[Any], column: Callable[[int], Any]) -> Frame:
    named = not all(type(name) is int for name in names) or names != list(range(len(names)))
    return Frame(tuple(str(name) for name in names), named, column)

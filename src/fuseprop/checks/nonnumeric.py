"""What NumPy would take for numbers, and nobody means as such: dates, masked values, columns of one name.

NumPy turns dates into integers and forgets masks, without a word. Here they are refused, by the column's name
where there is one. Nothing here imports the libraries whose tables and arrays it recognizes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, time, timedelta
from itertools import chain
from typing import Any

import numpy as np

from .quoting import quoted

NUMERIC = "biufc"
"""NumPy's kinds of numbers."""

KINDS = {
    "dates": "Give what matters of them as numbers, such as the days since the first one, "
    '(dates - dates.min()) / numpy.timedelta64(1, "D")',
    "spans of time": 'Divide them by a unit, such as numpy.timedelta64(1, "D") for days',
}
"""What is no number, and what to make of it."""


def check_plain(name: str, values: Any) -> None:
    """Raise where values would not be read as the numbers, or classes, that they seem to be.

    Raises TypeError for dates, times and spans of time, in any spelling: NumPy's, pandas', Python's own
    objects; ValueError for masked values, and for a table with two columns of one name. Only dtypes are
    looked at, but where a column holds Python's objects.
    """
    if type(values) is np.ndarray and values.dtype.kind in NUMERIC:
        return
    _check_masked(name, values)
    if callable(getattr(values, "column", None)) and hasattr(values, "column_names"):  # Arrow
        _check_unique(name, values.column_names)
        for i, column in enumerate(values.column_names):
            _check_dates(f"the column {quoted(column)} of {name}", values.column(i))
        return
    columns, dtypes = getattr(values, "columns", None), getattr(values, "dtypes", None)
    if columns is not None and dtypes is not None:
        if not getattr(columns, "is_unique", False):  # which pandas knows without counting
            _check_unique(name, columns)
        # Names are looked at one by one where there is something to say: pandas takes microseconds for each.
        for i, dtype in enumerate(getattr(dtypes, "values", dtypes)):
            if not _is_numeric(dtype):
                column = columns[i]
                at = values.iloc[:, i] if hasattr(values, "iloc") else values[column]
                _check_dates(f"the column {quoted(column)} of {name}", at)
        return
    label = getattr(values, "name", None)
    is_told = label is None or str(label) in name
    _check_dates(name if is_told else f"{name} (the column {quoted(label)})", values)


def first_stranger(values: Any) -> object:
    """Return the first of an object array's values that is neither a number nor stands for one; else None."""
    for value in values.flat:
        try:
            float(value)
        except (TypeError, ValueError, OverflowError):
            return value
    return None


def read_list(values: Any) -> Any:
    """Return a list of numbers as the array that NumPy makes of it, and everything else as it is."""
    if not isinstance(values, list | tuple) or _holds_masked(values):
        return values
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, OverflowError):
        return values
    return array if array.dtype.kind in NUMERIC else values


def _check_unique(name: str, columns: Iterable[Any]) -> None:
    for column, count in Counter(columns).items():
        if count > 1:
            raise ValueError(
                f"{name} has {count} columns of the name {quoted(column)}. Rename or drop all but one, so "
                f"that each column can be told by its name."
            )


def _check_masked(name: str, values: Any) -> None:
    if isinstance(values, list | tuple):
        if _holds_masked(values):
            raise ValueError(
                f"{name} is a {type(values).__name__} with masked arrays in it, whose masks would be "
                f"forgotten. Fill them, array.filled(value), or leave out what they mask."
            )
    elif isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        mask = np.ma.getmaskarray(values)
        position = ", ".join(
            f"{axis} {i}" for axis, i in zip(("row", "column"), np.argwhere(mask)[0], strict=False)
        )
        rows = "" if values.ndim < 2 else ".any(axis=1)"
        raise ValueError(
            f"{name} is a masked array: {int(mask.sum())} of its {mask.size} values "
            f"{'is' if mask.sum() == 1 else 'are'} masked, the first in {position} (counted from 0). Fill "
            f"them, {name}.filled(value), or leave out their rows, "
            f"{name}[~numpy.ma.getmaskarray({name}){rows}], here and in all that belongs to them."
        )


def _holds_masked(values: Any) -> bool:
    return any(issubclass(kind, np.ma.MaskedArray) for kind in set(map(type, _cells(values))))


def _check_dates(what: str, values: Any) -> None:
    found = _kind_of_time(values)
    if found is not None:
        kind, spelled = found
        raise TypeError(
            f"{what} holds {kind} ({spelled}), which are no numbers. {KINDS[kind]}; or leave them out. "
            f"Where they are classes, give them as text."
        )


def _kind_of_time(values: Any) -> tuple[str, str] | None:
    """Return what of time these values are, and how it is spelled; None for everything else."""
    dtype = getattr(values, "dtype", None)
    if dtype is not None:
        if _is_numeric(dtype):
            return None
        kind = getattr(dtype, "kind", "O")
        if kind in ("M", "m"):
            return ("dates" if kind == "M" else "spans of time"), str(dtype)
        if kind != "O" or (hasattr(values, "__dlpack__") and not isinstance(values, np.ndarray)):
            return None  # DLPack knows numbers alone
    if isinstance(values, list | tuple):
        return _kind_of_cells(values)
    if not hasattr(values, "__array__"):
        return None
    array = np.asarray(values)  # of categories and other dtypes of pandas' own, and of what has no dtype
    if array.dtype == object:
        return _kind_of_cells(array)
    return None if array.dtype is dtype else _kind_of_time(array)


def _kind_of_cells(values: Any) -> tuple[str, str] | None:
    """Return the same of what stands in a list or an array of objects, of which some may be arrays."""
    for kind_of_value in set(map(type, _cells(values))):
        if hasattr(kind_of_value, "__array__") and not issubclass(kind_of_value, np.generic):
            for value in _cells(values):
                found = _kind_of_time(value) if type(value) is kind_of_value else None
                if found is not None:
                    return found
        if kind_of_value.__name__ == "NaTType":  # a missing value, whatever it is missing from
            continue
        if issubclass(kind_of_value, timedelta | np.timedelta64):
            return "spans of time", _spelled(kind_of_value)
        if issubclass(kind_of_value, date | time | np.datetime64) or kind_of_value.__name__ == "Period":
            return "dates", _spelled(kind_of_value)
    return None


def _cells(values: Any) -> Iterable[Any]:
    """Return what stands in a list, in its rows where these are lists too, or in an array."""
    if isinstance(values, np.ndarray):
        return values.flat
    return chain.from_iterable(row if isinstance(row, list | tuple) else (row,) for row in values)


def _is_numeric(dtype: Any) -> bool:
    """Whether values of this dtype, of whatever library, are numbers; False where that is not known."""
    kind = getattr(dtype, "kind", None)
    if kind is None and hasattr(dtype, "is_numeric"):  # Polars
        return bool(dtype.is_numeric())
    return kind is not None and kind in NUMERIC


def _spelled(kind: type) -> str:
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"

"""Values that NumPy would convert to wrong numbers: dates, masked values, tables that repeat a column name.

NumPy turns dates into integers and drops masks, both without a warning. `check_plain` refuses them, with the
column's name if it has one. Tables of pandas, Polars and PyArrow are recognized by their attributes, so that
none of these libraries is imported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, time, timedelta
from itertools import chain
from typing import Any

import numpy as np

from .masked import is_masked, is_masked_type
from .quoting import position_text, quoted

NUMERIC = "biufc"
"""NumPy's kinds of numbers."""

KINDS = {
    "dates": "Give what matters of them as numbers, such as the days since the first one, "
    '(dates - dates.min()) / numpy.timedelta64(1, "D")',
    "spans of time": 'Divide them by a unit, such as numpy.timedelta64(1, "D") for days',
}
"""Kinds of values that are no numbers, and the advice that the error gives for each."""


def check_plain(name: str, values: Any) -> None:
    """Raise for values that NumPy would convert to something else than the numbers or classes they stand for.

    Raises TypeError for dates, times and spans of time, as NumPy or pandas dtypes or as Python objects;
    ValueError for masked values, and for a table with two columns of the same name. Checks dtypes only, and
    single values only in columns of Python objects.
    """
    if type(values) is np.ndarray and values.dtype.kind in NUMERIC:
        return
    check_masked(name, values)
    if callable(getattr(values, "column", None)) and hasattr(values, "column_names"):  # Arrow
        _check_unique(name, values.column_names)
        for i, column in enumerate(values.column_names):
            _check_dates(f"the column {quoted(column)} of {name}", values.column(i))
        return
    columns, dtypes = getattr(values, "columns", None), getattr(values, "dtypes", None)
    if columns is not None and dtypes is not None:
        if not getattr(columns, "is_unique", False):  # pandas answers this without counting
            _check_unique(name, columns)
        # A column's name is looked up only if its dtype is suspect: each look-up takes pandas microseconds.
        for i, dtype in enumerate(getattr(dtypes, "values", dtypes)):
            if not _is_numeric(dtype):
                column = columns[i]
                at = values.iloc[:, i] if hasattr(values, "iloc") else values[column]
                _check_dates(f"the column {quoted(column)} of {name}", at)
        return
    label = getattr(values, "name", None)
    name_says_it = label is None or str(label) in name
    _check_dates(name if name_says_it else f"{name} (the column {quoted(label)})", values)


def first_stranger(values: Any) -> object:
    """Return the first value of an object array that `float` refuses, or None if it takes all of them."""
    for value in values.flat:
        try:
            float(value)
        except (TypeError, ValueError, OverflowError):
            return value
    return None


def read_list(values: Any) -> Any:
    """Return a list or tuple of numbers as a NumPy array, and anything else unchanged."""
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


def check_masked(name: str, values: Any) -> None:
    """Raise ValueError for masked values, in an array or in the arrays of a list."""
    if isinstance(values, list | tuple):
        if _holds_masked(values):
            raise ValueError(
                f"{name} is a {type(values).__name__} with masked arrays in it, whose masks would be "
                f"forgotten. Fill them, array.filled(value), or leave out what they mask."
            )
    elif is_masked(values) and np.ma.is_masked(values):
        mask = np.ma.getmaskarray(values)
        first = position_text(np.argwhere(mask)[0])
        rows = "" if values.ndim < 2 else ".any(axis=1)"
        raise ValueError(
            f"{name} is a masked array: {int(mask.sum())} of its {mask.size} values "
            f"{'is' if mask.sum() == 1 else 'are'} masked, the first in {first} (counted from 0). Fill "
            f"them, {name}.filled(value), or leave out their rows, "
            f"{name}[~numpy.ma.getmaskarray({name}){rows}], here and in all that belongs to them."
        )


def _holds_masked(values: Any) -> bool:
    return any(map(is_masked_type, set(map(type, _cells(values)))))


def _check_dates(what: str, values: Any) -> None:
    found = _kind_of_time(values)
    if found is not None:
        kind, type_name = found
        raise TypeError(
            f"{what} holds {kind} ({type_name}), which are no numbers. {KINDS[kind]}; or leave them out. "
            f"Where they are classes, give them as text."
        )


def _kind_of_time(values: Any) -> tuple[str, str] | None:
    """Return the key in `KINDS` of dates or spans of time, and their type's name; None for other values."""
    dtype = getattr(values, "dtype", None)
    if dtype is not None:
        if _is_numeric(dtype):
            return None
        kind = getattr(dtype, "kind", "O")
        if kind in ("M", "m"):
            return ("dates" if kind == "M" else "spans of time"), str(dtype)
        if kind != "O" or (hasattr(values, "__dlpack__") and not isinstance(values, np.ndarray)):
            return None  # DLPack exchanges numbers only
    if isinstance(values, list | tuple):
        return _kind_of_time_among(values)
    if not hasattr(values, "__array__"):
        return None
    array = np.asarray(values)  # pandas' own dtypes, such as categories, and array-likes without a dtype
    if array.dtype == object:
        return _kind_of_time_among(array)
    return None if array.dtype is dtype else _kind_of_time(array)


def _kind_of_time_among(values: Any) -> tuple[str, str] | None:
    """Return what `_kind_of_time` does, for a list or an object array, whose values may be arrays too."""
    for kind_of_value in set(map(type, _cells(values))):
        if hasattr(kind_of_value, "__array__") and not issubclass(kind_of_value, np.generic):
            for value in _cells(values):
                found = _kind_of_time(value) if type(value) is kind_of_value else None
                if found is not None:
                    return found
        if kind_of_value.__name__ == "NaTType":  # stands for a missing date or a missing span
            continue
        if issubclass(kind_of_value, timedelta | np.timedelta64):
            return "spans of time", _type_name(kind_of_value)
        if issubclass(kind_of_value, date | time | np.datetime64) or kind_of_value.__name__ == "Period":
            return "dates", _type_name(kind_of_value)
    return None


def _cells(values: Any) -> Iterable[Any]:
    """Return the single values of an array, or of a list whose rows may be lists too."""
    if isinstance(values, np.ndarray):
        return values.flat
    return chain.from_iterable(row if isinstance(row, list | tuple) else (row,) for row in values)


def _is_numeric(dtype: Any) -> bool:
    """Whether a dtype of NumPy, pandas, Polars or another library is known to hold numbers."""
    kind = getattr(dtype, "kind", None)
    if kind is None and hasattr(dtype, "is_numeric"):  # Polars
        return bool(dtype.is_numeric())
    return kind is not None and kind in NUMERIC


def _type_name(kind: type) -> str:
    """Return a type's name with its library's, such as ``pandas.Timestamp``."""
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"

"""Arrays that users pass in for a table, as plain numbers and texts; an error says how to convert others."""

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np

from ..backend import HostArray
from ..checks.arrays import check_on_host
from ..checks.nonnumeric import check_plain
from .errors import DataError

PANDAS_MISSING = ("NAType", "NaTType")
"""The names of the types of pandas.NA and pandas.NaT."""


def plain(name: str, values: Any) -> HostArray:
    """Return numbers, texts or a mix of both as an array of any shape, without copying where possible.

    A mix has dtype object. Raises DataError for dates, masked values and repeated column names (see
    `check_plain`), complex numbers, bytes, records, other objects, and rows of different lengths; TypeError
    for arrays on a device.
    """
    check_on_host(name, values)
    try:
        check_plain(name, values)
    except (TypeError, ValueError) as error:
        raise DataError(str(error)) from error
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DataError(f"{name} is no array: {error} Make rows equally long.") from error
    if array.dtype.kind == "T":  # NumPy's StringDType, which may hold an object for missing values
        array = array.astype(object)
    wrong = _REFUSED.get(array.dtype.kind) or (_not_plain(array) if array.dtype.kind == "O" else None)
    if wrong:
        raise DataError(f"{name} {wrong}")
    return array


def is_no_value(value: object) -> bool:
    """Whether an object stands for a missing value: None, nan, pandas.NA, pandas.NaT."""
    return (
        value is None
        or type(value).__name__ in PANDAS_MISSING
        or (isinstance(value, float) and value != value)
    )


_COMPLEX = "holds complex numbers. Give their real and imaginary parts as columns of their own."
_REFUSED = {
    "c": _COMPLEX,
    "S": "holds bytes, not text. Decode them: x.astype(str).",
    "V": "holds records. Give an array for each of their fields.",
}


def _not_plain(array: HostArray) -> str | None:
    """Return what is wrong with the first object that is neither number, text nor missing value, or None."""
    for value in array.flat:
        if is_no_value(value):
            continue
        if isinstance(value, complex | np.complexfloating):
            return _COMPLEX
        if isinstance(value, bytes):
            return _REFUSED["S"]
        if not isinstance(value, str | Number | np.generic):
            return f"holds objects of the type {type(value).__name__}. Make numbers or text of them first."
    return None

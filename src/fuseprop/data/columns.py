"""Arrays that users hand over for a table: plain values, or an error that says what to do with the others."""

from __future__ import annotations

from datetime import date, time, timedelta
from numbers import Number
from typing import Any

import numpy as np

from ..backend import HostArray
from ..checks import check_on_host
from ..quoting import counted
from .errors import DataError

NO_VALUE = ("NAType", "NaTType")
"""The types of pandas.NA and pandas.NaT."""


def plain(name: str, values: Any) -> HostArray:
    """Return numbers, texts or a mix of both as an array, without copying where that is possible.

    Raises DataError for what would lose its meaning on the way: masked values, dates and times, complex
    numbers, bytes, records; and for rows of different lengths. TypeError for arrays on a device.
    """
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(values)
        if values.dtype.names is None and mask.any():
            row, count = int(np.argwhere(mask)[0][0]), int(mask.sum())
            raise DataError(
                f"{name}: row {row + 1} is masked ({counted(count, 'masked value')} in all). What is masked "
                f"is no value: fill it, or leave these rows out."
            )
        values = values.data
    check_on_host(name, values)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DataError(f"{name} is no array: {error} Make rows equally long.") from error
    refusal = _REFUSED.get(array.dtype.kind) or (_of_objects(array) if array.dtype.kind == "O" else None)
    if refusal:
        raise DataError(f"{name} {refusal}")
    if array.dtype.kind == "T":  # NumPy's strings of any length
        return array.astype(str)
    return array


def is_no_value(value: object) -> bool:
    """Whether an object stands for a missing value: None, nan, pandas.NA, pandas.NaT."""
    return value is None or type(value).__name__ in NO_VALUE or (isinstance(value, float) and value != value)


_DATES = (
    "holds dates or times, which are no numbers yet. Make numbers of them that mean something here, such as "
    "days since a certain date, the month or the weekday."
)
_COMPLEX = "holds complex numbers. Give their real and imaginary parts as columns of their own."
_REFUSED = {
    "M": _DATES,
    "m": "holds durations. Make numbers of them: divide by numpy.timedelta64(1, 'D'), or another unit.",
    "c": _COMPLEX,
    "S": "holds bytes, not text. Decode them: x.astype(str).",
    "V": "holds records. Give an array for each of their fields.",
}


def _of_objects(array: HostArray) -> str | None:
    for value in array.flat:
        if is_no_value(value):
            continue
        if isinstance(value, timedelta | np.timedelta64):
            return _REFUSED["m"]
        if isinstance(value, date | time | np.datetime64):
            return _DATES
        if isinstance(value, complex | np.complexfloating):
            return _COMPLEX
        if isinstance(value, bytes):
            return _REFUSED["S"]
        if not isinstance(value, str | Number | np.generic):
            return f"holds objects of the type {type(value).__name__}. Make numbers or text of them first."
    return None

"""Columns of arrays and series, of NumPy, pandas, Polars and PyArrow, as cells by their type.

narwhals says what a series holds, whichever library it is from.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from ..backend import HostArray
from ..checks.arrays import check_on_host
from ..checks.masked import is_masked
from ..installing import how_to_install
from .cells import MISSING, Booleans, Cells, Dates, Numbers
from .errors import DataError
from .objects import coded, days_since_1970, number_cells, object_cells, refusal, texts_of
from .spelling import EXACT_LIMIT

LIBRARIES = ("pandas", "polars", "pyarrow", "modin", "cudf", "narwhals")
"""The libraries whose series and frames that hold their values narwhals reads."""


@cache
def library_of(kind: type) -> str | None:
    """Return the one of `LIBRARIES` from which a class is, or is derived; None for other classes."""
    roots = (base.__module__.partition(".")[0] for base in kind.__mro__)
    return next((root for root in roots if root in LIBRARIES), None)


def load_narwhals() -> Any:
    """Return narwhals; raise DataError, with the line to type, if it is not installed."""
    try:
        import narwhals.stable.v2 as narwhals
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("narwhals"):
            raise
        raise DataError(
            f"data frames are read by narwhals, which is not installed. Type: {how_to_install('tables')}. "
            f"Dicts of lists and NumPy arrays can be read without it."
        ) from error
    return narwhals


def typed_cells(column: Any, where: str, before: int = 0) -> Cells:
    """Return the cells of one column: a list, a NumPy array, or a series of another library.

    Masked values are missing ones. `where` names the column in errors, in which `before` rows of other
    processes are before these. Raises DataError for inf, values that are no cells of a table (see
    `object_cells`), and other shapes than (rows,); TypeError for arrays on a device.
    """
    if isinstance(column, list | tuple | range):
        return object_cells(column, where, before)
    if isinstance(column, np.ndarray):
        return _array_cells(column, where, before)
    kind: Any = type(column)
    if library_of(kind) is not None:
        narwhals = load_narwhals()
        series = narwhals.from_native(column, allow_series=True, pass_through=True)
        if isinstance(series, narwhals.Series):
            return _series_cells(series, where, before, narwhals)
    check_on_host(where, column)
    return _array_cells(np.asarray(column if hasattr(column, "__array__") else None), where, before)


def _array_cells(array: HostArray, where: str, before: int) -> Cells:
    if array.ndim != 1:
        raise DataError(f"{where} must have shape (rows,), got {array.shape}: a column of single values.")
    kind = array.dtype.kind
    if is_masked(array) or (kind in "iu" and _loses_digits(array)):
        return object_cells(array.tolist(), where, before)
    match kind:
        case "b":
            return Booleans(array.astype(np.float64))
        case "i" | "u" | "f":
            with np.errstate(over="ignore"):  # longdouble beyond float64 becomes inf, which is refused
                return number_cells(array.astype(np.float64, copy=False), where, before)
        case "U":
            return texts_of(array.tolist())
        case "M":
            return Dates(days_since_1970(array))
        case "c" | "m" | "S" | "V":
            raise refusal(where, _REFUSED[kind])
    return object_cells(array.astype(object).tolist(), where, before)


_REFUSED = {"c": "complex numbers", "m": "spans of time", "S": "bytes", "V": "records"}


def _loses_digits(integers: Any) -> bool:
    """Whether float64 may not hold each of these whole numbers, an array or a series."""
    if not len(integers):
        return False
    low, high = integers.min(), integers.max()
    if not isinstance(low, int | np.integer):  # None or pandas.NA, as all are missing
        return False
    return int(low) < -EXACT_LIMIT or int(high) > EXACT_LIMIT


def _series_cells(series: Any, where: str, before: int, nw: Any) -> Cells:
    dtype = series.dtype
    if dtype.is_integer() and _loses_digits(series):
        return object_cells(series.to_list(), where, before)
    if dtype.is_integer() or dtype.is_float():
        return number_cells(series.cast(nw.Float64).to_numpy(), where, before)
    match dtype:
        case nw.Boolean:
            return Booleans(series.cast(nw.Float64).to_numpy())
        case nw.Date | nw.Datetime:
            moments = series.to_numpy()
            if moments.dtype.kind == "M":
                return Dates(days_since_1970(moments))
        case nw.Duration:
            raise refusal(where, "spans of time")
        case nw.Time:
            raise refusal(where, "times of day")
        case nw.Binary:
            raise refusal(where, "bytes")
        case nw.List | nw.Array:
            raise refusal(where, "lists")
        case nw.Struct:
            raise refusal(where, "records")
        case nw.String | nw.Categorical | nw.Enum:
            return _spread(*_factorized(series, nw), where)
    return object_cells(series.to_list(), where, before)


def _spread(values: Sequence[Any], codes: HostArray, where: str) -> Cells:
    """Return the cells of which `codes` are the positions among different values; -1 where missing."""
    if all(isinstance(value, str) for value in values):
        return coded(values, codes)
    # Categories of pandas, which may be numbers, dates and others.
    match object_cells(values, where):
        case Numbers(values=numbers):
            return Numbers(np.append(numbers, np.nan)[codes])
        case Booleans(values=truths):
            return Booleans(np.append(truths, np.nan)[codes])
        case Dates(days=days):
            return Dates(np.append(days, np.nan)[codes])
    return coded(values, codes)


def _factorized(series: Any, nw: Any) -> tuple[Sequence[Any], HostArray]:
    """Return the different values of a series in the order of their first rows, and each row's position."""
    native = nw.to_native(series)
    if hasattr(native, "factorize"):  # of pandas: a seventh of the time of the way below
        codes, values = native.factorize()
        return values.tolist(), codes.astype(np.int32)
    texts = series.cast(nw.String)
    values = texts.unique(maintain_order=True).drop_nulls().to_list()
    places = range(len(values))
    return values, texts.replace_strict(values, places, default=MISSING, return_dtype=nw.Int32).to_numpy()

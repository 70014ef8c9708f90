"""Python objects, such as a list's or those of an array of objects, as the cells of a column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from numbers import Complex, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cells import MISSING, Booleans, Cells, Dates, Numbers, Texts
from .dates import date_text
from .errors import DataError
from .spelling import EXACT_LIMIT

MISSING_TYPES = ("NoneType", "NAType", "NaTType", "MaskedConstant")
"""The names of types whose value stands for a missing one: None, those of pandas, numpy.ma.masked."""

ADVICE = {
    "bytes": "Decode them to text: .decode().",
    "complex numbers": "Give their real and imaginary parts as columns of their own.",
    "spans of time": 'Divide them by a unit, such as numpy.timedelta64(1, "D") for days.',
    "times of day": "Give the hour as a number, or date and time together.",
    "periods": "Give their first moment as a date: .dt.to_timestamp() in pandas.",
    "lists": "Give what is in them as columns of their own.",
    "records": "Give each of their fields as a column of its own.",
}
"""Kinds of values that no cell can hold, and what to do with them; leaving the column out helps always."""


def refusal(where: str, what: str) -> DataError:
    """Return the error for a column that holds a key of `ADVICE`, or other objects."""
    advice = ADVICE.get(what, "Make numbers or text of them.")
    return DataError(
        f"{where} holds {what}, which are no cells of a table. {advice} Or leave the column out."
    )


def object_cells(values: Sequence[Any], where: str, before: int = 0) -> Cells:
    """Return the cells of a column whose values are Python, NumPy or pandas objects.

    Numbers alone, booleans alone and dates alone keep their kind; a mix of them, or with text, becomes texts.
    Missing are None, nan, NaT and pandas.NA. `where` names the column in errors, in which `before` rows of
    other processes are before these.

    Raises DataError for inf, and for objects of other types.
    """
    kinds = _kinds_in(values, where)
    if any(name == "missing" and kind is not type(None) for kind, name in kinds.items()):
        values = [None if type(value).__name__ in MISSING_TYPES else value for value in values]
    found = set(kinds.values()) - {"missing"}
    if len(found) > 1 or "date" in found:  # nan and NaT may be what is missing among other values
        values = [None if _is_missing(value) else value for value in values]
        found = {_kind_of(kind) for kind in set(map(type, values))} - {"missing"}
    match sorted(found):
        case []:
            return no_cells(len(values))
        case ["number"]:
            return _numbers(values, where, before)
        case ["boolean"]:
            return Booleans(np.array(values, np.float64))
        case ["date"]:
            return Dates(days_since_1970(np.array([_in_utc(value) for value in values], "M8[us]")))
        case ["text"]:
            return texts_of(values)
    return texts_of([None if value is None else text_of(value) for value in values])


def number_cells(values: NDArray[np.float64], where: str, before: int = 0) -> Cells:
    """Return numbers (N,), nan where missing; raises DataError for inf, as `object_cells`."""
    infinite = np.isinf(values)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise DataError(
            f"{where} holds {values[row]} in row {before + row + 1}; expected finite numbers. Correct it, "
            f"or leave the row out."
        )
    return no_cells(len(values)) if np.isnan(values).all() else Numbers(values)


def no_cells(rows: int) -> Texts:
    """Return the cells of a column without any value, which may be a column of any kind."""
    return Texts((), np.full(rows, MISSING, np.int32))


def texts_of(values: Iterable[str | None]) -> Texts:
    """Return texts, None where they are missing."""
    position: dict[str | None, int] = {None: MISSING}
    codes = np.array([position.setdefault(value, len(position) - 1) for value in values], np.int32)
    del position[None]
    return coded([*position], codes)


def coded(values: Sequence[Any], codes: NDArray[np.integer]) -> Texts:
    """Return cells of which `values` are the different ones, in the order of their first rows."""
    texts = [text_of(value).strip() for value in values]
    different = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    if len(different) < len(texts):
        # The last entry is for the code -1.
        codes = np.array([*(different[text] for text in texts), MISSING], np.int32)[codes]
    return Texts(tuple(different), codes)


def text_of(value: Any) -> str:
    """Return a value as a file's cell would hold it: whole numbers without a point, dates as in ISO 8601."""
    kind: Any = type(value)
    match _kind_of(kind):
        case "text":
            return str(value)
        case "boolean":
            return "True" if value else "False"
        case "date":
            return date_text(float(days_since_1970(np.array([_in_utc(value)], "M8[us]"))[0]))
    if isinstance(value, int | np.integer | Decimal):
        return str(value)
    value = float(value)
    return str(int(value)) if value.is_integer() and abs(value) < EXACT_LIMIT else repr(value)


def days_since_1970(moments: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Return dates and times as days, with the time of day as a fraction; nan for NaT."""
    days = moments.astype("M8[D]")
    rest = (moments - days).astype("m8[us]").astype(np.int64)
    # The same sum as for dates in texts, so that both are the same number.
    return np.where(np.isnat(moments), np.nan, days.astype(np.int64) + rest / 1e6 / 86400)


_CELLS = frozenset(("missing", "boolean", "text", "date", "number"))


def _kinds_in(values: Iterable[Any], where: str) -> dict[type, str]:
    """Return the types of values, each with its kind; raise DataError for those that no cell can hold."""
    kinds = {kind: _kind_of(kind) for kind in set(map(type, values))}
    for name in kinds.values():
        if name not in _CELLS:
            raise refusal(where, name if name in ADVICE else f"objects of the type {name}")
    return kinds


@lru_cache(maxsize=256)
def _kind_of(kind: type) -> str:
    """Return one of `_CELLS` for values of a type, a key of `ADVICE`, or the type's name."""
    if kind.__name__ in MISSING_TYPES:
        return "missing"
    for types, name in _KINDS:
        if issubclass(kind, types):
            return name
    return "periods" if kind.__name__ == "Period" else kind.__name__


_KINDS: tuple[tuple[Any, str], ...] = (
    (bool | np.bool_, "boolean"),
    (str, "text"),
    (timedelta | np.timedelta64, "spans of time"),
    (date | np.datetime64, "date"),
    (time, "times of day"),
    (bytes | bytearray, "bytes"),
    (Real | Decimal, "number"),
    (Complex, "complex numbers"),
    (list | tuple | set | np.ndarray, "lists"),
    (dict | np.void, "records"),
)
"""Types and what their values are; the first that fits, as a bool is an int, a timedelta64 an integer too."""


def _is_missing(value: Any) -> bool:
    """Whether a value stands for a missing one, nan among them."""
    if type(value).__name__ in MISSING_TYPES:
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, float | np.floating | np.datetime64) and bool(value != value)


def _numbers(values: Sequence[Any], where: str, before: int) -> Cells:
    try:
        array = np.array(values, np.float64)
    except (OverflowError, ValueError):  # ValueError for a signaling nan of decimal
        raise DataError(
            f"{where} holds a number that no float64 can hold: that ends at 1.8e308. Give it as text, or "
            f"leave the column out."
        ) from None
    cells = number_cells(array, where, before)
    for row in np.flatnonzero(np.abs(array) >= EXACT_LIMIT).tolist():
        value = values[row]
        if isinstance(value, int | np.integer) and int(array[row]) != value:
            # Rounded, two long ids would be one number.
            return texts_of([None if _is_missing(value) else text_of(value) for value in values])
    return cells


def _in_utc(value: Any) -> Any:
    """Return a date or None; with a zone, as the moment's date and time in UTC without one."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value

"""Classes as users give them: cells of one kind, which are compared without a conversion that changes them.

NumPy would make "1" of 1 beside text, and of 2^53 + 1 beside floats the same number as of 2^53; and it cannot
sort None among others.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from numbers import Real
from typing import Any

import numpy as np

from ...backend import HostArray
from ...checks.arrays import check_on_host
from ...checks.nonnumeric import check_masked
from ...checks.quoting import literal, position_text

KINDS = {
    **dict.fromkeys("biuf", "numbers"),
    "U": "text",
    "T": "text",
    "S": "bytes",
    "M": "dates",
    "m": "spans",
}
"""What the cells of an array are, by NumPy's kind of its dtype."""

TYPES: dict[type, str] = {
    Real: "numbers",
    np.bool_: "numbers",
    str: "text",
    bytes: "bytes",
    datetime: "times",
    date: "dates",
    np.datetime64: "dates",
    timedelta: "spans",
    np.timedelta64: "spans",
}
"""What single cells are, by the first of these types that fits; others are a kind each."""

EXACT = 2**53
"""Up to here float64 holds every whole number."""


def cells(name: str, given: object) -> tuple[HostArray, str]:
    """Return cells as an array of any shape, and their kind, such as "numbers" or "text"; "" of none.

    Raises TypeError for an array on a device; ValueError for rows of different lengths, masked and missing
    cells (None, nan), and cells of different kinds.
    """
    check_on_host(name, given)
    check_masked(name, given)
    try:
        array = np.asarray(given)
        as_given = array if hasattr(given, "dtype") else np.asarray(given, object)
    except ValueError as error:
        raise ValueError(f"{name} has rows of different lengths. Make them equally long.") from error
    if as_given.dtype == object:
        kind = _kind_of_objects(name, as_given)
        if array.dtype.kind not in KINDS or not _same(array, as_given):
            array = as_given
    elif array.dtype.kind in KINDS:
        kind = KINDS[array.dtype.kind]
    else:
        raise ValueError(f"{name} holds {array.dtype}, which is no class. Give numbers or text.")
    missing = array != array
    if np.any(missing):
        _refuse_missing(name, array, np.argwhere(missing)[0])
    return array, kind


def same_kind(names: tuple[str, str], kinds: tuple[str, str]) -> None:
    """Raise ValueError for two arrays whose cells are of different kinds."""
    if all(kinds) and kinds[0] != kinds[1]:
        raise ValueError(
            f"{names[0]} holds {kinds[0]}, but {names[1]} {kinds[1]}, which equal none of them. Give both as "
            f"the same kind, such as by .astype(str)."
        )


def joined(*arrays: HostArray) -> HostArray:
    """Return arrays (n,) of one kind one after the other, without changing a cell; of objects if need be."""
    dtype = np.result_type(*arrays)
    if dtype.kind == "f" and any(_may_round(array) for array in arrays):
        dtype = np.dtype(object)
    return np.concatenate([array.astype(dtype, copy=False) for array in arrays])


def _may_round(array: HostArray) -> bool:
    """Whether float64 may not hold whole numbers."""
    return array.dtype.kind in "iu" and bool(array.size) and not -EXACT <= array.min() <= array.max() <= EXACT


def _same(array: HostArray, objects: HostArray) -> bool:
    """Whether NumPy's reading of objects of one kind changed none: as floats it may round whole numbers."""
    return array.dtype.kind != "f" or bool((array.astype(object) == objects).all())


def _kind_of_objects(name: str, array: HostArray) -> str:
    found: dict[str, Any] = {}
    of_types = {kind: _kind_of_type(kind) for kind in set(map(type, array.flat))}
    for kind_of_value, kind in of_types.items():
        first = next(i for i, cell in enumerate(array.flat) if type(cell) is kind_of_value)
        if kind == "":
            _refuse_missing(name, array, np.unravel_index(first, array.shape))
        found.setdefault(kind, array.flat[first])
    if len(found) > 1:
        for i, cell in enumerate(array.flat):
            if cell != cell:
                _refuse_missing(name, array, np.unravel_index(i, array.shape))
        some = " and ".join(f"{kind} ({literal(cell)})" for kind, cell in sorted(found.items()))
        raise ValueError(
            f"{name} holds {some}: classes are of one kind. Give all as text, or all as numbers."
        )
    return next(iter(found), "")


def _kind_of_type(kind: type) -> str:
    """Return the kind of cells of a type, "" for what stands for a missing one."""
    if kind.__name__ in ("NoneType", "NAType", "NaTType"):
        return ""
    return next((text for base, text in TYPES.items() if issubclass(kind, base)), kind.__name__)


def _refuse_missing(name: str, array: HostArray, index: Any) -> None:
    where = position_text(index)
    raise ValueError(
        f"{name} holds {literal(array[tuple(index)])} in {where} (counted from 0), which is no class. Leave "
        f"such rows out, or name the class that they are."
    )

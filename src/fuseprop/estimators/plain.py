"""y, weights and names of classes, of any library: plain values as scikit-learn reads them, or an error."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import scipy.sparse as sparse

from ..backend import HostArray
from ..checks.nonnumeric import check_plain
from ..data.columns import is_no_value
from .arrays import to_numpy

TEXT = {str, np.str_}


def plain(name: str, values: Any) -> Any:
    """Return values that belong to rows, such as weights; raises as `check_plain` and `to_numpy`.

    NumPy's strings of variable length get a fixed length, the only kind that scikit-learn knows.
    """
    check_plain(name, values)
    return _read(values)


def plain_classes(name: str, values: Any) -> Any:
    """Return classes as `plain` does, but a list that mixes text and other values as an array of objects.

    NumPy would turn all of them into text, and nan into a class. Raises ValueError also for missing values
    (None, nan, pandas.NA, pandas.NaT), TypeError for text among other values.
    """
    check_plain(name, values)
    objects = _objects(values)
    if objects is None:
        return _read(values)
    for place, value in np.ndenumerate(objects):
        if is_no_value(value) or (isinstance(value, np.floating) and np.isnan(value)):
            raise ValueError(
                f"{name} holds {value}, which is no class, in row {place[0]} (counted from 0). Leave the row "
                f'out, here and in all that belongs to it, or call what is missing "unknown".'
            )
    if len({issubclass(kind, str) for kind in set(map(type, objects.flat))}) > 1:
        raise of_several_kinds(name, objects)
    return objects if isinstance(values, list | tuple) else _read(values)


def of_several_kinds(name: str, values: Any) -> TypeError:
    """Return the error for classes that have no order among each other."""
    kinds = sorted({type(value).__name__ for value in np.asarray(values, object).flat})
    return TypeError(
        f"{name} must hold classes of one kind, all text or all numbers, got {', '.join(kinds)}. Convert "
        f"them, such as by numpy.array({name}).astype(str)."
    )


def _read(values: Any) -> Any:
    values = to_numpy(values)
    is_text = isinstance(values, np.ndarray) and values.dtype.kind == "T"
    return values.astype(object).astype(str) if is_text else values


def _objects(values: Any) -> HostArray | None:
    """Return values of several kinds as an array of objects, None where all are numbers or all are text."""
    if isinstance(values, list | tuple):
        try:
            array = np.asarray(values)
        except (TypeError, ValueError, OverflowError):  # for which scikit-learn raises an error of its own
            return None
        rows = chain.from_iterable(row if isinstance(row, list | tuple) else (row,) for row in values)
        if array.dtype.kind == "O":
            return array
        return np.asarray(values, object) if array.dtype.kind == "U" and set(map(type, rows)) - TEXT else None
    if sparse.issparse(values) or not hasattr(values, "__array__"):
        return None
    kind = getattr(getattr(values, "dtype", None), "kind", "O")
    if kind not in "OT":
        return None
    array = np.asarray(values)
    return array.astype(object) if array.dtype.kind in "OT" else None

"""What scores are computed of, checked: classes as numbers, labels, probabilities and values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backend import HostArray
from ...checks.arrays import as_host, check_finite, check_on_host
from ...checks.quoting import counted, literal

Numbers = NDArray[np.int64]


def pair(target: object, predicted: object, axes: int = 1) -> tuple[HostArray, HostArray]:
    """Return both as arrays; raise ValueError unless they have one shape of so many axes, and rows."""
    both = []
    for name, given in (("target", target), ("predicted", predicted)):
        check_on_host(name, given)
        both.append(np.asarray(given))
    true, other = both
    if true.shape != other.shape or true.ndim != axes:
        shape = "(n,)" if axes == 1 else "(n, t)"
        raise ValueError(
            f"target and predicted must both have shape {shape}, got {true.shape} and {other.shape}."
        )
    _check_rows(true)
    return true, other


def class_numbers(
    target: object, predicted: object, classes: Any = None
) -> tuple[Numbers, Numbers, tuple[Any, ...]]:
    """Return both as numbers (n,) of classes, from 0, and the classes."""
    true, other = pair(target, predicted)
    n = len(true)
    numbers, known = numbered(np.concatenate([true, other]), classes)
    return numbers[:n], numbers[n:], known


def numbered(cells: HostArray, classes: Any = None) -> tuple[Numbers, tuple[Any, ...]]:
    """Return the number of each cell's class, and the classes: those given, or else the different cells.

    Raises ValueError for a cell that is none of the classes given.
    """
    if classes is None:
        different, numbers = np.unique(cells, return_inverse=True)
        return numbers.astype(np.int64, copy=False), tuple(different.tolist())
    known = np.asarray(classes)
    order = np.argsort(known)
    place = order[np.searchsorted(known, cells, sorter=order).clip(max=len(known) - 1)]
    unknown = known[place] != cells
    if unknown.any():
        row = int(np.argmax(unknown))
        raise ValueError(
            f"{literal(cells[row].item())} is none of the classes {literal(known.tolist())}: name them all."
        )
    return place.astype(np.int64, copy=False), tuple(known.tolist())


def different_classes(what: str, classes: tuple[Any, ...]) -> None:
    """Raise ValueError for fewer than two classes."""
    if len(classes) < 2:
        raise ValueError(
            f"{what} needs two classes or more, but all rows are {literal(classes[0])}. Name them: classes=."
        )


def labels(target: object, predicted: object) -> tuple[HostArray, HostArray]:
    """Return both as labels (n, t); raise ValueError unless all are 0 or 1."""
    true, other = pair(target, predicted, axes=2)
    for name, array in (("target", true), ("predicted", other)):
        if not np.isin(array, (0, 1)).all():
            raise ValueError(
                f"{name} of two axes holds labels, 0 or 1; got other values. Classes have one axis."
            )
    return true.astype(np.int64), other.astype(np.int64)


def scored_rows(
    target: object, scores: object, classes: Any, what: str
) -> tuple[Numbers, NDArray[np.floating], tuple[Any, ...]]:
    """Return class numbers (n,), scores (n, k), or (n, 1) of the second of two classes, and the classes.

    Raises ValueError for another number of rows or of columns, nan and inf, and fewer than two classes.
    """
    check_on_host("target", target)
    cells, given = np.asarray(target), as_host(what, scores)
    if given.dtype.kind != "f":
        given = given.astype(np.float64)
    check_finite(what, given)
    columns = given[:, None] if given.ndim == 1 else given
    if cells.ndim != 1 or columns.ndim != 2 or len(cells) != len(columns):
        raise ValueError(
            f"target must have shape (n,) and {what} (n,) or (n, k), got {cells.shape} and {given.shape}."
        )
    _check_rows(cells)
    numbers, known = numbered(cells, classes)
    different_classes(what, known)
    if columns.shape[1] != len(known) and (len(known), columns.shape[1]) != (2, 1):
        columns_of_classes = (
            f"{counted(columns.shape[1], 'column')} for {counted(len(known), 'class', 'classes')}"
        )
        raise ValueError(
            f"{what} has {columns_of_classes}: give a column for each class, or that of the second of two, "
            f"and name all classes: classes=."
        )
    return numbers, columns, known


def values(target: object, predicted: object) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both as values (n, t) float64; raise ValueError for shapes that differ, no rows, nan, inf."""
    return pair(_column_of_numbers("target", target), _column_of_numbers("predicted", predicted), axes=2)


def _column_of_numbers(name: str, given: object) -> NDArray[np.float64]:
    array = as_host(name, given).astype(np.float64)
    check_finite(name, array)
    return array[:, None] if array.ndim == 1 else array


def _check_rows(array: HostArray) -> None:
    if 0 in array.shape:
        raise ValueError(f"there is nothing to score: the shape is {array.shape}. Give one row or more.")

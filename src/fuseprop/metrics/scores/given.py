"""What scores are computed of, checked: classes as numbers, labels, probabilities and values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backend import HostArray
from ...checks.arrays import as_host, check_finite
from ...checks.quoting import counted, literal
from .cells import cells, joined, same_kind

Numbers = NDArray[np.int64]


def pair(target: object, predicted: object, axes: int = 1) -> tuple[HostArray, HostArray]:
    """Return both as arrays; raise ValueError unless of one kind, one shape of so many axes, with rows."""
    (true, kind), (other, kind_of_other) = cells("target", target), cells("predicted", predicted)
    same_kind(("target", "predicted"), (kind, kind_of_other))
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
    numbers, known = numbered(joined(true, other), classes)
    return numbers[:n], numbers[n:], known


def numbered(found: HostArray, classes: Any = None) -> tuple[Numbers, tuple[Any, ...]]:
    """Return the number of the class of each cell (n,), and the classes: those given, or the different cells.

    Raises ValueError for a cell that is none of the classes given, for classes that are no sequence, none,
    or the same, and for cells that have no order.
    """
    known = None if classes is None else _classes(classes, found)
    both = found if known is None else joined(known, found)
    try:
        different, numbers = np.unique(both, return_inverse=True)
    except TypeError as error:
        raise ValueError(
            f"classes are told apart by their order, and these have none: {error}. Give them as text."
        ) from error
    numbers = numbers.astype(np.int64, copy=False)
    if known is None:
        return numbers, tuple(different.tolist())
    k, named = len(known), known.tolist()
    place = np.full(len(different), k)
    place[numbers[:k]] = np.arange(k)
    if len(set(numbers[:k].tolist())) < k:
        twice = int(np.argmax(place[numbers[:k]] != np.arange(k)))
        raise ValueError(f"classes holds {literal(named[twice])} more than once: name each class once.")
    of_rows = place[numbers[k:]]
    if (of_rows == k).any():
        row = int(np.argmax(of_rows))
        cell = found[row : row + 1].tolist()[0]
        raise ValueError(f"{literal(cell)} is none of the classes {literal(named)}: name them all.")
    return of_rows, tuple(named)


def _classes(classes: Any, found: HostArray) -> HostArray:
    """Return the classes given as an array (k,), of the kind of the cells found."""
    known, kind = cells("classes", classes)
    if known.ndim != 1 or not known.size:
        raise ValueError(f"classes must name one class or more in a sequence, got {literal(classes)}.")
    same_kind(("target", "classes"), (cells("target", found)[1], kind))
    return known


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
        if not ((array == 0) | (array == 1)).all():
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
    true, given = cells("target", target)[0], as_host(what, scores)
    if given.dtype.kind != "f":
        given = given.astype(np.float64)
    check_finite(what, given)
    columns = given[:, None] if given.ndim == 1 else given
    if true.ndim != 1 or columns.ndim != 2 or len(true) != len(columns):
        raise ValueError(
            f"target must have shape (n,) and {what} (n,) or (n, k), got {true.shape} and {given.shape}."
        )
    _check_rows(true)
    numbers, known = numbered(true, classes)
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

"""Target columns: the classes in a column, and checks that columns hold the values that a task needs."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..checks.quoting import literal
from .errors import DataError, listed
from .share import WHOLE, Share
from .spelling import EXACT_LIMIT, number

Class: TypeAlias = str | int | float
"""A class: its name, or a number."""


class Named(Protocol):
    """What a message needs of a `Table`: where it comes from, what its targets are called, its share."""

    @property
    def source(self) -> str:
        """A file's path, or words for it."""

    @property
    def target_names(self) -> tuple[str, ...]:
        """A name for each target column."""

    @property
    def share(self) -> Share:
        """The share of the source that its rows are."""

    def first_where(self, which: NDArray[np.bool_], values: HostArray) -> tuple[int, Any] | None:
        """The number in the source and the value of the first row of all processes where it is so."""


def classes_of(column: HostArray, share: Share = WHOLE) -> tuple[Class, ...]:
    """Return the different values of a column in ascending order; whole numbers as int.

    Each process has the values (N,) of its share, perhaps none; they all return the classes of all rows.
    """
    different = share.different(column)
    if different.dtype.kind != "U" and are_whole(different):
        return tuple(int(value) for value in different)
    return tuple(different.tolist())


def as_texts(column: HostArray, share: Share = WHOLE) -> HostArray:
    """Return a column (N,) of classes as text: 3.0, 3 and "3" are the same class.

    A number has a decimal point where one of all rows has one.
    """
    if column.dtype.kind == "U":
        return column
    different, codes = np.unique(column, return_inverse=True)
    whole = share.all(are_whole(different))
    return np.array([str(int(one) if whole else one) for one in different.tolist()], np.str_)[codes]


def are_whole(values: HostArray) -> bool:
    """Whether all numbers are whole, and so small that float64 holds them exactly."""
    return bool((values == np.round(values)).all() and (np.abs(values) < EXACT_LIMIT).all())


def text_columns(targets: HostArray, table: Named) -> dict[str, str]:
    """Return the names of the columns of targets (N, t) of text that hold other texts than numbers.

    Each has its first such text of all rows. If all texts are numbers, all columns are returned, with their
    first ones.
    """
    texts: dict[str, str] = {}
    firsts: dict[str, str] = {}
    for name, column in zip(table.target_names, targets.T, strict=True):
        different, codes = np.unique(column, return_inverse=True)
        other = np.array([number(text) is None for text in different.tolist()], bool)[codes]
        for which, found in ((other, texts), (np.ones_like(other), firsts)):
            first = table.first_where(which, column)
            if first is not None:
                found[name] = str(first[1])
    return texts or firsts


def require_numbers(targets: HostArray, table: Named) -> HostArray:
    """Return the targets (N, t) of a table unchanged; raise DataError for text."""
    if targets.dtype.kind == "U":
        advice = ""
        if table.share.all(all(number(text) is not None for text in np.unique(targets).tolist())):
            advice = ' Where such texts are numbers: --target-as numbers, or target_as="numbers" in Python.'
        texts = text_columns(targets, table)
        raise DataError(
            f"{table.source}: expected numbers in the target {listed(list(texts))}, got text such as "
            f"{literal(next(iter(texts.values())))}.{advice}"
        )
    return targets


def require_zero_one(targets: HostArray, table: Named) -> None:
    """Raise DataError, with the first position, if targets (N, t) of all rows are not all 0 or 1."""
    bad: NDArray[np.bool_] = ~np.isin(require_numbers(targets, table), (0, 1))
    found = table.first_where(np.logical_or.reduce(bad, axis=1), targets)
    if found is not None:
        row, values = found
        column = int(np.argmax(~np.isin(values, (0, 1))))
        raise DataError(
            f"{table.source}: row {row}, target {literal(table.target_names[column])}: labels must be 0 or "
            f"1, got {values[column]:g}."
        )


def one_hot_labels(targets: HostArray, table: Named) -> NDArray[np.int64]:
    """Return the index (N,) of the single 1 in each row of targets (N, t).

    Raises DataError where one of all rows has another number of them.
    """
    require_zero_one(targets, table)
    sums = targets.sum(axis=1)
    found = table.first_where(sums != 1, sums)
    if found is not None:
        row, ones = found
        raise DataError(
            f"{table.source}: the task exclusive over several columns needs one 1 a row; row {row} has "
            f"{ones:g}. For labels that do not exclude each other use the task multi-label."
        )
    labels: NDArray[np.int64] = np.argmax(targets, axis=1)
    return labels

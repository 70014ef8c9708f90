"""Target columns: the classes in a column, and checks that columns hold the values that a task needs."""

from __future__ import annotations

from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..checks.quoting import literal
from .errors import DataError, listed
from .spelling import EXACT_LIMIT, number

Class: TypeAlias = str | int | float
"""A class: its name, or a number."""


class Named(Protocol):
    """What a message needs of a `Table`: where it comes from, and what its targets are called."""

    @property
    def source(self) -> str:
        """A file's path, or words for it."""

    @property
    def target_names(self) -> tuple[str, ...]:
        """A name for each target column."""

    def row_number(self, row: int) -> int:
        """The number in the source of a row, which counts from 1."""


def classes_of(column: HostArray) -> tuple[Class, ...]:
    """Return the different values of a column (N,) in ascending order; whole numbers as int."""
    different = np.unique(column)
    if different.dtype.kind != "U" and are_whole(different):
        return tuple(int(value) for value in different)
    return tuple(different.tolist())


def as_texts(column: HostArray) -> HostArray:
    """Return a column (N,) of classes as text: 3.0, 3 and "3" are the same class."""
    if column.dtype.kind == "U":
        return column
    different, codes = np.unique(column, return_inverse=True)
    return np.array([str(name) for name in classes_of(different)])[codes]


def are_whole(values: HostArray) -> bool:
    """Whether all numbers are whole, and so small that float64 holds them exactly."""
    return bool((values == np.round(values)).all() and (np.abs(values) < EXACT_LIMIT).all())


def text_columns(targets: HostArray, table: Named) -> dict[str, str]:
    """Return the names of the columns of targets (N, t) of text that hold other texts than numbers.

    Each has its first such text. If all texts are numbers, all columns are returned, with their first ones.
    """
    found = {}
    for name, column in zip(table.target_names, targets.T, strict=True):
        different = [text for text in dict.fromkeys(column.tolist()) if number(text) is None]
        if different:
            found[name] = different[0]
    return found or dict(zip(table.target_names, targets[0].tolist(), strict=True))


def require_numbers(targets: HostArray, table: Named) -> HostArray:
    """Return the targets (N, t) of a table unchanged; raise DataError for text."""
    if targets.dtype.kind == "U":
        advice = ""
        if all(number(text) is not None for text in np.unique(targets).tolist()):
            advice = ' Where such texts are numbers: --target-as numbers, or target_as="numbers" in Python.'
        texts = text_columns(targets, table)
        raise DataError(
            f"{table.source}: expected numbers in the target {listed(list(texts))}, got text such as "
            f"{literal(next(iter(texts.values())))}.{advice}"
        )
    return targets


def require_zero_one(targets: HostArray, table: Named) -> None:
    """Raise DataError, with the first position, if targets (N, t) are not all 0 or 1."""
    bad = ~np.isin(require_numbers(targets, table), (0, 1))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"{table.source}: row {table.row_number(int(row))}, target "
            f"{literal(table.target_names[column])}: labels must be 0 or 1, got {targets[row, column]:g}."
        )


def one_hot_labels(targets: HostArray, table: Named) -> NDArray[np.int64]:
    """Return the index (N,) of the single 1 in each row of targets (N, t); raise DataError for others."""
    require_zero_one(targets, table)
    sums = targets.sum(axis=1)
    if (sums != 1).any():
        row = int(np.argmax(sums != 1))
        raise DataError(
            f"{table.source}: the task exclusive over several columns needs one 1 a row; row "
            f"{table.row_number(row)} has {sums[row]:g}. For labels that do not exclude each other use the "
            f"task multi-label."
        )
    labels: NDArray[np.int64] = np.argmax(targets, axis=1)
    return labels

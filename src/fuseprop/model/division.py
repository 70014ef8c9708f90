"""Which rows of a table a model learns from, is validated on and is tested on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..backend import HostArray
from ..checks.quoting import literal
from ..data import DataError, Table
from ..training.held_out import rotations_of_all, split_of_all
from ..training.rows import Index, rotate, split_rows
from ..world import ALONE, Processes
from .settings import Settings

Rows = NDArray[np.int64]

Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class Division:
    """The parts of a table by the numbers of their rows, which are a process's own where there are several.

    Attributes
    ----------
    pairs : tuple of pairs of (n,) int64
        For each network the rows that it learns from, and those that it is validated on.
    test : (n,) int64
        The test rows.
    learned, held_out : (n,) int64
        The rows that any network learns from, or is validated on, in ascending order.
    counts : mapping of str to int
        How many rows there are of each part in all processes: "all", "learned", "held out", "test", and
        "first learned" and "first held out" of the first network.
    """

    pairs: tuple[tuple[Rows, Rows], ...]
    test: Rows
    learned: Rows
    held_out: Rows
    counts: dict[str, int]


def divide(
    table: Table,
    labels: HostArray | None,
    settings: Settings,
    rng: np.random.Generator,
    test_rows: Rows | None = None,
) -> Division:
    """Return a division of a table: test rows first, then for each network what it holds out of the rest.

    One network learns from what remains. Several networks hold out different rows (see `rotate`). All splits
    are stratified by class.

    Parameters
    ----------
    table : Table
    labels : (N,), optional
        The classes of its rows.
    settings : Settings
    rng : numpy.random.Generator
        In the same state in all processes.
    test_rows : (n,) int64, optional
        As `checked_test_rows` returns them, instead of a share that is drawn.

    Raises DataError for too few rows.
    """
    drawing = _Drawing(table.world, rng, labels)
    rest, test = np.arange(len(table)), test_rows
    if test is None:
        rest, test = drawing.split(rest, settings.test, "test")
    else:
        rest = np.setdiff1d(rest, test, assume_unique=True)
    pairs = drawing.pairs(rest, settings.validation, settings.members)
    learned, held_out = (np.unique(np.concatenate(rows)) for rows in zip(*pairs, strict=True))
    parts = {
        "all": np.arange(len(table)),
        "learned": learned,
        "held out": held_out,
        "test": test,
        "first learned": pairs[0][0],
        "first held out": pairs[0][1],
    }
    totals = table.world.total([len(rows) for rows in parts.values()]).tolist()
    return Division(pairs, test, learned, held_out, dict(zip(parts, totals, strict=True)))


def checked_test_rows(rows: ArrayLike, table: Table) -> Rows:
    """Return the numbers of test rows in ascending order; raise DataError unless some rows are left."""
    if table.world is not ALONE:
        raise DataError(f"{table.source}: test rows are drawn where several processes train. Leave them out.")
    numbers = np.sort(np.asarray(rows))
    different = numbers.ndim == 1 and numbers.dtype.kind in "iu" and (np.diff(numbers) > 0).all()
    if not different or not 0 < numbers.size < len(table) or numbers[0] < 0 or numbers[-1] >= len(table):
        raise DataError(
            f"{table.source}: test rows are different whole numbers from 0 to {len(table) - 1}, not all of "
            f"them; got {literal(rows)}."
        )
    return numbers.astype(np.int64)


class _Drawing:
    """Rows drawn at random: by one process of its own, or by several of all."""

    def __init__(self, world: Processes, rng: np.random.Generator, labels: HostArray | None) -> None:
        self._world, self._rng, self._labels = world, rng, labels

    def split(self, rows: Rows, share: float, what: str) -> tuple[Rows, Rows]:
        """Return the rows that stay and those held out."""
        if share == 0:
            return rows, rows[:0]
        labels = self._labels_of(rows)

        def drawn() -> tuple[Index, Index]:
            if self._world is ALONE:
                return split_rows(self._rng, len(rows), share, labels)
            return split_of_all(self._world, self._rng, len(rows), share, labels)

        kept, held_out = _enough(what, drawn)
        return rows[kept], rows[held_out]

    def pairs(self, rows: Rows, share: float, members: int) -> tuple[tuple[Rows, Rows], ...]:
        """Return for each network the rows that it learns from, and those held out from it, perhaps none."""
        if members == 1 or share == 0:
            return (self.split(rows, share, "validation"),) * members
        labels = self._labels_of(rows)

        def drawn() -> list[Index]:
            if self._world is ALONE:
                return rotate(self._rng, len(rows), share, members, labels)
            return rotations_of_all(self._world, self._rng, len(rows), share, members, labels)

        parts = _enough("validation", drawn)
        return tuple((np.delete(rows, part), rows[part]) for part in parts)

    def _labels_of(self, rows: Rows) -> HostArray | None:
        return None if self._labels is None else self._labels[rows]


def _enough(what: str, draw: Callable[[], Drawn]) -> Drawn:
    """Return what is drawn; raise DataError for too few rows."""
    try:
        return draw()
    except ValueError as error:
        raise DataError(f"cannot hold out {what} rows: {error} A share of 0 holds out none.") from error

"""Rows held out at random of all that several processes hold: each finds out which of its own are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..world import Processes
from .keys import MOST_KEY, drawn_key, keys_of_rows
from .rows import Index, cannot_hold_out, shares_of_classes


class RandomOrder:
    """All rows in a random order, class by class, and where in it those of this process are.

    Parameters
    ----------
    world : Processes
    rng : numpy.random.Generator
        In the same state in all processes.
    rows : int
        How many rows this process holds.
    classes : (rows,), optional
        Their classes; without any, all rows are of one.

    Attributes
    ----------
    sizes : (classes,) int64
        How many rows there are of each class, in all processes.
    """

    def __init__(
        self, world: Processes, rng: np.random.Generator, rows: int, classes: HostArray | None = None
    ) -> None:
        self._world = world
        first = sum(world.gathered(rows)[: world.rank])
        self._keys = keys_of_rows(drawn_key(rng), first, first + rows)
        own = np.zeros(rows, np.int64) if classes is None else classes
        names = np.unique(np.concatenate(world.gathered(np.unique(own))))
        self._codes = np.searchsorted(names, own)
        self.sizes = world.total(np.bincount(self._codes, minlength=len(names)))
        self._sorted = [np.sort(self._keys[self._codes == code]) for code in range(len(names))]

    def between(self, begin: HostArray, end: HostArray) -> NDArray[np.bool_]:
        """Return which of this process's rows stand there, (rows,): from `begin` to `end` of each class.

        Both (classes,), `end` beyond a class's size where it goes on from the beginning.
        """
        first, last = self._limits(begin), self._limits(np.where(end > self.sizes, end - self.sizes, end))
        behind, before = self._keys >= first[self._codes], self._keys < last[self._codes]
        turns = (end > self.sizes)[self._codes]
        found: NDArray[np.bool_] = np.where(turns, behind | before, behind & before)
        return found

    def _limits(self, ranks: HostArray) -> NDArray[np.int64]:
        """Return for each class the least number below which so many of its keys are, by bisection."""
        low, high = np.zeros(len(ranks), np.int64), np.full(len(ranks), MOST_KEY, np.int64)
        while (low < high).any():
            middle = low + (high - low) // 2
            own = [np.searchsorted(keys, limit) for keys, limit in zip(self._sorted, middle, strict=True)]
            enough = self._world.total(np.array(own, np.int64)) >= ranks
            high = np.where(enough, middle, high)
            low = np.where(enough | (low >= high), low, middle + 1)
        return high


def split_of_all(
    world: Processes, rng: np.random.Generator, rows: int, fraction: float, classes: HostArray | None = None
) -> tuple[Index, Index]:
    """Return which of its `rows` this process keeps, and which it holds out, in ascending order.

    Of all processes' rows together the share is that of `split_rows`, which says what it raises.
    """
    order = RandomOrder(world, rng, rows, classes)
    taken = shares_of_classes(order.sizes, fraction, by_class=classes is not None)
    held_out = order.between(np.zeros_like(taken), taken)
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def rotations_of_all(
    world: Processes,
    rng: np.random.Generator,
    rows: int,
    fraction: float,
    turns: int,
    classes: HostArray | None = None,
) -> list[Index]:
    """Return which of its `rows` this process holds out in each of several turns, in ascending order.

    Of all processes' rows each turn holds out the share that follows what the turn before it held out, class
    by class, as `rotate` does, which says what it raises.
    """
    order = RandomOrder(world, rng, rows, classes)
    count = int(order.sizes.sum())
    wanted = round(fraction * count)
    if not 0 < wanted < count:
        raise cannot_hold_out(count, fraction, wanted)
    ends = np.round(np.arange(turns + 1)[:, None] * (wanted / count) * order.sizes).astype(np.int64)
    lengths = np.diff(ends, axis=0)
    begins = ends[:-1] % order.sizes
    return [
        np.flatnonzero(order.between(begin, begin + length))
        for begin, length in zip(begins, lengths, strict=True)
    ]

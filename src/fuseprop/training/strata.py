"""The batches of an epoch over rows that several processes hold: each draws for its own rows alone.

A batch of B rows takes one row of each of B equal parts of all rows, the strata: an epoch is a permutation
of each stratum (stratified sampling without replacement: W. G. Cochran, Sampling Techniques, 1977, chapter
5). So a process that holds a run of rows has as many rows of every batch, but for one at each end of its run,
and neither batches nor orders depend on how many processes there are.

A permutation is the order of random keys, one for each row: see `keys`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..world import Processes
from .keys import MOST_KEY, keys_of_rows

KEPT = 2
"""So many epochs' places are kept: of the one that runs, and of the next, which a GPU is sent meanwhile."""


@dataclass(frozen=True)
class Places:
    """A process's places in the batches of an epoch, batch after batch.

    Attributes
    ----------
    rows : (places,) int64
        The numbers of the process's own rows; that of another row where a place is empty.
    taken : (places,) bool
        Whether a place is taken; a row in an empty one is not to count.
    """

    rows: NDArray[np.int64]
    taken: NDArray[np.bool_]


class Strata:
    """The batches of all processes, and the places that this process has in them.

    Parameters
    ----------
    world : Processes
    rows : int
        How many rows this process holds, perhaps none: a run of all rows, in the order of ranks.
    batch_size : int
        Of all processes together.
    shuffles : bool
        Whether strata are permuted; otherwise each batch takes the next row of each.

    Attributes
    ----------
    count : int
        How many rows there are in all.
    first : int
        How many of them stand before those of this process.
    sizes : (batches,) int64
        The rows of each batch, in all processes together: `batch_size`, and what is left in the last.
    each, in_last : int
        How many places this process has in each batch but the last, and in the last; at least 1.

    Raises ValueError where there is no row.
    """

    def __init__(self, world: Processes, rows: int, batch_size: int, *, shuffles: bool) -> None:
        counts = world.gathered(rows)
        self.world, self._rows, self._shuffles = world, rows, shuffles
        self.count, self.first = sum(counts), sum(counts[: world.rank])
        if not self.count:
            raise ValueError("no process has a row to learn from.")
        size = min(batch_size, self.count)
        self.batches = -(-self.count // size)
        self.sizes = np.minimum(size, self.count - size * np.arange(self.batches))
        bounds = np.arange(size + 1) * self.count // size
        begin, end = self.first, self.first + rows
        own = slice(
            int(np.searchsorted(bounds, begin, "right")) - 1 if rows else 0,
            int(np.searchsorted(bounds, end, "left")) if rows else 0,
        )
        self._starts = bounds[own]  # of the strata in which this process has rows
        self._lengths = np.diff(bounds)[own]
        self._is_full = self._lengths == self.batches
        self.each = max(1, len(self._starts))
        self.in_last = max(1, int(self._is_full.sum()))
        if self.batches == 1:
            self.each = self.in_last
        self._kept: dict[bytes, Places] = {}

    @property
    def places(self) -> int:
        """How many places this process has in an epoch."""
        return self.each * (self.batches - 1) + self.in_last

    def __call__(self, key: HostArray) -> Places:
        """Return the places in the epoch of this key, (2,)."""
        name = key.tobytes()
        if name not in self._kept:
            if len(self._kept) == KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[name] = self._drawn(key)
        return self._kept[name]

    def _drawn(self, key: HostArray) -> Places:
        order = self._permuted(key)  # (strata, batches): which of its rows each stratum gives to a batch
        own = self._starts[:, None] + order - self.first
        there = (own >= 0) & (own < self._rows)
        before, last = slice(0, self.batches - 1), self.batches - 1
        full = self._is_full
        parts = [
            _laid_out(own[:, before].T, there[:, before].T, self.each),
            _laid_out(own[None, full, last], there[None, full, last], self.in_last),
        ]
        rows, taken = (np.concatenate(each) for each in zip(*parts, strict=True))
        return Places(rows, taken)

    def _permuted(self, key: HostArray) -> NDArray[np.int64]:
        """Return the order of rows within each of this process's strata, (strata, batches).

        The last one is none where a stratum has no row for the last batch.
        """
        shape = len(self._starts), self.batches
        if not self._shuffles or not shape[0]:
            return np.broadcast_to(np.arange(self.batches), shape)
        begin, end = int(self._starts[0]), int(self._starts[-1] + self._lengths[-1])
        keys = np.full(shape, MOST_KEY, np.int64)
        keys[np.arange(self.batches) < self._lengths[:, None]] = keys_of_rows(key, begin, end)
        # Of equal keys the first row goes first, on every processor.
        return np.argsort(keys, axis=1, kind="stable")


def _laid_out(
    rows: NDArray[np.int64], there: NDArray[np.bool_], width: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return rows (batches, strata), of which some are not `there`, as places, at least `width` a batch.

    In an empty place stands a row of the same batch, or of another one where the batch has none.
    """
    if rows.shape[1] < width:
        return np.zeros(len(rows) * width, np.int64), np.zeros(len(rows) * width, np.bool_)
    first: NDArray[np.intp] = np.argmax(there, axis=1)
    of_batch = np.where(there.any(axis=1), np.take_along_axis(rows, first[:, None], axis=1)[:, 0], 0)
    return np.where(there, rows, of_batch[:, None]).ravel(), there.ravel()

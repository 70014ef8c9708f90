"""Shares: the rows that each of several processes has of a table, and what is true of the rows of all."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..world import ALONE, Processes
from .cells import Source

MOST_EXCHANGED = 1 << 20
"""About so many numbers of all processes are compared at once: 8 MiB in each of them."""


@dataclass(frozen=True)
class Share:
    """A process's rows of a table, behind those of all processes of lower rank; perhaps none.

    Its methods are collective, and return the same in all processes. Rows are numbered over all of them.

    Attributes
    ----------
    world : Processes
    first : int
        The number of the share's first row.
    """

    world: Processes = ALONE
    first: int = 0

    @classmethod
    def of(cls, world: Processes, rows: int) -> Share:
        """Return this process's share where it has so many rows."""
        return cls(world, sum(world.gathered(rows)[: world.rank]))

    def total(self, count: int) -> int:
        """Return how many there are in all processes."""
        return int(self.world.total(count))

    def any(self, found: bool | np.bool_) -> bool:
        """Whether it is so in a process."""
        return self.total(int(found)) > 0

    def all(self, found: bool | np.bool_) -> bool:
        """Whether it is so in every process."""
        return not self.any(not found)

    def first_where(
        self, which: NDArray[np.bool_], values: HostArray, rows: NDArray[np.integer] | None = None
    ) -> tuple[int, Any, int] | None:
        """Return the number of the first row where it is so, its value, and how many such rows there are.

        None where there is none. `which` and `values` (n,) are of the `rows` (n,) of the share, counted from
        its first one; of all its rows by default.
        """
        count, own = int(np.count_nonzero(which)), None
        if count:
            place = int(np.argmax(which))
            own = self.first + (place if rows is None else int(rows[place])), values[place], count
        found = [one for one in self.world.gathered(own) if one is not None]
        if not found:
            return None
        row, value, _ = found[0]
        return row, value, sum(count for *_, count in found)

    def only_value(self, values: NDArray[np.float64]) -> float | None:
        """Return the value that all rows have, perhaps nan; None where they have several."""
        own = None
        if len(values):
            first = float(values[0])
            same = np.isnan(values) if np.isnan(first) else values == first
            own = first, bool(same.all())
        found = [one for one in self.world.gathered(own) if one is not None]
        different = {None if np.isnan(first) else first for first, _ in found}
        return found[0][0] if len(different) == 1 and all(same for _, same in found) else None

    def ends(self, values: NDArray[np.float64]) -> tuple[float, float]:
        """Return the least and the greatest of the numbers of all rows, none of which is nan."""
        low, high = values.min(initial=np.inf), values.max(initial=-np.inf)
        return float(self.world.least(low)), float(self.world.greatest(high))

    def few_of(self, values: HostArray, most: int) -> HostArray:
        """Return the different values of all rows in ascending order; if more than `most`, not all of them.

        Then there are still more than `most`.
        """
        own = np.unique(values)[: most + 1]
        return own if self.world.size == 1 else np.unique(np.concatenate(self.world.gathered(own)))

    def different(self, values: HostArray) -> HostArray:
        """Return the different values of all rows in ascending order; all processes get all of them."""
        own = np.unique(values)
        return own if self.world.size == 1 else np.unique(np.concatenate(self.world.gathered(own)))

    def all_differ(self, values: NDArray[np.float64]) -> bool:
        """Whether all numbers of all rows, none of them nan, differ from each other.

        Processes compare them part by part where their ranges overlap, so that none holds all.
        """
        own = np.unique(values)
        if self.any(len(own) < len(values)):
            return False
        ends = self.world.gathered((own[0], own[-1]) if len(own) else None)
        ranges = sorted(one for one in ends if one is not None)
        if all(one[1] < other[0] for one, other in pairwise(ranges)):
            return True
        parts = -(-self.total(len(own)) // MOST_EXCHANGED)
        part = _scattered(own) % np.uint64(parts)
        for k in range(parts):
            found = np.concatenate(self.world.gathered(own[part == k]))
            if len(np.unique(found)) < len(found):
                return False
        return True


WHOLE = Share()
"""All rows, of a process that is alone."""


def share_of(source: Source) -> Share:
    """Return the share of a source whose cells were read."""
    return Share(source.world, source.first)


def _scattered(numbers: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return numbers (n,) as whole ones without order, the same for the same."""
    bits = (numbers + 0.0).view(np.uint64)  # -0.0 is 0.0 then
    # The last bits of a product depend on the last bits of a number alone, which are 0 where it is whole.
    return (bits * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)

"""What the core asks of the processes that train together; one that is alone answers by itself.

Every method but `rows` is collective: all processes call it, in the same order, or all wait.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Value = TypeVar("Value")


class Processes(Protocol):
    """The processes that train together, as one of them sees them.

    Attributes
    ----------
    rank : int
        The number of this process, from 0.
    size : int
        How many processes there are.
    """

    rank: int
    size: int

    def add(self, array: NDArray[Any]) -> None:
        """Replace a contiguous array of numbers by its sum over all processes, in place, alike in all.

        Arrays have the same shape and dtype in all.
        """

    def total(self, values: ArrayLike) -> NDArray[Any]:
        """Return the sum over all processes, element by element; integers stay integers."""

    def least(self, values: ArrayLike) -> NDArray[Any]:
        """Return the least value of all processes, element by element; none is nan."""

    def greatest(self, values: ArrayLike) -> NDArray[Any]:
        """Return the greatest value of all processes, element by element; none is nan."""

    def gathered(self, value: Value) -> list[Value]:
        """Return the values of all processes, by rank, to each of them; anything that can be pickled."""

    def at_first(self, value: Value) -> list[Value]:
        """Return the values of all processes, by rank, to process 0; none to the others."""

    def of_first(self, value: Value) -> Value:
        """Return the value of process 0."""

    def rows(self, count: int) -> slice:
        """Return this process's part of `count` rows, which are divided evenly, in the order of ranks."""


class Alone:
    """A process that is alone: what it has is what all have."""

    rank, size = 0, 1

    def add(self, array: NDArray[Any]) -> None:
        """See `Processes`."""

    def total(self, values: ArrayLike) -> NDArray[Any]:
        """See `Processes`."""
        return np.asarray(values)

    def least(self, values: ArrayLike) -> NDArray[Any]:
        """See `Processes`."""
        return np.asarray(values)

    def greatest(self, values: ArrayLike) -> NDArray[Any]:
        """See `Processes`."""
        return np.asarray(values)

    def gathered(self, value: Value) -> list[Value]:
        """See `Processes`."""
        return [value]

    def at_first(self, value: Value) -> list[Value]:
        """See `Processes`."""
        return [value]

    def of_first(self, value: Value) -> Value:
        """See `Processes`."""
        return value

    def rows(self, count: int) -> slice:
        """See `Processes`."""
        return slice(0, count)


ALONE: Processes = Alone()
"""Where nothing is said of other processes."""


def part(rank: int, size: int, count: int) -> slice:
    """Return a process's part of `count` things, in the order of ranks; parts differ by one at most."""
    each, more = divmod(count, size)
    start = rank * each + min(rank, more)
    return slice(start, start + each + (rank < more))

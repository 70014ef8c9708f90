"""What the host wants to know of an epoch: one array on the device, to be read in one piece."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Generic, NamedTuple

from .backend import A, AnyBackend, Array, HostArray


class Results(NamedTuple, Generic[A]):
    """The parts of the array for n rows, m held-out rows and L layers whose norms are measured.

    Attributes
    ----------
    losses, hits : (n,)
        Of the rows in the order of the epoch.
    held_out : (2 m,)
        Losses and then hits: see `Evaluation`.
    square : (1,)
        The sum of squares of all parameters: where it is finite, they all are.
    norms : (2 L,)
        See `LayerNorms`.
    """

    losses: A
    hits: A
    held_out: A
    square: A
    norms: A


class EpochResults:
    """The array, for `rows` rows, `held_out` held-out rows and `layers` layers whose norms are measured.

    Attributes
    ----------
    on_device : Results
        Views of it, to be written to.
    """

    def __init__(self, backend: AnyBackend, *, rows: int, held_out: int, layers: int) -> None:
        self._backend = backend
        self._ends = list(accumulate((rows, rows, 2 * held_out, 1, 2 * layers), initial=0))
        self._array = backend.zeros((self._ends[-1],))
        self.on_device: Results[Array] = Results(*(self._array[a:b] for a, b in pairwise(self._ends)))

    def read(self) -> Results[HostArray]:
        """Return copies on the host, which waits for the device."""
        host = self._backend.to_host(self._array)
        return Results(*(host[a:b] for a, b in pairwise(self._ends)))

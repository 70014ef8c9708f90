"""Forward passes over any number of rows, chunk by chunk, for evaluation, prediction and L-BFGS alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..backend import AnyBackend, Array
from ..backend.seam import option
from ..layers.stack import Stack
from .features import Fetch
from .step import Batch, Buffers, bytes_of_a_row


class Chunk(NamedTuple):
    """Rows that a forward pass has taken, and its output.

    Attributes
    ----------
    rows : slice
        Which of all rows these are; n of them.
    batch : Batch
        Their buffers.
    x : Array, (n, d)
    output : Array, (n, k)
        The last layer's, before the loss's link.
    """

    rows: slice
    batch: Batch
    x: Array
    output: Array


class Forward:
    """Forward passes of `count` rows through a stack.

    Parameters
    ----------
    fetch : Fetch
        Where the rows come from.
    count : int
        How many rows there are.
    backward : bool
        Whether all layers have gradient buffers, for a backward pass; otherwise the last one alone, for the
        loss. Those beside the last do not count among `chunk_bytes`.
    """

    def __init__(
        self, backend: AnyBackend, stack: Stack, fetch: Fetch, count: int, *, backward: bool = False
    ) -> None:
        self._backend, self._stack, self._fetch, self._count = backend, stack, fetch, count
        capacity = rows_of_a_chunk(backend, stack, count)
        self._buffers = Buffers(backend, stack, capacity, backward=backward)

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows from first to last; each chunk overwrites the buffers of the one before."""
        for start in range(0, self._count, self._buffers.capacity):
            stop = min(start + self._buffers.capacity, self._count)
            batch = self._buffers.batch(stop - start)
            x = self._fetch(start, batch.x)
            output = self._stack.forward(self._backend, x, batch.outputs, sums=batch.sums)
            yield Chunk(slice(start, stop), batch, x, output)


def rows_of_a_chunk(backend: AnyBackend, stack: Stack, count: int) -> int:
    """Return how many rows a chunk has: as many as fit into the backend's `chunk_bytes`, and at least 1."""
    room: int = option(backend, "chunk_bytes")
    return max(1, min(count, room // bytes_of_a_row(backend, stack, backward=False)))

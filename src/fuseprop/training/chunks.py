"""Rows taken chunk by chunk, in smaller chunks where the device has no room for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..backend import AnyBackend, OutOfMemory
from ..backend.seam import option
from ..layers.stack import Stack
from .out_of_memory import release
from .step import bytes_of_a_row


def chunks(count: int, most: int) -> Iterator[slice]:
    """Yield slices of so many rows, first to last, each of `most` but the last."""
    for start in range(0, count, most):
        yield slice(start, min(start + most, count))


def rows_of_a_chunk(backend: AnyBackend, stack: Stack, count: int) -> int:
    """Return how many rows a chunk has: as many as fit into the backend's `chunk_bytes`, and at least 1."""
    room: int = option(backend, "chunk_bytes")
    return max(1, min(count, room // bytes_of_a_row(backend, stack, backward=False)))


def in_chunks(count: int, most: int, take: Callable[[slice], object]) -> int:
    """Call ``take(rows)`` with slices of `count` rows, first to last, each of `most` but the last.

    Where memory runs out, a chunk is taken again with half the rows, and so are those after it; `take` must
    allow that, and hold no memory once it has raised. Raises OutOfMemory where one row has no room. Returns
    how many rows the chunks have at last.
    """
    start = 0
    while start < count:
        rows = slice(start, min(start + most, count))
        try:
            take(rows)
        except OutOfMemory as error:
            if most == 1:
                raise
            release(error)
            most //= 2
        else:
            start = rows.stop
    return most

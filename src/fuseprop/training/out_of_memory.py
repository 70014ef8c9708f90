"""Training that does not fit on its device: the batch size that would fit, and all memory freed."""

from __future__ import annotations

import gc
from collections.abc import Callable
from traceback import clear_frames
from typing import TypeVar

from ..backend import AnyBackend, HostArray, OutOfMemory
from ..layers.stack import Stack
from .step import Batch, Buffers, bytes_of_a_row

Outcome = TypeVar("Outcome")

SPARE = 16
"""1 / SPARE of the free memory is left for partial sums and for what libraries allocate at their start."""


def freeing_on_failure(train: Callable[[], Outcome]) -> Outcome:
    """Return ``train()``; where it raises OutOfMemory, free the device's memory before raising it again.

    An exception holds the frames that it came through, with their local variables, and an interactive session
    holds the last exception: the arrays that did fit would leave no room for the next, smaller attempt. So
    the error's traceback begins here, and those of its causes are cleared.
    """
    try:
        return train()
    except OutOfMemory as error:
        reported = error
    _clear_tracebacks(reported)
    gc.collect()
    reported.room()
    raise reported


def batches_of_epoch(backend: AnyBackend, stack: Stack, sizes: HostArray) -> list[Batch]:
    """Return an epoch's batches, of these sizes (batches,), in the same buffers; the first is of the largest.

    Called when everything else that training needs is allocated: where the batches do not fit beside it,
    OutOfMemory names the batch_size that would.
    """
    try:
        return _batches(backend, stack, sizes.tolist())
    except OutOfMemory as error:
        clear_frames(error.__traceback__)
        raise _naming_the_batch(error, backend, stack, int(sizes[0])) from error


def _clear_tracebacks(error: BaseException | None) -> None:
    while error is not None:
        clear_frames(error.__traceback__)
        error.__traceback__ = None
        error = error.__context__


def _batches(backend: AnyBackend, stack: Stack, sizes: list[int]) -> list[Batch]:
    buffers = Buffers(backend, stack, sizes[0], dropout=True)
    return [buffers.batch(size) for size in sizes]


def _naming_the_batch(error: OutOfMemory, backend: AnyBackend, stack: Stack, batch_size: int) -> OutOfMemory:
    free = error.room()
    of_a_row = bytes_of_a_row(backend, stack, dropout=True)
    fitting = (free - free // SPARE) // of_a_row
    advice = (
        f"batch_size={fitting} would fit."
        if 0 < fitting < batch_size
        else "Take fewer rows or a smaller network, or end other processes on that device."
    )
    return OutOfMemory(
        f"{backend.device} has no room for batch_size={batch_size}: at {of_a_row:,} bytes a row that takes "
        f"{batch_size * of_a_row / 2**20:,.1f} MiB, and {free / 2**20:,.1f} MiB are free beside the data and "
        f"the network. {advice}",
        error.asked,
        error.room,
    )

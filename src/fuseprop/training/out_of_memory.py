"""Training that does not fit on its device: the batch size that would, all memory freed, smaller batches."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from traceback import clear_frames
from typing import TypeVar

from ..backend import AnyBackend, HostArray, OutOfMemory
from ..callbacks.history import History
from ..checks.warning import warn_user
from ..layers.stack import Stack
from .beginning import Beginning
from .changed import SettingChanged
from .step import Batch, Buffers, bytes_of_a_row

Outcome = TypeVar("Outcome")

SPARE = 16
"""1 / SPARE of the free memory is left for partial sums and for what libraries allocate at their start."""


class BatchTooLarge(OutOfMemory):
    """The batches of an epoch have no room beside everything else.

    Attributes
    ----------
    fitting : int
        The batch size that would have room; 0 where not one row has.
    """

    def __init__(self, message: str, error: OutOfMemory, fitting: int) -> None:
        super().__init__(message, error.asked, error.room)
        self.fitting = fitting


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
    release(reported)
    raise reported


def halving_batches(
    train: Callable[[int, History], History],
    batch_size: int,
    rows: int,
    beginning: Beginning,
) -> History:
    """Return ``train(batch_size, history)``; where it has no room, begin again with half the batch.

    It is halved until it fits, and a warning says so. Raises OutOfMemory where not one of the `rows` fits,
    and where an epoch is complete since the beginning.
    """
    while True:
        history = History("")
        try:
            return freeing_on_failure(partial(train, batch_size, history))
        except OutOfMemory as error:
            fitting = error.fitting if isinstance(error, BatchTooLarge) else min(batch_size, rows) // 2
            if history.epochs > beginning.epochs or fitting == 0:
                raise
            beginning.restore()
        asked, device = batch_size, beginning.backend.device
        while batch_size > fitting:
            batch_size //= 2
        warn_user(
            f"{device} has no room for batch_size={asked}: training takes batch_size={batch_size} instead, "
            f"and the learning rate as it is.",
            SettingChanged,
        )


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


def release(error: OutOfMemory) -> None:
    """Free what the calls that an error has ended held on the device; its traceback is gone then."""
    each: BaseException | None = error
    while each is not None:
        clear_frames(each.__traceback__)
        each.__traceback__ = None
        each = each.__context__
    gc.collect()
    error.room()


def _batches(backend: AnyBackend, stack: Stack, sizes: list[int]) -> list[Batch]:
    buffers = Buffers(backend, stack, sizes[0], dropout=True)
    return [buffers.batch(size) for size in sizes]


def _naming_the_batch(
    error: OutOfMemory, backend: AnyBackend, stack: Stack, batch_size: int
) -> BatchTooLarge:
    free = error.room()
    of_a_row = bytes_of_a_row(backend, stack, dropout=True)
    fitting = (free - free // SPARE) // of_a_row
    advice = (
        f"batch_size={fitting} would fit."
        if 0 < fitting < batch_size
        else "Take fewer rows or a smaller network, or end other processes on that device."
    )
    return BatchTooLarge(
        f"{backend.device} has no room for batch_size={batch_size}: at {of_a_row:,} bytes a row that takes "
        f"{batch_size * of_a_row / 2**20:,.1f} MiB, and {free / 2**20:,.1f} MiB are free beside the data and "
        f"the network. {advice}",
        error,
        min(fitting, batch_size // 2),
    )

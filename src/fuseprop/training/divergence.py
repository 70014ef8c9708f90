"""When a loss stops being finite: the error, and the layer where the gradients exploded."""

from __future__ import annotations

from math import inf, isfinite, sqrt
from typing import TYPE_CHECKING

import numpy as np

from ..backend import HostArray
from ..callbacks.history import History
from .step import gradient_step

if TYPE_CHECKING:
    from .loop import Training


class DivergenceError(ArithmeticError):
    """A loss stopped being finite. The network holds its best finite weights.

    Attributes
    ----------
    history : History
        The completed epochs; its stop_reason is "diverged".
    epoch : int
        The epoch that failed, counted from 1.
    batch : int or None
        The batch that failed, counted from 1; None if it was the validation loss.
    layer : int
        The layer with the largest gradient, counted from 1.
    """

    def __init__(self, message: str, history: History, epoch: int, batch: int | None, layer: int) -> None:
        super().__init__(message)
        self.history = history
        self.epoch = epoch
        self.batch = batch
        self.layer = layer


def largest_gradient(training: Training, order: HostArray, batches: int) -> tuple[float, int]:
    """Learn from an epoch's first batches again; return the largest gradient norm and its layer.

    The gradients of single steps are not looked at during training, where that would cost time.
    """
    backend, stack, epoch = training.backend, training.stack, training.epoch
    parameters, on_device = stack.parameters, training.results.on_device.square
    training.begin_epoch(order)
    training.optimizer.prepare(parameters, len(training.batches))
    worst, layer = -1.0, 0
    for batch in training.batches[:batches]:
        gradient_step(backend, stack, training.metric, training.examples, epoch, batch)
        for i, (start, stop) in enumerate(parameters.ranges):
            backend.sum_squares(parameters.gradients[start:stop], out=on_device)
            square = float(backend.to_host(on_device)[0])
            norm = (
                sqrt(square) if isfinite(square) else _norm(backend.to_host(parameters.gradients[start:stop]))
            )
            if norm > worst:
                worst, layer = norm, i
        if worst == inf:
            break
        training.optimizer.update(backend, parameters)
        backend.advance(epoch.cursor, batch.rows)
    return worst, layer


def _norm(gradient: HostArray) -> float:
    """Return a norm whose square overflows; inf where a gradient is not finite itself."""
    largest = float(np.abs(gradient).max())
    if not isfinite(largest):
        return inf
    return largest * float(np.linalg.norm(gradient.astype(np.float64) / largest))

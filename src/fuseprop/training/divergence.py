"""When a loss stops being finite: the error, and the layer where the gradients exploded."""

from __future__ import annotations

from math import inf, isfinite, sqrt
from typing import Any

import numpy as np

from ..backend import HostArray
from ..backend.seam import for_processes
from ..callbacks.history import History
from .epoch import Epoch
from .step import gradient_step

MOST_HALVINGS = 5
"""So often a training that diverges goes on with half the learning rate."""


class DivergenceError(ArithmeticError):
    """A loss stopped being finite. The network holds its best finite weights.

    Attributes
    ----------
    history : History
        The completed epochs; its stop_reason is "diverged".
    epoch : int
        The epoch that failed, counted from 1.
    batch : int or None
        The batch that failed, counted from 1; None if the validation loss did.
    layer : int
        The layer with the largest gradient, counted from 1.
    """

    def __init__(self, message: str, history: History, epoch: int, batch: int | None, layer: int) -> None:
        super().__init__(message)
        self.history = history
        self.epoch = epoch
        self.batch = batch
        self.layer = layer

    def __reduce__(self) -> tuple[Any, ...]:
        # Without `__init__`, whose arguments `args` does not hold.
        return type(self).__new__, (type(self), *self.args), vars(self)


def largest_gradient(epoch: Epoch, order: HostArray, batches: int) -> tuple[float, int]:
    """Learn from an epoch's first batches again; return the largest gradient norm and its layer.

    Training itself reads no gradients of single steps: each would cost a wait for the device.
    """
    backend, parameters = epoch.backend, epoch.stack.parameters
    square = backend.zeros((1,))
    epoch.send(order)
    epoch.prepare()
    worst, layer = -1.0, 0
    for batch in epoch.batches[:batches]:
        gradient_step(backend, epoch.stack, epoch.metric, epoch.examples, epoch.state, batch)
        if epoch.world.size > 1:
            for_processes(backend).all_reduce(parameters.gradients, epoch.world)
        for i, (start, stop) in enumerate(parameters.ranges):
            gradient = parameters.gradients[start:stop]
            backend.sum_squares(gradient, out=square)
            squared = float(backend.to_host(square)[0])
            norm = sqrt(squared) if isfinite(squared) else _norm(backend.to_host(gradient))
            if norm > worst:
                worst, layer = norm, i
        if worst == inf:
            break
        epoch.optimizer.update(backend, parameters)
        backend.advance(epoch.state.cursor, batch.rows)
    return worst, layer


def _norm(gradient: HostArray) -> float:
    """Return the norm of a gradient whose square overflows; inf where the gradient is not finite."""
    largest = float(np.abs(gradient).max())
    if not isfinite(largest):
        return inf
    return largest * float(np.linalg.norm(gradient.astype(np.float64) / largest))

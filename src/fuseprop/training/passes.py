"""One pass at a time: a forward pass, a backward pass, an update, each by a call of its own."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend, HostArray
from ..checks.arrays import as_sample_weights, check_range
from ..layers.stack import Places, Stack
from ..layers.targets import encode_targets
from ..optimizers import Optimizer
from .step import Batch, Buffers


class Passes:
    """Forward passes of host rows, whose buffers are kept, and backward passes from them."""

    def __init__(self, backend: AnyBackend, stack: Stack) -> None:
        self._backend = backend
        self._stack = stack
        self._batch: Batch | None = None
        self._dropped: Places = None

    @property
    def batch(self) -> Batch:
        """The buffers of the last `forward`; raises RuntimeError where there was none."""
        if self._batch is None:
            raise RuntimeError("there is nothing to backpropagate yet: call forward(X) first.")
        return self._batch

    def forward(self, X: HostArray, *, dropout: bool = False) -> HostArray:
        """Return the last layer's output (n, k) for checked rows X (n, d): see `Network.forward`."""
        backend, batch = self._backend, self._batch
        if batch is None or batch.rows != len(X):
            batch = self._batch = Buffers(backend, self._stack, len(X), dropout=True).batch(len(X))
        backend.from_host(X.astype(backend.dtype, copy=False), out=batch.x)
        with np.errstate(over="ignore", invalid="ignore"):
            self._dropped = batch.dropped if dropout else None
            output = self._stack.forward(backend, batch.x, batch.outputs, self._dropped, batch.sums)
        return backend.to_host(output)

    def backward(self, target: object, sample_weight: object = None) -> float:
        """Return the loss of the last `forward`, and compute the gradients: see `Network.backward`."""
        backend, stack, batch = self._backend, self._stack, self.batch
        targets = encode_targets(target, stack.loss, stack.layers[-1], batch.rows)
        weights = (
            np.ones(batch.rows) if sample_weight is None else as_sample_weights(sample_weight, batch.rows)
        )
        weights = weights / weights.sum()
        try:
            with np.errstate(over="raise"):
                values = targets.values.astype(batch.target.dtype, copy=False)
        except FloatingPointError:  # an overflow in the cast; a check before it would read the target twice
            check_range("target", targets.values, backend.dtype)
            raise
        backend.from_host(values, out=batch.target)
        backend.from_host(weights.astype(backend.dtype), out=batch.row_weights)
        with np.errstate(over="ignore", invalid="ignore"):
            stack.loss.apply(
                backend,
                batch.outputs[-1],
                batch.target,
                batch.row_weights,
                losses=batch.losses,
                gradient=batch.gradients[-1],
            )
            stack.backward(backend, batch.x, batch.outputs, batch.gradients, self._dropped, batch.sums)
        return float(np.dot(backend.to_host(batch.losses).astype(np.float64), weights))

    def update(self, optimizer: Optimizer) -> None:
        """Take one step from the gradients of the last `backward`; the optimizer is prepared."""
        stack = self._stack
        if stack.dropout is not None:
            stack.dropout.advance(self._backend)
        with np.errstate(over="ignore", invalid="ignore"):
            optimizer.update(self._backend, stack.parameters)
        optimizer.steps += 1

"""A pass through a network, forward and backward: its numbers, and what they say."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend
from ..layers.stack import Stack
from ..training.step import Batch
from .explanation import explained, shown
from .numbers import Backward, LayerTrace, forward_pass

PATHS = 100
"""The most paths that `Trace.explain` writes out; of more it writes out the strongest."""


class Trace(Backward):
    """One pass through a network, forward and backward.

    All its numbers are attributes: see `Backward`.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import Network, mlp
    >>> network = Network(mlp([2, 2, 1]), "half_squared_error", dtype="float64", seed=0, device="cpu")
    >>> trace = network.trace(np.array([[0.05, 0.1]]), np.array([0.01]))
    >>> len(trace.layers), trace.prediction.shape, trace.loss > 0
    (2, (1, 1), True)
    """

    def explain(self, paths: int = PATHS) -> str:
        """Return the pass in words and numbers; ``print(trace.explain())`` shows it.

        What the loss sends back to each output, such as dL/dz = p - t, stands in all of them.

        - One row, at most `paths` paths from the loss to weights and biases: each weighted sum, and each
          derivative as the sum of the products along its paths.
        - One row, more paths: a line a layer, and the strongest path to a weight of the first layer.
        - More rows: a line a layer, what the rows want of each output (up or down), how these nudges add up
          to dL/db, and the strongest gradient of a weight as a sum over the rows.
        """
        return explained(self, paths)

    def _repr_html_(self) -> str:
        """Return what `explain` says as a notebook shows it: a table by layer, then the chain rule."""
        return shown(self, PATHS)


def trace_pass(backend: AnyBackend, stack: Stack, batch: Batch, loss: float) -> Trace:
    """Return the trace of a pass from the buffers of its `batch`; `loss` is the loss that it returned.

    dL/da of the last layer is computed again, by the loss: a pass overwrites it. What is too large for
    the dtype is inf here as in the pass.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import Network, mlp
    >>> network = Network(mlp([2, 3, 1]), "half_squared_error", seed=0, device="cpu")
    >>> trace = network.trace(np.ones((1, 2)), np.ones(1))  # calls `trace_pass` on the buffers of its batch
    >>> trace.loss > 0
    True
    """
    forward = forward_pass(backend, stack, batch)
    gradients = stack.parameters.unpack(stack.parameters.gradients)
    layers = [
        LayerTrace(**vars(layer), delta=backend.to_host(delta), dW=dW, db=db)
        for layer, delta, (dW, db) in zip(forward.layers, batch.gradients, gradients, strict=True)
    ]
    start, losses = backend.empty(batch.outputs[-1].shape), backend.empty((batch.rows,))
    with np.errstate(over="ignore", invalid="ignore"):
        stack.loss.apply(
            backend, batch.outputs[-1], batch.target, batch.row_weights, losses=losses, gradient=start
        )
    return Trace(
        layers,
        stack.loss,
        forward.prediction,
        loss,
        backend.to_host(batch.target),
        backend.to_host(start),
        backend.to_host(batch.row_weights),
    )

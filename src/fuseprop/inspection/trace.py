"""Every number of one forward and backward pass, on the host. `explanation` writes them out in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backend import AnyBackend, HostArray
from ..formulas.activation import Activation
from ..formulas.loss import AnyLoss, Link
from ..layers.stack import Stack
from ..training.forward import apply_link
from ..training.step import Batch

PATHS = 100
"""The most paths that `Trace.explain` writes out; of more it writes out the strongest."""


@dataclass(frozen=True)
class LayerTrace:
    """What one layer of m units over d inputs computed from n rows; all in the backend's dtype.

    Attributes
    ----------
    function : Activation
        f.
    weights, bias : (d, m), (m,)
        W and b, as they were in the pass.
    x, z, a : (n, d), (n, m), (n, m)
        Input, weighted sum z = x W + b, and output a = f(z).
    delta : (n, m)
        dL/dz.
    dW, db : (d, m), (m,)
        dL/dW = x^T delta and dL/db, the sum of delta over the rows.
    """

    function: Activation
    weights: HostArray
    bias: HostArray
    x: HostArray
    z: HostArray
    a: HostArray
    delta: HostArray
    dW: HostArray  # noqa: N815 (the field's name)
    db: HostArray

    @property
    def activation(self) -> str:
        """The name of f."""
        return self.function.name


@dataclass(frozen=True)
class Trace:
    """One pass through a network, forward and backward.

    Attributes
    ----------
    layers : list of LayerTrace
        First layer first; `z`, `a`, `delta`, `dW` and `db` are lists of theirs.
    loss : float
        L, the weighted mean over the rows.
    loss_function : Loss
        What L is the mean of.
    target : (n, k), or (n,) class numbers
        What the loss compared with.
    prediction : (n, k)
        The last layer's output through the loss's link.
    output_gradient : (n, k)
        dL/da of the last layer, where the backward pass begins.
    shares : (n,)
        How much each row counts in L; they add up to 1. Each delta has its row's share in it.
    """

    layers: list[LayerTrace]
    loss: float
    loss_function: AnyLoss
    target: HostArray
    prediction: HostArray
    output_gradient: HostArray
    shares: HostArray

    @property
    def loss_name(self) -> str:
        """The loss's name."""
        return self.loss_function.name

    @property
    def link(self) -> Link:
        """What the loss applies to the last layer's output; see `fuseprop.formulas.losses`."""
        return self.loss_function.link

    @property
    def z(self) -> list[HostArray]:
        """Weighted sums, (n, m) a layer."""
        return [layer.z for layer in self.layers]

    @property
    def a(self) -> list[HostArray]:
        """Outputs, (n, m) a layer."""
        return [layer.a for layer in self.layers]

    @property
    def delta(self) -> list[HostArray]:
        """dL/dz, (n, m) a layer."""
        return [layer.delta for layer in self.layers]

    @property
    def dW(self) -> list[HostArray]:  # noqa: N802 (the field's name)
        """dL/dW, (d, m) a layer."""
        return [layer.dW for layer in self.layers]

    @property
    def db(self) -> list[HostArray]:
        """dL/db, (m,) a layer."""
        return [layer.db for layer in self.layers]

    @property
    def paths(self) -> int:
        """How many paths lead from the loss to a weight or a bias, counted for one row; 0 for more rows."""
        count, ways = 0, 1
        for layer in reversed(self.layers):
            count += ways * layer.weights.size + ways * layer.bias.size
            ways *= len(layer.bias)
        return count if len(self.target) == 1 else 0

    def explain(self, paths: int = PATHS) -> str:
        """Return the pass in words and numbers; ``print(trace.explain())`` shows it.

        What the loss sends back to each output, such as dL/dz = p - t, stands in all of them.

        - One row, at most `paths` paths from the loss to weights and biases: each weighted sum, and each
          derivative as the sum of the products along its paths.
        - One row, more paths: a line a layer, and the strongest path to a weight of the first layer.
        - More rows: a line a layer, what the rows want of each output (up or down), how these nudges add up
          to dL/db, and the strongest gradient of a weight as a sum over the rows.
        """
        from .explanation import explained  # only where words are asked for

        return explained(self, paths)


def trace_pass(backend: AnyBackend, stack: Stack, batch: Batch, loss: float) -> Trace:
    """Return the trace of a pass from the buffers of its `batch`; `loss` is the loss that it returned.

    dL/da of the last layer is computed again, by the loss: a pass overwrites it. What is too large for
    the dtype is inf here as in the pass.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return _traced(backend, stack, batch, loss)


def _traced(backend: AnyBackend, stack: Stack, batch: Batch, loss: float) -> Trace:
    x, layers, parameters = batch.x, [], stack.parameters
    weights, gradients = parameters.unpack(parameters.values), parameters.unpack(parameters.gradients)
    for i, layer in enumerate(stack.layers):
        z = batch.sums[i]
        assert z is not None
        layers.append(
            LayerTrace(
                layer.function,
                *weights[i],
                backend.to_host(x),
                backend.to_host(z),
                backend.to_host(batch.outputs[i]),
                backend.to_host(batch.gradients[i]),
                *gradients[i],
            )
        )
        x = batch.outputs[i]
    prediction, start = backend.empty(x.shape), backend.empty(x.shape)
    apply_link(backend, stack.loss.link, x, out=prediction)
    losses = backend.empty((batch.rows,))
    stack.loss.apply(backend, x, batch.target, batch.row_weights, losses=losses, gradient=start)
    return Trace(
        layers,
        loss,
        stack.loss,
        backend.to_host(batch.target),
        backend.to_host(prediction),
        backend.to_host(start),
        backend.to_host(batch.row_weights),
    )

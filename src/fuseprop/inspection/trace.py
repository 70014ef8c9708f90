"""Every number of one forward and backward pass, on the host."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..backend import AnyBackend, HostArray
from ..layers.stack import Stack
from ..training.step import Batch
from .explain import PATHS, layer_table, paths_text


@dataclass(frozen=True)
class LayerTrace:
    """What one layer of m units over d inputs computed from n rows; all in the backend's dtype.

    Attributes
    ----------
    activation : str
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

    activation: str
    weights: HostArray
    bias: HostArray
    x: HostArray
    z: HostArray
    a: HostArray
    delta: HostArray
    dW: HostArray  # noqa: N815 (the field's name)
    db: HostArray


@dataclass(frozen=True)
class Trace:
    """One pass through a network, forward and backward.

    Attributes
    ----------
    layers : list of LayerTrace
        First layer first; `z`, `a`, `delta`, `dW` and `db` are lists of theirs.
    loss : float
        L, the weighted mean over the rows.
    loss_name : str
        The loss's name.
    link : "identity" | "sigmoid" | "softmax" | "exponential"
        What the loss applies to the last layer's output; see `fuseprop.formulas.losses`.
    target : (n, k), or (n,) class numbers
        What the loss compared with.
    output_gradient : (n, k)
        dL/da of the last layer, where the backward pass begins.
    """

    layers: list[LayerTrace]
    loss: float
    loss_name: str
    link: str
    target: HostArray
    output_gradient: HostArray

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

    def explain(self, paths: int = PATHS) -> str:
        """Return the pass in words and numbers.

        For one row through a network with at most `paths` paths from the loss to weights and biases: each
        weighted sum, and each derivative as the sum of the products along its paths. Otherwise a table with
        a line a layer.
        """
        return paths_text(self) if 0 < self.paths <= paths else layer_table(self)

    @property
    def paths(self) -> int:
        """How many paths lead from the loss to a weight or a bias, counted for one row; 0 for more rows."""
        count, ways = 0, 1
        for layer in reversed(self.layers):
            count += ways * layer.weights.size + ways * layer.bias.size
            ways *= len(layer.bias)
        return count if len(self.target) == 1 else 0


def trace_pass(backend: AnyBackend, stack: Stack, batch: Batch, loss: float) -> Trace:
    """Return the trace of a pass from the buffers of its `batch`; `loss` is the loss that it returned.

    Two things are computed again, into arrays of their own, because a pass overwrites them: z, by each layer
    with the identity in place of its activation, and dL/da of the last layer, by the loss. What is too large
    for the dtype is inf here as in the pass.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return _traced(backend, stack, batch, loss)


def _traced(backend: AnyBackend, stack: Stack, batch: Batch, loss: float) -> Trace:
    x, layers, parameters = batch.x, [], stack.parameters
    weights, gradients = parameters.unpack(parameters.values), parameters.unpack(parameters.gradients)
    for i, layer in enumerate(stack.layers):
        z = backend.empty(batch.outputs[i].shape)
        replace(layer, activation="identity").forward(backend, parameters.layers[i], x, output=z)
        layers.append(
            LayerTrace(
                layer.activation,
                *weights[i],
                backend.to_host(x),
                backend.to_host(z),
                backend.to_host(batch.outputs[i]),
                backend.to_host(batch.gradients[i]),
                *gradients[i],
            )
        )
        x = batch.outputs[i]
    start = backend.empty(x.shape)
    losses = backend.empty((batch.rows,))
    stack.loss.apply(backend, x, batch.target, batch.row_weights, losses=losses, gradient=start)
    return Trace(
        layers,
        loss,
        stack.loss.name,
        stack.loss.link,
        backend.to_host(batch.target),
        backend.to_host(start),
    )

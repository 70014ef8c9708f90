"""Every number of one pass, forward and backward, on the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..backend import AnyBackend, HostArray
from ..formulas.activation import Activation
from ..formulas.loss import AnyLoss, Link
from ..layers.stack import Stack
from ..training.forward import apply_link
from ..training.step import Batch


@dataclass(frozen=True)
class LayerPass:
    """What one layer of m units over d inputs computed from n rows; all in the backend's dtype.

    Attributes
    ----------
    function : Activation
        f.
    weights, bias : (d, m), (m,)
        W and b, as they were in the pass.
    x, z, a : (n, d), (n, m), (n, m)
        Input, weighted sum z = x W + b, and output a = f(z).

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import Network, mlp
    >>> network = Network(mlp([2, 3, 1]), "half_squared_error", seed=0, device="cpu")
    >>> passed = network.trace(np.ones((1, 2)), np.ones(1)).layers[0]
    >>> passed.z.shape, passed.a.shape
    ((1, 3), (1, 3))
    """

    function: Activation
    weights: HostArray
    bias: HostArray
    x: HostArray
    z: HostArray
    a: HostArray

    @property
    def activation(self) -> str:
        """The name of f."""
        return self.function.name


@dataclass(frozen=True)
class LayerTrace(LayerPass):
    """The same, and what came back.

    Attributes
    ----------
    delta : (n, m)
        dL/dz.
    dW, db : (d, m), (m,)
        dL/dW = x^T delta and dL/db, the sum of delta over the rows.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import Network, mlp
    >>> network = Network(mlp([2, 3, 1]), "half_squared_error", seed=0, device="cpu")
    >>> first = network.trace(np.ones((1, 2)), np.ones(1)).layers[0]
    >>> first.weights.shape
    (2, 3)
    """

    delta: HostArray
    dW: HostArray  # noqa: N815 (the field's name)
    db: HostArray


@dataclass(frozen=True)
class Forward:
    """One pass through a network forward.

    Attributes
    ----------
    layers : list of LayerPass
        First layer first; `z` and `a` are lists of theirs.
    loss_function : Loss
        The network's.
    prediction : (n, k)
        The last layer's output through the loss's link.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import Network, mlp
    >>> network = Network(mlp([2, 3, 1]), "half_squared_error", seed=0, device="cpu")
    >>> network.trace(np.ones((1, 2)), np.ones(1)).prediction.shape
    (1, 1)
    """

    layers: Sequence[LayerPass]
    loss_function: AnyLoss
    prediction: HostArray

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


@dataclass(frozen=True)
class Backward(Forward):
    """One pass through a network, forward and backward.

    Attributes
    ----------
    layers : list of LayerTrace
        First layer first; `z`, `a`, `delta`, `dW` and `db` are lists of theirs.
    loss_function : Loss
        What L is the mean of.
    prediction : (n, k)
        The last layer's output through the loss's link.
    loss : float
        L, the weighted mean over the rows.
    target : (n, k), or (n,) class numbers
        What the loss compared with.
    output_gradient : (n, k)
        dL/da of the last layer, where the backward pass begins.
    shares : (n,)
        How much each row counts in L; they add up to 1. Each delta has its row's share in it.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import Network, mlp
    >>> network = Network(mlp([2, 3, 1]), "half_squared_error", seed=0, device="cpu")
    >>> trace = network.trace(np.ones((1, 2)), np.ones(1))
    >>> trace.output_gradient.shape
    (1, 1)
    """

    layers: list[LayerTrace]
    loss: float
    target: HostArray
    output_gradient: HostArray
    shares: HostArray

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


def forward_pass(backend: AnyBackend, stack: Stack, batch: Batch) -> Forward:
    """Return what is in the buffers of a `batch` after a pass forward that has left its weighted sums.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import Network, mlp
    >>> network = Network(mlp([2, 3, 1]), "half_squared_error", seed=0, device="cpu")
    >>> trace = network.trace(np.ones((1, 2)), np.ones(1))  # calls `forward_pass` on the buffers of its batch
    >>> [layer.a.shape for layer in trace.layers]
    [(1, 3), (1, 1)]
    """
    x, layers = batch.x, []
    weights = stack.parameters.unpack(stack.parameters.values)
    for layer, pair, z, a in zip(stack.layers, weights, batch.sums, batch.outputs, strict=True):
        assert z is not None
        layers.append(LayerPass(layer.function, *pair, *map(backend.to_host, (x, z, a))))
        x = a
    prediction = backend.empty(x.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        apply_link(backend, stack.loss.link, x, out=prediction)
    return Forward(layers, stack.loss, backend.to_host(prediction))

"""Is a network's gradient the slope of its loss?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..backend import AnyBackend, HostArray
from ..layers.dense import Dense
from ..layers.stack import check_trainable


class Differentiable(Protocol):
    """What the check needs of a `Network`: its layers and weights, and a pass forward and back."""

    backend: AnyBackend

    @property
    def layers(self) -> Sequence[Dense]:
        """The layers, first one first."""

    def forward(self, X: object, *, dropout: bool = False) -> HostArray:
        """Run rows forward, and remember the pass."""

    def backward(self, target: object, sample_weight: object = None) -> float:
        """Return the loss of the last pass and leave its gradients."""

    def gradients(self) -> list[tuple[HostArray, HostArray]]:
        """Return dL/dW and dL/db of each layer."""

    def weights(self) -> list[tuple[HostArray, HostArray]]:
        """Return copies of W and b of each layer."""

    def set_weights(self, layers: Sequence[tuple[object, object]]) -> None:
        """Set W and b of each layer."""


def gradcheck(
    network: Differentiable,
    X: object,
    target: object,
    sample_weight: object = None,
    *,
    h: float = 1e-5,
    dropout: bool = False,
) -> float:
    """Return how far backpropagation is from central differences: ||a - c|| / (||a|| + ||c||).

    a is the gradient by backpropagation and c that by c_i = (L(w + h e_i) - L(w - h e_i)) / 2h, over all
    weights and biases; below 1e-7 in float64 they agree. The loss is evaluated twice for each parameter. A
    ReLU whose argument lies within about h of 0 has no central difference; draw other points then.

    Parameters
    ----------
    network : Network
        In float64. Its weights are the same afterwards.
    X, target, sample_weight
        As `Network.fit` takes them.
    h : float
        The step of the difference.
    dropout : bool
        Whether hidden layers drop outputs, throughout by the masks of the next training step.

    Raises ValueError for a float32 network, whose rounding drowns the difference, and for one with an
    activation that has no slope, such as "step".

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import Network, gradcheck, mlp
    >>> network = Network(mlp([2, 3, 1]), "half_squared_error", dtype="float64", seed=0, device="cpu")
    >>> gradcheck(network, np.eye(2), np.ones(2)) < 1e-7
    True
    """
    check_trainable(network.layers)
    if network.backend.dtype != np.float64:
        raise ValueError(f"gradcheck needs a float64 network, got {network.backend.dtype}.")
    network.forward(X, dropout=dropout)
    network.backward(target, sample_weight)
    analytic = _flat(network.gradients())
    weights = network.weights()
    numeric = np.empty_like(analytic)
    try:
        i = 0
        for values in (array for pair in weights for array in pair):
            for at in np.ndindex(values.shape):
                kept = values[at]
                losses = []
                for shifted in (kept + h, kept - h):
                    values[at] = shifted
                    network.set_weights(weights)
                    network.forward(X, dropout=dropout)
                    losses.append(network.backward(target, sample_weight))
                values[at] = kept
                numeric[i] = (losses[0] - losses[1]) / (2 * h)
                i += 1
    finally:
        network.set_weights(weights)
    scale = np.linalg.norm(analytic) + np.linalg.norm(numeric)
    return float(np.linalg.norm(analytic - numeric) / scale) if scale else 0.0


def _flat(layers: list[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> NDArray[np.float64]:
    return np.concatenate([array.ravel() for pair in layers for array in pair])

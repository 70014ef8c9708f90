"""The loss of a network as a function of two of its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..backend import HostArray
from ..network import Network

Place = Callable[[float, float], Sequence[tuple[object, object]]]
"""From two numbers to weights and bias of each layer."""


def loss_over_weights(
    network: Network, X: HostArray, target: HostArray, place: Place
) -> Callable[[float, float], float]:
    """Return the network's own loss over these rows, as a function of two numbers that make its weights.

    The network is for this alone: its rows are sent once, and each call sets its weights.
    """
    network.forward(X)

    def loss(first: float, second: float) -> float:
        network.set_weights(place(first, second))
        return network.backward(target)

    return loss

"""Rows for a network in which the features of one column are those of other rows."""

from __future__ import annotations

import numpy as np

from ..backend import Array, HostArray
from ..layers.dense import Dense
from ..network import Network
from ..training.features import Fetch, from_host

MANY = 4
"""From so many inputs for each unit of its first layer on, a network's rows are the sums of that layer."""


class PermutedRows:
    """Rows for a network in which the features of one column are those of other rows.

    Where a network has far more inputs than units in its first layer, its rows are the sums x W that this
    layer makes of them, to which a permuted column adds (x' - x) W over its own features, and the network is
    one that begins behind these sums: with 64 units, 1,000 inputs and 10,000 rows in a seventh of the time,
    with 20,000 inputs and 200 rows in a hundredth.

    Parameters
    ----------
    network : Network
    inputs : (n, width)
        Of the network, in its dtype; nobody changes them.

    Attributes
    ----------
    network : Network
        The one that takes the rows.
    """

    def __init__(self, network: Network, inputs: HostArray) -> None:
        self.network, self._inputs, self._rows = network, inputs, inputs
        self._weights: HostArray | None = None
        if network.inputs >= MANY * network.layers[0].outputs:
            self.network, self._weights = _behind_first_sums(network), network.weights()[0][0]
            with np.errstate(over="ignore", invalid="ignore"):
                self._rows = inputs @ self._weights

    def unchanged(self) -> Fetch:
        """Return what fetches the rows as they are."""
        return from_host(self.network.backend, self._rows)

    def shifted(self, features: slice, shift: int) -> Fetch:
        """Return what fetches rows with these features of the row `shift` places behind, around the end."""
        inputs, weights = self._inputs, self._weights

        def fetch(start: int, room: Array) -> Array:
            stop = start + room.shape[0]
            others = inputs[np.arange(start + shift, stop + shift) % len(inputs), features]
            if weights is None:
                rows = inputs[start:stop].copy()
                rows[:, features] = others
            else:
                with np.errstate(over="ignore", invalid="ignore"):
                    changes = (others - inputs[start:stop, features]) @ weights[features]
                    rows = self._rows[start:stop] + changes
            self.network.backend.from_host(rows, out=room)
            return room

        return fetch


def _behind_first_sums(network: Network) -> Network:
    """Return the network that takes x W of the first layer, without its bias, where `network` takes x."""
    (weights, bias), *others = network.weights()
    arrays = [(np.eye(weights.shape[1]), bias), *others]
    layers = [
        Dense(w.shape[0], w.shape[1], layer.activation, weights=w, bias=b)
        for layer, (w, b) in zip(network.layers, arrays, strict=True)
    ]
    return Network(layers, network.stack.loss, metric=network.metric, backend=network.backend)

"""Norms by layer: how large gradients and weights are, measured on the device and read once an epoch."""

from __future__ import annotations

import numpy as np

from .backend import Array, HostArray
from .parameters import Parameters


class LayerNorms:
    """||dL/d(W, b)|| and ||(W, b)|| of each of L layers, their squares in `squares`, (2 L,)."""

    def __init__(self, parameters: Parameters, squares: Array) -> None:
        flat = [parameters.gradients] * len(parameters.ranges) + [parameters.values] * len(parameters.ranges)
        self._backend = parameters.backend
        self._measured = [
            (array[start:stop], squares[i : i + 1])
            for i, (array, (start, stop)) in enumerate(zip(flat, 2 * parameters.ranges, strict=True))
        ]

    def measure(self) -> None:
        """Square and add up, and do not wait for it."""
        for array, square in self._measured:
            self._backend.sum_squares(array, out=square)


def split_norms(squares: HostArray) -> tuple[list[float], list[float]]:
    """Return the gradients' norms and the weights', first layer first, from a host copy of `squares`."""
    gradients, weights = np.split(np.sqrt(squares.astype(np.float64)), 2)
    return gradients.tolist(), weights.tolist()

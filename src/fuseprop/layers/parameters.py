"""All weights and biases in one flat array, their gradients in another; views and norms of both by layer."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from ..backend import AnyBackend, Array, HostArray

ALIGNMENT = 64
"""Elements: 256 bytes in float32, a whole number of cache lines and of a GPU's memory transactions."""

LARGEST = sys.maxsize // 8
"""Elements: as many in float64 as there are addresses."""


@dataclass(frozen=True)
class LayerParameters:
    """Views of one layer's parameters: weights (d, m), bias (m,), and the gradient of each."""

    weights: Array
    bias: Array
    weight_gradients: Array
    bias_gradient: Array


class Parameters:
    """Flat values and gradients of layers with the given (inputs d, outputs m), all zero at first.

    Attributes
    ----------
    values, gradients : Array, (P,)
        The flat buffers; every other array here is a view of them.
    layers : list of LayerParameters
        The views, first layer first.
    ranges, weight_ranges : list of (start, stop)
        Where each layer's parameters stand in the flat buffers, and where its weights do: weight decay
        applies to weights and not to biases.
    count : int
        Weights and biases, without padding.
    """

    def __init__(self, backend: AnyBackend, shapes: Iterable[tuple[int, int]]) -> None:
        self.backend = backend
        self.shapes = list(shapes)
        *starts, size = starts_of(self.shapes)
        if size > LARGEST:
            raise MemoryError(f"{size:,} parameters fit no memory at all. Make the layers smaller.")
        self.values = backend.zeros((size,))
        self.gradients = backend.zeros((size,))
        self.ranges = [(o, o + (d + 1) * m) for o, (d, m) in zip(starts, self.shapes, strict=True)]
        self.weight_ranges = [(o, o + d * m) for o, (d, m) in zip(starts, self.shapes, strict=True)]
        self.count = sum((d + 1) * m for d, m in self.shapes)
        self.layers = [
            LayerParameters(*_views(self.values, o, d, m), *_views(self.gradients, o, d, m))
            for o, (d, m) in zip(starts, self.shapes, strict=True)
        ]

    def are_finite(self) -> bool:
        """Whether every value is finite. Each is looked at: a sum of squares overflows long before them."""
        return bool(np.isfinite(self.backend.to_host(self.values)).all())

    def load(self, layers: Sequence[tuple[HostArray, HostArray]]) -> None:
        """Set all values from host arrays: weights (d, m) and bias (m,) of each layer."""
        flat = np.zeros(self.values.shape, self.backend.dtype)
        for (start, stop), (d, m), (weights, bias) in zip(
            self.weight_ranges, self.shapes, layers, strict=True
        ):
            flat[start:stop].reshape(d, m)[...] = weights
            flat[stop : stop + m] = bias
        self.backend.from_host(flat, out=self.values)

    def unpack(self, flat: Array) -> list[tuple[HostArray, HostArray]]:
        """Return weights (d, m) and bias (m,) of each layer, on the host, from a flat buffer."""
        host = self.backend.to_host(flat)
        return [
            (host[start:stop].reshape(d, m), host[stop : stop + m])
            for (start, stop), (d, m) in zip(self.weight_ranges, self.shapes, strict=True)
        ]


def starts_of(shapes: Iterable[tuple[int, int]]) -> list[int]:
    """Return where each layer of these (inputs d, outputs m) begins in the flat buffers, and their size P."""
    sizes = (-(-(d + 1) * m // ALIGNMENT) * ALIGNMENT for d, m in shapes)
    return list(accumulate(sizes, initial=0))


def _views(flat: Array, start: int, d: int, m: int) -> tuple[Array, Array]:
    end = start + d * m
    return flat[start:end].reshape((d, m)), flat[end : end + m]


class LayerNorms:
    """||dL/d(W, b)|| of each of L layers, then ||(W, b)|| of each; their squares in `squares`, (2 L,)."""

    def __init__(self, parameters: Parameters, squares: Array) -> None:
        flat = [parameters.gradients] * len(parameters.ranges) + [parameters.values] * len(parameters.ranges)
        self._backend = parameters.backend
        self._measured = [
            (array[start:stop], squares[i : i + 1])
            for i, (array, (start, stop)) in enumerate(zip(flat, 2 * parameters.ranges, strict=True))
        ]

    def measure(self) -> None:
        """Write the squares on the device, without waiting for them."""
        for array, square in self._measured:
            self._backend.sum_squares(array, out=square)


def split_norms(squares: HostArray) -> tuple[list[float], list[float]]:
    """Return the gradients' norms and the weights', first layer first, from a host copy of `squares`."""
    norms = np.sqrt(squares.astype(np.float64)).tolist()
    layers = len(norms) // 2
    return norms[:layers], norms[layers:]

"""Parity between backends, and the random arrays that the contract compares.

Parity, here and everywhere: |a - b| <= 1000 eps max(1, |reference|), eps of the backend's dtype.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fuseprop.backend import AnyBackend

SHAPES = [(1, 1), (1, 7), (5, 1), (3, 5), (32, 10), (33, 65), (130, 257)]
"""(rows, units) from the smallest to past a block of any size that backends work in."""

ACTIVATION_NAMES: list[str] = ["identity", "sigmoid", "tanh", "relu"]


def assert_parity(actual: ArrayLike, reference: ArrayLike, dtype: Any) -> None:
    """Assert |a - b| <= 1000 eps max(1, |b|) and that nan and inf stand in the same places."""
    a, b = np.asarray(actual, np.float64), np.asarray(reference, np.float64)
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_equal(a.shape, b.shape)
    np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
    both = np.isfinite(b)
    np.testing.assert_array_equal(a[~both], b[~both])
    excess = np.abs(a[both] - b[both]) / np.maximum(1.0, np.abs(b[both])) / (1000 * eps)
    assert excess.size == 0 or excess.max() <= 1, f"{excess.max():.3g} times the parity bound"


class Host:
    """Random host arrays, rounded to the backend's dtype so that both sides see the same numbers."""

    def __init__(self, backend: AnyBackend, seed: int = 0) -> None:
        self.backend = backend
        self.rng = np.random.default_rng(seed)

    def normal(self, *shape: int, scale: float = 1.0) -> NDArray[Any]:
        """Return normal numbers."""
        return self.rng.normal(0.0, scale, shape).astype(self.backend.dtype)

    def unit(self, *shape: int) -> NDArray[Any]:
        """Return numbers uniform in [0, 1)."""
        return self.rng.uniform(size=shape).astype(self.backend.dtype)

    def labels(self, n: int, k: int) -> NDArray[np.int64]:
        """Return class numbers."""
        return np.asarray(self.rng.integers(0, k, n))

    def weights(self, n: int) -> NDArray[Any]:
        """Return row weights that sum to 1; some are 0 where there are several."""
        raw = self.rng.uniform(0.5, 2.0, n) * (self.rng.uniform(size=n) > 0.2)
        raw[0] = 1.0
        weights: NDArray[Any] = (raw / raw.sum()).astype(self.backend.dtype)
        return weights


def softmax64(z: NDArray[Any]) -> NDArray[np.float64]:
    """Return e^z / sum e^z by row, in float64."""
    e = np.exp(z.astype(np.float64) - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))

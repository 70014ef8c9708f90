"""Standardizer: scales columns to mean 0 and standard deviation 1, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Standardizer:
    """z = (x - mean) / scale, column by column, in float64.

    Attributes
    ----------
    mean, scale : (d,) float64
        The mean and the standard deviation (divided by N) of each column; the scale is 1 for columns that
        are constant except for rounding.
    """

    mean: Float
    scale: Float

    @classmethod
    def fit(cls, X: Float) -> Standardizer:
        """Return the standardizer of rows X (N, d)."""
        # Each column is divided by its largest element, so that its squares do not overflow.
        largest = np.abs(X).max(axis=0)
        largest[largest == 0.0] = 1.0
        unit = X / largest
        mean, scale = unit.mean(axis=0), unit.std(axis=0)
        limits = np.finfo(np.float64)
        constant = (scale <= 10 * limits.eps * np.abs(mean)) | (scale * largest < limits.tiny)
        return cls(mean * largest, np.where(constant, 1.0, scale * largest))

    def apply(self, X: Float) -> Float:
        """Return (X - mean) / scale, of shape (N, d)."""
        result: Float = (X - self.mean) / self.scale
        return result

    def undo(self, Z: Float) -> Float:
        """Return Z * scale + mean, of shape (N, d)."""
        result: Float = Z * self.scale + self.mean
        return result

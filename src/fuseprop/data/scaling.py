"""Standardizer: scales columns to mean 0 and standard deviation 1, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..world import ALONE, Processes
from .blocks import Float, Index, blocks


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
    def fit(
        cls,
        X: Float,
        rows: Index | None = None,
        columns: Sequence[int] | None = None,
        world: Processes = ALONE,
    ) -> Standardizer:
        """Return the standardizer of X (N, d), or of some of its rows and columns; nan does not count.

        Each process of a `world` has rows of its own, and gets the standardizer of all rows. A column of nan
        alone has the mean 0 and the scale 1.
        """
        width = X.shape[1] if columns is None else len(columns)
        # NumPy adds rows one after the other, so that blocks change no bit, but a single column in pairs, and
        # columns that lie one behind the other in memory too.
        most = max(1, len(X)) if width == 1 else None

        def parts() -> Iterable[Float]:
            return (np.ascontiguousarray(block) for _, block in blocks(X, rows, columns, most=most))

        # Each column is divided by its largest element, so that its squares do not overflow.
        largest, count = np.zeros(width), np.zeros(width)
        for block in parts():
            sizes, missing = np.abs(block), np.isnan(block)
            sizes[missing] = 0.0
            largest = np.maximum(largest, sizes.max(axis=0))
            count += len(block) - missing.sum(axis=0)
        largest, count = world.greatest(largest), world.total(count)
        largest[largest == 0.0] = 1.0
        count[count == 0.0] = 1.0
        mean = world.total(_sum(width, (_filled(block / largest) for block in parts()))) / count
        squares = (np.square(_filled(block / largest - mean)) for block in parts())
        variance = world.total(_sum(width, squares)) / count
        scale = np.sqrt(variance)
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


def _filled(block: Float) -> Float:
    """Set what is missing in a block to 0."""
    block[np.isnan(block)] = 0.0
    return block


def _sum(width: int, parts: Iterable[Float]) -> Float:
    """Return the sums (width,) of the columns of all parts, added in the order of the rows."""
    total: Float | None = None
    for part in parts:
        total = (part if total is None else np.vstack([total, part])).sum(axis=0)
    return np.zeros(width) if total is None else total

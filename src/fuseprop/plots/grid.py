"""The points of a grid over the plane."""

from __future__ import annotations

import numpy as np

from ..backend import HostArray

POINTS = 120
"""Points along each axis."""

MARGIN = 0.15
"""How much of the points' range is shown around them."""


def around(points: HostArray, count: int = POINTS) -> tuple[HostArray, HostArray]:
    """Return the coordinates x1 (count,) and x2 (count,) of a grid around points (n, 2)."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = MARGIN * np.where(high > low, high - low, 1.0)
    x1, x2 = (np.linspace(a, b, count) for a, b in zip(low - margin, high + margin, strict=True))
    return x1, x2


def rows_of(x1: HostArray, x2: HostArray) -> HostArray:
    """Return the points of a grid with coordinates (g,) and (h,) as rows (h g, 2), x1 changing fastest."""
    return np.stack(np.meshgrid(x1, x2), axis=-1).reshape(-1, 2)

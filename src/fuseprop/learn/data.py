"""Small sets of points that several topics learn."""

from __future__ import annotations

import numpy as np

from ..backend import HostArray

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR = np.array([0, 1, 1, 0])


def clouds(
    rng: np.random.Generator, centres: HostArray, each: int, spread: float
) -> tuple[HostArray, HostArray]:
    """Return points (n, 2) drawn normally around each of the centres (c, 2), and their numbers (n,)."""
    labels = np.repeat(np.arange(len(centres)), each)
    return centres[labels] + rng.normal(0.0, spread, (len(labels), 2)), labels

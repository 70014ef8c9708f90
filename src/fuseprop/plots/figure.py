"""What is in a picture, as numbers and words: made without matplotlib, drawn by `draw`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..backend import HostArray

GRID = 120
"""Points of the grid along each axis."""

MARGIN = 0.15
"""How much of the points' range is shown around them."""


@dataclass(frozen=True)
class Curve:
    """y over x, with a label for the legend; joined by a line or, as `points`, marks alone."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    points: bool = False


@dataclass(frozen=True)
class Regions:
    """A decision over the plane of two features, and the points that it is about.

    Attributes
    ----------
    x1, x2 : (g,), (h,)
        The coordinates of the grid.
    values : (h, g)
        The class number at each point of the grid.
    points : mapping
        From a class's name to its points (n, 2).
    """

    x1: HostArray
    x2: HostArray
    values: HostArray
    points: Mapping[str, HostArray]

    @classmethod
    def of(cls, classify: Callable[[HostArray], HostArray], points: Mapping[str, HostArray]) -> Regions:
        """Classify a grid around the points; `classify` maps rows (n, 2) to class numbers (n,)."""
        everything = np.concatenate(list(points.values()))
        low, high = everything.min(axis=0), everything.max(axis=0)
        margin = MARGIN * np.where(high > low, high - low, 1.0)
        x1, x2 = (np.linspace(a, b, GRID) for a, b in zip(low - margin, high + margin, strict=True))
        rows = np.stack(np.meshgrid(x1, x2), axis=-1).reshape(-1, 2)
        return cls(x1, x2, np.asarray(classify(rows)).reshape(GRID, GRID), points)


@dataclass(frozen=True)
class Bars:
    """Horizontal bars from 0, the first at the top, each with a name and an interval (nan: none)."""

    names: Sequence[str]
    values: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True)
class Panel:
    """One pair of axes with curves, regions or bars; the labels say the units."""

    title: str
    x_label: str
    y_label: str
    curves: Sequence[Curve] = ()
    log_x: bool = False
    log_y: bool = False
    from_zero: bool = False
    regions: Regions | None = None
    bars: Bars | None = None


@dataclass(frozen=True)
class Figure:
    """Panels side by side under one title."""

    title: str
    panels: Sequence[Panel] = field(default_factory=list)

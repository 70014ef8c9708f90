"""Regions: shades of the classes' colours, a black line where the decision changes, and the points."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backend import HostArray
from ..regions import Regions
from .looks import class_looks, shades


def draw_regions(regions: Regions, axes: Any) -> list[str]:
    """Draw regions and points; return the names of the classes."""
    x1, x2 = regions.x1, regions.x2
    axes.imshow(
        shaded(regions),
        extent=(x1[0], x1[-1], x2[0], x2[-1]),
        origin="lower",
        aspect="auto",
        interpolation="bilinear",
    )
    for i in range(regions.margins.shape[-1]):
        margin = regions.margins[..., i]
        is_drawn = i > 0 and np.array_equal(margin, -regions.margins[..., 0])  # of two classes, the other's
        if margin.min() < 0 < margin.max() and not is_drawn:
            axes.contour(x1, x2, margin, levels=[0.0], colors="black", linewidths=1.2)
    for i, (points, (marker, colour)) in enumerate(zip(regions.points.values(), class_looks(), strict=False)):
        axes.plot(
            *(points[:, 0], points[:, 1]),
            linestyle="none",
            marker=marker,
            color=colour,
            markersize=5.5,
            markeredgecolor="black",
            markeredgewidth=0.7,
            label=str(i),
            zorder=3,
        )
    return list(regions.points)


def shaded(regions: Regions) -> HostArray:
    """Return the colour of each point of the grid (h, g, 3): white, dyed by each class as its shade says."""
    colours = np.ones((*regions.shades.shape[:2], 3))
    for i, surest in zip(range(regions.shades.shape[-1]), shades(), strict=False):
        colours *= 1 - regions.shades[..., i, None] * (1 - surest)
    return colours

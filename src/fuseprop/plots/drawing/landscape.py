"""A landscape: contours over shades of grey, darker where it is lower; or a surface in space."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..landscape import Landscape

GREYS = {"cmap": "gray", "vmin": 0.0, "vmax": 1.0}
DARKEST, LIGHTEST = 0.72, 0.99
"""Of the shades: light enough for lines of any colour on them."""


def draw_landscape(landscape: Landscape, axes: Any) -> list[str]:
    """Draw a loss over two weights; as a surface on axes in space."""
    x1, x2, values = landscape.x1, landscape.x2, landscape.values
    low, high = values.min(), values.max()
    height = np.sqrt((values - low) / (high - low if high > low else 1.0))
    shades = DARKEST + (LIGHTEST - DARKEST) * height
    if landscape.surface:
        axes.computed_zorder = False  # a way on the surface is drawn after it
        axes.plot_surface(
            *np.meshgrid(x1, x2),
            values,
            facecolors=np.repeat(shades[..., None], 3, axis=-1),
            shade=True,
            rcount=len(x2),
            ccount=len(x1),
            linewidth=0,
            alpha=0.75,
        )
        axes.set_zlabel(landscape.label)
        return []
    extent = (x1[0], x1[-1], x2[0], x2[-1])
    axes.imshow(shades, extent=extent, origin="lower", aspect="auto", interpolation="bilinear", **GREYS)
    lines = axes.contour(x1, x2, values, levels=landscape.levels, colors="#555555", linewidths=0.7)
    axes.clabel(lines, lines.levels[2::3], fontsize=6.5, fmt="%.3g")
    return []

"""Images side by side in one panel, without axes."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

from ..images import Images
from .looks import LITERAL, drawable

GAP, TITLE = 0.15, 0.35
"""The space between images and that for a title, in heights of an image."""


def draw_images(images: Images, axes: Any) -> list[str]:
    """Draw each image in a frame, under its title, in rows."""
    rows = ceil(len(images.images) / images.columns)
    for i, (image, title) in enumerate(zip(images.images, images.titles, strict=True)):
        row, column = divmod(i, images.columns)
        left, top = column * (1 + GAP), row * (1 + TITLE)
        low, high = images.images.min(), images.images.max()
        if images.signed:
            high = np.abs(image).max() or 1.0
            low = -high
        axes.imshow(
            image,
            extent=(left, left + 1, top + 1, top),
            cmap="gray_r",
            vmin=low,
            vmax=high,
            interpolation="nearest",
        )
        axes.plot(
            *([left, left + 1, left + 1, left, left], [top, top, top + 1, top + 1, top]),
            color="#999999",
            linewidth=0.6,
        )
        axes.text(left + 0.5, top - 0.06, drawable(title), ha="center", va="bottom", fontsize=7, **LITERAL)
    axes.set_xlim(-GAP, images.columns * (1 + GAP))
    axes.set_ylim(rows * (1 + TITLE) - TITLE + GAP, -TITLE)
    axes.set_aspect("equal")
    axes.set_axis_off()
    return []

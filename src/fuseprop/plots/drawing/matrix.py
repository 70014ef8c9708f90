"""A matrix of counts: each number in its cell, the darker the larger, by its root, so that few show too."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..matrix import Matrix
from .looks import LITERAL, drawable

DARKEST = 0.75
"""Of the greys, from 0 for white to 1 for black."""


def draw_matrix(matrix: Matrix, axes: Any) -> list[str]:
    """Draw counts (r, c) with the names of rows and columns at the axes."""
    counts = np.asarray(matrix.counts)
    share = DARKEST * np.sqrt(counts / max(1, counts.max()))
    axes.imshow(share, cmap="gray_r", vmin=0.0, vmax=1.0, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        dark = share[row, column] > 0.5
        if count:
            axes.text(
                *(column, row, f"{count:,}"),
                ha="center",
                va="center",
                fontsize=7,
                color="white" if dark else "black",
            )
    for place, names in ((axes.set_xticks, matrix.columns), (axes.set_yticks, matrix.rows)):
        place(range(len(names)), [drawable(name) for name in names], fontsize=8, **LITERAL)
    return []

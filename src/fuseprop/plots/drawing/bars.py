"""Horizontal bars with the whiskers of their intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..bars import Bars
from .looks import LITERAL, drawable

FILL = "#b9cfe0"
"""So light that black intervals can be seen on it."""


def draw_bars(bars: Bars, axes: Any) -> list[str]:
    """Draw bars, the first at the top, with their names beside them."""
    values, places = np.array(bars.values), np.arange(len(bars.values))
    whiskers = np.stack([values - bars.low, bars.high - values])
    axes.barh(
        *(places, values),
        xerr=whiskers,
        color=FILL,
        edgecolor="black",
        linewidth=0.8,
        error_kw={"ecolor": "black", "elinewidth": 1.2, "capsize": 2.5},
    )
    axes.set_yticks(places, [drawable(name) for name in bars.names], fontsize=8, **LITERAL)
    axes.set_ylim(len(places) - 0.4, -0.6)
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    return []

"""Curves: lines that differ by their dashes, marks at entries where these are few."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..curve import Curve
from .looks import line_looks

FEW = 25
"""A line of at most so many entries has a mark at each: of more, marks would hide it, or look like data."""


def draw_curves(curves: Sequence[Curve], axes: Any, *, first: int = 0) -> list[str]:
    """Draw curves, each with its number from `first` for a label; return their names."""
    for number, (curve, (dash, marker, colour)) in enumerate(zip(curves, line_looks(), strict=False), first):
        marked = curve.points or (len(curve.x) <= FEW and not curve.way)
        places = (curve.x, curve.y, curve.z) if len(curve.z) else (curve.x, curve.y)
        axes.plot(
            *places,
            linestyle="none" if curve.points else dash,
            marker=marker if marked else None,
            markersize=4,
            color=colour,
            linewidth=1.4,
            label=str(number),
            zorder=3,
        )
        if curve.way:
            _draw_ends(places, axes, colour)
    return [curve.label for curve in curves]


def _draw_ends(places: tuple[Sequence[float], ...], axes: Any, colour: str) -> None:
    """Draw a ring where a way begins and a disc where it ends."""
    for end, filling in ((0, "white"), (-1, colour)):
        at = [[place[end]] for place in places]
        axes.plot(*at, "o", markersize=5.5, color=colour, markerfacecolor=filling, zorder=4)

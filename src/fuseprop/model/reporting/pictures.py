"""Panels as pictures of a page, each with what is in it in words."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...checks.quoting import six_digits
from ...plots import Bars, Curve, Figure, Matrix, Panel
from ...plots.drawing import on_page
from ...showing.page import beside

MOST_TOLD = 5
"""Of so many bars or lines a picture's words tell the numbers."""


def drawn(panels: Iterable[Panel]) -> str:
    """Return panels as pictures that stand beside each other where there is room.

    Raises PlotsUnavailable without matplotlib.
    """
    return beside((on_page(Figure("", [panel]), told(panel)), "") for panel in panels)


def told(panel: Panel) -> str:
    """Return what is in a panel in words, for those who do not see it: its numbers are in tables too."""
    ground, said = panel.ground, []
    if isinstance(ground, Bars):
        said = [f"{name} {_number(value)}" for name, value in zip(ground.names, ground.values, strict=True)]
    elif isinstance(ground, Matrix):
        right, rows = int(np.trace(ground.counts)), int(ground.counts.sum())
        said = [f"{right:,} of {rows:,} rows are on the diagonal, where both are the same"]
    said += [_of_curve(curve) for curve in panel.curves if not curve.faint]
    more = f"; and {len(said) - MOST_TOLD} more" if len(said) > MOST_TOLD else ""
    return f"{panel.title}, {panel.y_label} by {panel.x_label}: {'; '.join(said[:MOST_TOLD])}{more}"


def _of_curve(curve: Curve) -> str:
    x, y = np.asarray(curve.x, np.float64), np.asarray(curve.y, np.float64)
    there = np.flatnonzero(np.isfinite(y))
    if not there.size:
        return f"{curve.label}: no number"
    (low, lowest), (high, highest) = (
        (y[i], x[i]) for i in (there[y[there].argmin()], there[y[there].argmax()])
    )
    if there.size == 1:
        return f"{curve.label}: {_number(low)} at {_number(lowest)}"
    if curve.points:
        across = f"{_number(x[there].min())} to {_number(x[there].max())}"
        return f"{curve.label}: from {across} across and {_number(low)} to {_number(high)} up"
    return (
        f"{curve.label}: {_number(y[there[0]])} at first, {_number(y[there[-1]])} at last, lowest "
        f"{_number(low)} at {_number(lowest)}, highest {_number(high)} at {_number(highest)}"
    )


def _number(value: float) -> str:
    return six_digits(float(f"{value:.4g}"))

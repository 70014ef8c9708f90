"""The scales of axes: their ends, and ticks at plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import log10
from typing import Any

from ..bars import Bars
from ..diagram import Diagram
from ..figure import Panel
from ..images import Images
from ..landscape import Landscape
from ..matrix import Matrix
from ..regions import Regions

CLOSEST = 0.08
"""Places on a logarithmic axis have a label each where no two are closer, as shares of the axis."""

NARROW, WIDE = 10.0, 1e2
"""How many times its low end the high end of a logarithmic axis is below which it has labels at equal steps,
or at 1, 2 and 5."""

LONG, LONG_NUMBERS = 1e4, 3
"""From this number on, an axis has so few numbers beside each other that they do not meet."""

PLAIN = (1e-5, 1e6)
"""A logarithmic axis within these ends has labels such as 0.001 and 1000, and any other such as 10^-9."""


def scale(panel: Panel, axes: Any) -> None:
    """Set the ends of the axes and their ticks, as a panel and what is on it ask for."""
    from matplotlib.ticker import MaxNLocator

    if isinstance(panel.ground, Bars | Images | Matrix | Diagram):
        return  # which have set them
    if panel.zeros:
        thin = {"color": "#555555", "linewidth": 0.8, "linestyle": (0, (4, 3))}
        axes.axhline(0.0, **thin)
        axes.axvline(0.0, **thin)
    if isinstance(panel.ground, Regions | Landscape):
        axes.set_xlim(panel.ground.x1[0], panel.ground.x1[-1])
        axes.set_ylim(panel.ground.x2[0], panel.ground.x2[-1])
        return
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    across = [float(x) for curve in panel.curves for x in curve.x]
    along = [float(y) for curve in panel.curves for y in curve.y]
    if panel.log_x:
        axes.set_xscale("log")
        places = sorted({x for x in across if x > 0})
        if _stand_apart(places):
            axes.set_xticks(places, [f"{x:g}" for x in places])
            axes.minorticks_off()
        else:
            _label_plainly(axes.xaxis, panel.x_limits or across)
    else:
        are_whole = all(x.is_integer() for x in across)
        are_long = max(map(abs, across), default=0.0) >= LONG
        if are_whole or are_long:
            most = {"nbins": LONG_NUMBERS} if are_long else {}
            axes.xaxis.set_major_locator(MaxNLocator(integer=are_whole, steps=[1, 2, 5, 10], **most))
    if panel.log_y:
        axes.set_yscale("log")
        _label_plainly(axes.yaxis, panel.y_limits or along)
    elif all(y.is_integer() for y in along):
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if panel.from_zero:
        axes.set_ylim(0.0, 1.1 * max(along, default=1.0))
    if panel.x_limits is not None:
        axes.set_xlim(*panel.x_limits)
    if panel.y_limits is not None:
        axes.set_ylim(*panel.y_limits)


def _stand_apart(places: list[float]) -> bool:
    """Whether rising places on a logarithmic axis are so far apart that each can have a label."""
    logs = [log10(place) for place in places]
    closest = min((b - a for a, b in pairwise(logs)), default=0.0)
    return closest > 0 and closest >= CLOSEST * (logs[-1] - logs[0])


def _label_plainly(axis: Any, values: Sequence[float]) -> None:
    """Label a logarithmic axis with plain numbers, where they are short: powers of ten, or 2 and 5 too."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator

    positive = [value for value in values if value > 0]
    if not positive or min(positive) < PLAIN[0] or max(positive) > PLAIN[1]:
        return
    plain = FuncFormatter(lambda value, _: f"{value:.10f}".rstrip("0").rstrip("."))
    axis.set_major_formatter(plain)
    axis.set_minor_formatter(NullFormatter())
    span = max(positive) / min(positive)
    if span < NARROW:  # perhaps without even a 2 or a 5 on it
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axis.set_minor_locator(NullLocator())
    elif span < WIDE:
        axis.set_minor_formatter(
            FuncFormatter(lambda value, _: plain(value) if f"{value:e}"[0] in "25" else "")
        )

"""The picture of an importance: a bar for each column, with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan

from ..checks.quoting import shown
from ..metrics import METRICS
from .bars import Bars
from .figure import Figure, Panel

MOST_BARS = 20
"""So many columns are drawn, the first ones."""

LONGEST = 24
"""The most characters of a column's name beside its bar."""


def importance_figure(
    title: str, names: Sequence[str], changes: Mapping[str, Sequence[tuple[float, float, float]]]
) -> Figure:
    """Return the figure of an importance: a bar a column, for the loss and for a metric.

    Parameters
    ----------
    title : str
    names : sequence of str
        The columns, the most important one first.
    changes : mapping
        From "loss", and perhaps the name of a metric, to how much worse each column makes it: the change, and
        the ends of its 95% interval, nan for none.

    Examples
    --------
    >>> from fuseprop.plots import importance_figure
    >>> changes = {"loss": [(0.4, 0.3, 0.5), (0.1, 0.0, 0.2)]}
    >>> figure = importance_figure("importance", ["age", "income"], changes)
    """
    drawn = names[:MOST_BARS]
    column = f"column, {len(drawn)} of {len(names):,}" if len(drawn) < len(names) else "column"
    panels = []
    for score, of_columns in changes.items():
        values, low, high = zip(*of_columns[:MOST_BARS], strict=True)
        bars = Bars([shown(name, LONGEST) for name in drawn], values, low, high)
        between = "" if any(map(isnan, low)) else " with 95% interval"
        if score == "loss":
            what, axis = "the loss rises", f"loss (mean over rows), rise{between}"
        else:
            what, axis = f"{score} falls", f"{METRICS[score].axis}, fall{between}"
        panels.append(Panel(what, axis, column, ground=bars))
    return Figure(title, panels)

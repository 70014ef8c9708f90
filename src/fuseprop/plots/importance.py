"""The picture of an importance: a bar for each column, with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..checks.quoting import counted, shown
from ..metrics import METRICS
from .figure import Bars, Figure, Panel

if TYPE_CHECKING:
    from ..model.importance import ColumnImportance, Effect, Importance

MOST_BARS = 20
"""So many columns are drawn, the most important ones."""

LONGEST = 24
"""The most characters of a column's name beside its bar."""


def importance_figure(found: Importance, title: str) -> Figure:
    """Return the figure of an importance: the rise of the loss, and the fall of a metric."""
    drawn = found.columns[:MOST_BARS]
    count = len(found.columns)
    which = f"column, {len(drawn)} of {count:,}" if len(drawn) < count else "column"
    panels = [
        Panel(
            "the loss rises",
            "loss (mean over rows), rise with 95% interval",
            which,
            bars=_bars(drawn, [column.loss for column in drawn]),
        )
    ]
    falls = [column.metric for column in drawn if column.metric is not None]
    if falls:
        panels.append(
            Panel(
                f"{found.metric} falls",
                f"{METRICS[found.metric].axis}, fall with 95% interval",
                which,
                bars=_bars(drawn, falls),
            )
        )
    permuted = f"each column permuted {counted(found.repeats, 'time')}"
    return Figure(f"{title}: {counted(found.rows, 'row')}, {permuted}", panels)


def _bars(columns: tuple[ColumnImportance, ...], effects: list[Effect]) -> Bars:
    return Bars(
        [shown(column.name, LONGEST) for column in columns],
        [effect.mean for effect in effects],
        [effect.low for effect in effects],
        [effect.high for effect in effects],
    )

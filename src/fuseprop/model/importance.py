"""Importance: by how much a model's scores get worse where the cells of a column are permuted."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import Any

from ..checks.quoting import counted, shown
from ..plots.drawing import draw_figure
from ..plots.figure import Figure
from ..plots.importance import importance_figure

LONGEST = 30
"""The most characters of a column's name in a table of text."""


@dataclass(frozen=True)
class Effect:
    """By how much a score is worse where a column is permuted: a loss rises, a metric falls.

    Attributes
    ----------
    mean, deviation : float
        Over the repeats, the standard deviation divided by their number less 1; nan for a single repeat. It
        tells how much the permutations leave open, and nothing of the rows.
    low, high : float
        The 95% interval of the mean over other rows of the same kind: see `permuting`. Both are nan where
        there are too few rows for one.
    """

    mean: float
    deviation: float
    low: float
    high: float


@dataclass(frozen=True)
class ColumnImportance:
    """What permuting one column does.

    Attributes
    ----------
    name : str
    loss : Effect
        The rise of the loss, in the loss's own units.
    metric : Effect or None
        The fall of the metric; None where the loss alone is reported.
    """

    name: str
    loss: Effect
    metric: Effect | None


@dataclass(frozen=True)
class Importance:
    """The importance of each column of a table to a model: `Model.explain` returns it; as text it is a table.

    Attributes
    ----------
    columns : tuple of ColumnImportance
        The largest rise of the loss first.
    metric : str
        The metric's name: "accuracy", "r2", "d2" or "loss".
    scores : dict
        Loss and metric of the rows as they are.
    rows, repeats : int
        How many rows there are, and how often each column was permuted.
    notes : tuple of str
        What to keep in mind, in sentences: few rows, columns that share their importance.
    """

    columns: tuple[ColumnImportance, ...]
    metric: str
    scores: dict[str, float]
    rows: int
    repeats: int
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the table: a line a column, what was permuted how often, and the notes."""
        table = [["column", "loss rises by", "95% interval"]]
        if self.metric != "loss":
            table[0] += [f"{self.metric} falls by", "95% interval"]
        for column in self.columns:
            effects = [effect for effect in (column.loss, column.metric) if effect is not None]
            table.append([shown(column.name, LONGEST), *(text for e in effects for text in _in_words(e))])
        widths = [max(map(len, texts)) for texts in zip(*table, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
        scores = ", ".join(f"{name} {score:.4g}" for name, score in self.scores.items())
        about = f"{counted(self.rows, 'row')}, as they are: {scores}; {self._permuted}"
        return "\n".join([*lines, about, *self.notes])

    def figure(self, title: str) -> Figure:
        """Return what is in the picture: a bar with its interval for each of the most important columns."""
        names = [column.name for column in self.columns]
        changes = {"loss": [_change(column.loss) for column in self.columns]}
        metrics = [_change(column.metric) for column in self.columns if column.metric is not None]
        if metrics:
            changes[self.metric] = metrics
        about = f"{title}: {counted(self.rows, 'row')}, {self._permuted}"
        return importance_figure(about, names, changes)

    def plot(self, title: str = "importance") -> Any:
        """Return the figure, drawn: a `matplotlib.figure.Figure`.

        A notebook shows it; ``found.plot().savefig("importance.png")`` writes it. Raises PlotsUnavailable
        without matplotlib, the extra "plots".
        """
        return draw_figure(self.figure(title))

    @property
    def _permuted(self) -> str:
        return f"each column permuted {counted(self.repeats, 'time')}"


def _change(effect: Effect) -> tuple[float, float, float]:
    return effect.mean, effect.low, effect.high


def _in_words(effect: Effect) -> tuple[str, str]:
    """Return mean and deviation, and the interval."""
    deviation = "" if isnan(effect.deviation) else f" +- {effect.deviation:.2g}"
    between = "none" if isnan(effect.low) else f"{effect.low:.3g} to {effect.high:.3g}"
    return f"{effect.mean:.3g}{deviation}", between

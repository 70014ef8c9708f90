"""The pictures of what a model says of rows whose targets are known: confusion, and residuals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..checks.quoting import counted, shown
from .curve import Curve
from .figure import Panel
from .matrix import Matrix

MOST_CLASSES = 15
"""The most classes whose confusion is a picture in which counts can be read."""

LONGEST = 14
"""The most characters of a class's name at an axis."""

MOST_POINTS = 400
"""So many rows are drawn as points: of more, one of every few in the order of their predictions."""

FEWEST_BARS, MOST_BARS = 13, 40
"""How many parts the range of residuals has in a histogram."""


def confusion_panel(counts: HostArray, classes: Sequence[object], title: str = "confusion") -> Panel:
    """Return the panel of how many rows (k, k) of each class, down, were taken for which, across."""
    names = [shown(name, LONGEST) for name in classes]
    return Panel(title, "predicted", "true", ground=Matrix(counts, names, names))


def predictions_panel(
    actual: NDArray[np.float64], predicted: NDArray[np.float64], target: str, rows: str
) -> Panel:
    """Return the panel of predictions (n,) over targets (n,), all finite; `rows` says which rows they are."""
    order = np.argsort(predicted, kind="stable")
    drawn = order[np.linspace(0, len(order) - 1, min(MOST_POINTS, len(order))).astype(np.int64)]
    label = rows if len(drawn) == len(order) else f"{rows}, {counted(len(drawn), 'row')} of {len(order):,}"
    both = np.concatenate([actual, predicted])
    ends = [float(both.min()), float(both.max())]
    curves = [
        Curve("predicted = actual", ends, ends),
        Curve(label, actual[drawn].tolist(), predicted[drawn].tolist(), points=True),
    ]
    name = shown(target, LONGEST)
    return Panel(f"{name}: predicted and actual", f"actual {name}", f"predicted {name}", curves)


def residuals_panel(residuals: NDArray[np.float64], target: str) -> Panel:
    """Return the histogram of residuals (n,), all finite: an outline over parts of equal width."""
    bars = int(np.clip(np.sqrt(len(residuals)), FEWEST_BARS, MOST_BARS))
    counts, edges = np.histogram(residuals, bars)
    name = shown(target, LONGEST)
    outline = Curve(
        counted(len(residuals), "row"),
        np.repeat(edges, 2).tolist(),
        [0.0, *np.repeat(counts, 2).astype(float).tolist(), 0.0],
    )
    return Panel(f"{name}: errors", f"predicted less actual {name}", "rows", [outline])

"""Scores as lines of text: a table with intervals, a confusion matrix, and what is meant and missing."""

from __future__ import annotations

from ..checks.quoting import shown
from ..metrics import Scores
from ..metrics.scores import Confusion
from ..model.reporting.scores import notes_of

MOST_CLASSES = 10
"""A confusion matrix of more classes is in the JSON alone."""

LONGEST = 12
"""The characters of a class's name in a confusion matrix."""


def score_lines(scores: Scores, title: str = "") -> list[str]:
    """Return a title, and a line for each score with its interval, or with the reason why there is none."""
    width = max(len(name) for name in [*scores, *scores.undefined]) + 2
    lines = []
    for name, value in scores.items():
        interval = scores.intervals.get(name)
        between = "" if interval is None else f"  {interval[0]:.4g} to {interval[1]:.4g}"
        lines.append(f"{name:<{width}}{value:<10.6g}{between}".rstrip())
    lines += [f"{name:<{width}}none: {why}" for name, why in scores.undefined.items()]
    lines += notes_of(scores)
    if scores.intervals:
        lines.insert(0, f"{title:<{width + 10}}  95% interval")
    return lines


def confusion_lines(confusion: Confusion | None) -> list[str]:
    """Return a confusion matrix as lines; none for many classes."""
    if confusion is None or len(confusion.classes) > MOST_CLASSES:
        return []
    names = [shown(name, LONGEST) for name in confusion.classes]
    first = max(len("true"), *map(len, names)) + 2
    widths = [
        max(len(name), *(len(f"{count}") for count in column)) + 2
        for name, column in zip(names, confusion.counts.T, strict=True)
    ]
    header = "".join(f"{name:>{width}}" for name, width in zip(names, widths, strict=True))
    lines = [f"{'true':<{first}}{header}  predicted"]
    for name, row in zip(names, confusion.counts, strict=True):
        cells = "".join(f"{count:>{width}}" for count, width in zip(row, widths, strict=True))
        lines.append(f"{name:<{first}}{cells}")
    return lines


def confusion_data(confusion: Confusion | None) -> dict[str, object] | None:
    """Return a confusion matrix as data for JSON."""
    if confusion is None:
        return None
    return {"classes": confusion.classes, "counts": confusion.counts}

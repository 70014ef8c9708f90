"""Scores as parts of a page: a table with intervals, and what the scores are."""

from __future__ import annotations

from collections.abc import Mapping

from ...checks.quoting import counted, shown
from ...data.errors import listed
from ...data.tasks import Task
from ...metrics import Scores
from ...showing import paragraph
from ...showing.page import table


def scores_parts(parts: Mapping[str, Scores], rows: Mapping[str, int], task: Task) -> list[str]:
    """Return the table of the scores of parts of a table, such as "train" and "test", by their names.

    `rows` says how many each has, where it is known. A part with intervals has their ends beside its scores.
    """
    names = dict.fromkeys(name for scores in parts.values() for name in (*scores, *scores.undefined))
    columns = ["score"]
    for part, scores in parts.items():
        columns.append(f"{part}, {counted(rows[part], 'row')}" if part in rows else part)
        columns += [f"{part}: 95% from", "to"] if scores.intervals else []
    lines = []
    for name in names:
        line: list[object] = [name]
        for scores in parts.values():
            line.append(scores.get(name))
            line += scores.intervals.get(name, (None, None)) if scores.intervals else []
        lines.append(line)
    # Scores that are means, of several networks, have no confusion matrix, which tells what F1 is of.
    telling = [scores for scores in parts.values() if scores.confusion is not None] or list(parts.values())
    notes = dict.fromkeys(note for scores in telling for note in notes_of(scores))
    if "baseline" in names:
        notes[f"baseline: {about_baseline(task.name)}, on the same rows"] = None
    notes |= dict.fromkeys(about_targets(task))
    for part, scores in parts.items():
        notes |= dict.fromkeys(f"{name} of {part}: none, as {why}" for name, why in scores.undefined.items())
    return [table("Scores of each part", columns, lines), *map(paragraph, notes)]


def about_baseline(task: str) -> str:
    """Return which accuracy the baseline of a task is, in words."""
    what = "combination of labels" if task == "multi-label" else "class"
    return f"the accuracy of the most frequent {what} alone"


def about_targets(task: Task) -> list[str]:
    """Return a line that says of what the scores of a regression of several targets are means."""
    count = len(task.targets)
    if task.name != "regression" or count == 1:
        return []
    return [
        f"r2, rmse, mae, rmse_of_mean: the mean over the {count} targets of what each has in its own units, "
        f"so that those with large numbers weigh most"
    ]


def notes_of(scores: Scores) -> list[str]:
    """Return lines that say which score some names stand for."""
    notes = [f"f1: {_f1_is_of(scores)}"] if "f1" in scores else []
    if "rmse_of_mean" in scores:
        notes.append("rmse_of_mean: the RMSE of predicting the mean of these rows")
    return notes


def _f1_is_of(scores: Scores) -> str:
    """Return which F1 a score is, in words."""
    if scores.confusion is None:
        return "the mean over the labels"
    classes = scores.confusion.classes
    return f"of the class {shown(classes[1])}" if len(classes) == 2 else "the mean over the classes"


def about_task(task: Task) -> str:
    """Return in words what is predicted, such as "color, one of 3 classes"."""
    what = {
        "regression": "a number" if len(task.targets) == 1 else "numbers",
        "multi-label": f"any of {counted(len(task.targets), 'label')}",
    }
    return f"{listed(task.targets)}, {what.get(task.name, f'one of {len(task.classes)} classes')}"


def headline(task: Task, scores: Scores | None, count: int, rows: str) -> str:
    """Return the first score beside the loss, over so many rows, in a line."""
    if scores is None:
        return "no rows with targets were given"
    name = next((name for name in scores if name not in ("loss", "baseline", "rmse_of_mean")), "loss")
    if name not in scores:
        return f"no score of {count:,} {rows}"
    interval = scores.intervals.get(name)
    between = "" if interval is None else f" (95% interval {interval[0]:.4g} to {interval[1]:.4g})"
    targets = len(task.targets)
    over = f", the mean over {targets} targets," if task.name == "regression" and targets > 1 else ""
    return f"{name} {scores[name]:.4g}{between}{over} of {count:,} {rows}"

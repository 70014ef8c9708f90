"""What a model says of rows beside what is true, as parts of a page: confusion, labels, or errors."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, isnan

import numpy as np

from ...checks.quoting import counted, shown
from ...metrics.scores.decided import Decided, confusion_counts
from ...metrics.scores.numbers import Residuals
from ...metrics.scores.resampling import Groups
from ...plots.outcome import LONGEST, MOST_CLASSES, confusion_panel, predictions_panel, residuals_panel
from ...showing import paragraph
from ...showing.page import folded, table
from ..decisions import Decisions
from .pictures import drawn

MOST_PAIRS = 20
"""So many pairs of classes that are taken for each other are listed, the commonest ones."""

MOST_LISTED = 200
"""So many classes, labels or targets have a line each; the first ones, where there are more."""

MOST_DRAWN = 2
"""So many targets of a regression have pictures, the first ones."""

MOST_LABELS = 6
"""So many labels have pictures, the first ones."""

SHARES = {"5%": 0.05, "25%": 0.25, "median": 0.5, "75%": 0.75, "95%": 0.95}
"""The quantiles of errors that are told, by their names."""


def answers_parts(decisions: Decisions, rows: str) -> list[str]:
    """Return tables and pictures of decisions; `rows` says which rows they are of, such as "test rows".

    Raises PlotsUnavailable without matplotlib.
    """
    if not decisions.is_finite:
        return [
            paragraph(f"What the network says of these {rows} is not finite: there is nothing to compare.")
        ]
    if decisions.task.name == "regression":
        return _of_numbers(decisions, rows)
    return _of_classes(decisions) if decisions.task.classes else _of_labels(decisions)


def _of_classes(decisions: Decisions) -> list[str]:
    classes = [str(name) for name in decisions.task.classes]
    k = len(classes)
    counts = confusion_counts(decisions.true, decisions.predicted, k)
    parts = []
    if k <= MOST_CLASSES:
        listed = [(shown(name), *line) for name, line in zip(classes, counts.tolist(), strict=True)]
        names = ("true class", *(f"as {shown(name)}" for name in classes))
        parts = [
            drawn([confusion_panel(counts, classes)]),
            folded("The same in numbers", table("Rows by true and predicted class", names, listed)),
        ]
    parts.append(_most_confused(counts, classes))
    decided = Decided.of_classes(decisions.true, decisions.predicted, k, Groups(len(decisions.true)))
    return [*parts, *_each("class", classes, decided)]


def _most_confused(counts: np.ndarray, classes: Sequence[str]) -> str:
    """Return the pairs of classes that are taken for each other most often."""
    wrong = counts * (1 - np.eye(len(counts), dtype=np.int64))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS].tolist()
    pairs = [divmod(place, len(counts)) for place in order if wrong.flat[place]]
    if not pairs:
        return paragraph("Every one of these rows is decided right.")
    lines = [
        (shown(classes[i]), shown(classes[j]), int(wrong[i, j]), float(wrong[i, j] / counts[i].sum()))
        for i, j in pairs
    ]
    more = int((wrong > 0).sum()) - len(pairs)
    left = paragraph(f"And {counted(more, 'more pair')} of classes.") if more else ""
    return table("Most confused", ("true", "taken for", "rows", "share of the true class"), lines) + left


def _of_labels(decisions: Decisions) -> list[str]:
    groups = Groups(len(decisions.true))
    decided = Decided.of_labels(decisions.true, decisions.predicted, groups)
    names = decisions.task.targets
    panels = [
        confusion_panel(
            confusion_counts(decisions.true[:, j].astype(np.int64), decisions.predicted[:, j], 2),
            ("without", "with"),
            f"{shown(name, LONGEST)}: confusion",
        )
        for j, name in enumerate(names[:MOST_LABELS])
    ]
    parts = [drawn(panels), *_each("label", names, decided)]
    if len(names) > MOST_LABELS:
        parts.append(paragraph(f"Drawn are the first {MOST_LABELS} of {len(names):,} labels."))
    return parts


def _each(what: str, names: Sequence[str], decided: Decided) -> list[str]:
    """Return a table with a line for each class or label."""
    counts = [each[0].astype(int).tolist() for each in (decided.of_class, decided.predicted, decided.hits)]
    with np.errstate(divide="ignore"):
        ratios = [
            each()[0].tolist()
            for each in (decided.recall_of_each, decided.precision_of_each, decided.f1_of_each)
        ]
    lines = [
        (shown(name), *numbers, *(None if isnan(ratio) else ratio for ratio in scores))
        for name, numbers, scores in zip(
            names[:MOST_LISTED], zip(*counts, strict=True), zip(*ratios, strict=True), strict=False
        )
    ]
    heads = (what, "rows that have it", "rows taken for it", "of them right", "recall", "precision", "f1")
    made = table(f"Each {what}", heads, lines)
    if len(names) > MOST_LISTED:
        made += paragraph(f"The first {MOST_LISTED} of {len(names):,}.")
    return [made]


def _of_numbers(decisions: Decisions, rows: str) -> list[str]:
    task, errors = decisions.task, decisions.predicted - decisions.true
    panels, lines = [], []
    for j, name in enumerate(task.targets[:MOST_LISTED]):
        true, predicted, error = decisions.true[:, j], decisions.predicted[:, j], errors[:, j]
        if j < MOST_DRAWN:
            panels += [predictions_panel(true, predicted, name, rows), residuals_panel(error, name)]
        residuals = Residuals(true[:, None], predicted[:, None])
        whole = residuals.sums(Groups(len(true)))
        with np.errstate(divide="ignore", invalid="ignore"):  # a target that does not vary has no r2
            scores = [float(each(whole)[0]) for each in (residuals.r2, residuals.rmse, residuals.mae)]
        told = [score if isfinite(score) else None for score in scores]
        quantiles = np.quantile(error, list(SHARES.values())).tolist()
        lines.append((shown(name), float(error.mean()), *told, *quantiles))
    names = ("target", "mean error", "r2", "rmse", "mae", *SHARES)
    parts = [drawn(panels), table("Errors, predicted less actual, in the target's units", names, lines)]
    if len(task.targets) > MOST_DRAWN:
        parts.append(paragraph(f"Drawn are the first {MOST_DRAWN} of {len(task.targets):,} targets."))
    return parts

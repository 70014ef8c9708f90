"""Which scores a task has, and how they come of a network's predictions and targets.

Predictions are the last layer's outputs through the link of the loss, as `Predictor` returns them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..checks.arrays import all_finite
from ..data.scaling import Standardizer
from ..data.tasks import Task
from ..formulas.loss import AnyLoss
from ..metrics.scores import Confusion, Scores
from ..metrics.scores.decided import Decided, confusion_counts
from ..metrics.scores.numbers import Residuals
from ..metrics.scores.probable import Surprise
from ..metrics.scores.ranked import Ranked, no_auc
from ..metrics.scores.resampling import Floats, Groups, Sums, groups_of, intervals
from .decisions import in_own_units

OF_CLASSES = ("accuracy", "balanced_accuracy", "f1", "log_loss", "roc_auc")
OF_LABELS = ("accuracy", "f1")
OF_NUMBERS = ("r2", "rmse", "mae")

NOT_FINITE = "what the network predicts is nan or inf"

TOO_LARGE = "targets are too close to the largest float64, 1.8e308"


def scores_of(
    task: Task,
    loss: AnyLoss,
    scaling: Standardizer | None,
    predictions: NDArray[np.floating],
    targets: HostArray,
    with_intervals: bool,
) -> Scores:
    """Return the scores of predictions (n, k), with targets of a network with this loss.

    `scaling` is what a regression's targets are standardized by, if they are.
    """
    if task.name == "regression":
        return scores_of_numbers(*in_own_units(scaling, predictions, targets), with_intervals)
    baseline = Scores({"baseline": task.baseline(targets)})
    true = task.uncoded(targets, loss)
    if task.classes:
        return baseline.joined(scores_of_classes(task, loss, predictions, true, with_intervals))
    if not all_finite(predictions):
        return baseline.joined(Scores(undefined=dict.fromkeys(OF_LABELS, NOT_FINITE)))
    decided = task.decided_numbers(predictions, loss)
    return baseline.joined(scores_of_labels(decided, true, with_intervals))


def scores_of_classes(
    task: Task,
    loss: AnyLoss,
    predictions: NDArray[np.floating],
    targets: NDArray[np.int64],
    with_intervals: bool,
) -> Scores:
    """Return the scores of one target with classes: predictions (n, k), and class numbers (n,).

    There is a log loss only where predictions are probabilities of classes that exclude each other.
    """
    if not all_finite(predictions):
        return Scores(undefined=dict.fromkeys(OF_CLASSES, NOT_FINITE))
    k, decided = len(task.classes), task.decided_numbers(predictions, loss)
    scoring = _Scoring(Scores(), len(targets), with_intervals)
    scoring.scores.confusion = Confusion(task.classes, confusion_counts(targets, decided, k))
    formulas = {"accuracy": Decided.accuracy, "balanced_accuracy": Decided.balanced_accuracy}
    if k > 2:
        formulas["f1"] = Decided.macro_f1
    elif targets.any() or decided.any():
        formulas["f1"] = Decided.f1_of_second
    else:
        scoring.scores.undefined["f1"] = f"{no_auc(targets, task.classes)}, and none is taken for it"
    scoring.add(
        lambda groups: Decided.of_classes(targets, decided, k, groups), formulas, Decided.with_unseen_rows
    )
    if task.has_probabilities(loss) and (k == 2 or loss.takes_labels):
        p = task.probabilities(predictions)
        scoring.add(lambda groups: Surprise.of(targets, p, groups), {"log_loss": Surprise.log_loss})
    scoring.add_auc(task, predictions, targets)
    return scoring.scores


def scores_of_labels(decided: NDArray[np.int64], targets: NDArray[np.int64], with_intervals: bool) -> Scores:
    """Return the scores of labels that do not exclude each other; both (n, t) hold 0 and 1."""
    scoring = _Scoring(Scores(), len(targets), with_intervals)
    scoring.add(
        lambda groups: Decided.of_labels(targets, decided, groups),
        {"accuracy": Decided.accuracy, "f1": Decided.macro_f1_of_labels},
        Decided.with_unseen_rows,
    )
    return scoring.scores


def scores_of_numbers(values: Floats, targets: Floats, with_intervals: bool) -> Scores:
    """Return the scores of numbers; both (n, t) are in the targets' own units.

    "rmse_of_mean" is the RMSE of predicting the mean of these rows, to compare "rmse" with.
    """
    for what, numbers in ((NOT_FINITE, values), (TOO_LARGE, targets)):
        if not all_finite(numbers):
            return Scores(undefined=dict.fromkeys(OF_NUMBERS, what))
    scoring, residuals = _Scoring(Scores(), len(targets), with_intervals), Residuals(targets, values)
    formulas = {"r2": residuals.r2, "rmse": residuals.rmse, "mae": residuals.mae}
    if len(targets) == 1:
        del formulas["r2"]
        scoring.scores.undefined["r2"] = "one row alone deviates from no mean"
    with np.errstate(over="ignore", invalid="ignore"):
        scoring.add(residuals.sums, formulas)
        whole = residuals.sums(Groups(len(targets)))
        scoring.put({"rmse_of_mean": float(residuals.rmse_of_mean(whole)[0])})
    return scoring.scores


@dataclass(frozen=True)
class _Scoring:
    """Scores that are being computed, over so many rows."""

    scores: Scores
    rows: int
    with_intervals: bool

    @cached_property
    def groupings(self) -> list[Groups]:
        """The groups of rows that intervals come from; none without intervals."""
        return [groups_of(self.rows)] if self.with_intervals else []

    def put(self, values: Mapping[str, float]) -> None:
        """Add scores; what is nan or inf is undefined."""
        made = Scores(values)
        self.scores.update(made)
        self.scores.undefined.update(made.undefined)

    def add(
        self,
        sums_of: Callable[[Groups], Sums],
        formulas: Mapping[str, Callable[[Sums], Floats]],
        with_unseen: Callable[[Sums], Sums] = lambda sums: sums,
    ) -> None:
        """Add scores that are functions of sums over rows, with their intervals; see `intervals`."""
        whole = sums_of(Groups(self.rows))
        values = {name: float(formula(whole)[0]) for name, formula in formulas.items()}
        self.put(values)
        for groups in self.groupings:
            self.scores.intervals.update(intervals(with_unseen(sums_of(groups)), formulas, values))

    def add_auc(self, task: Task, predictions: NDArray[np.floating], targets: NDArray[np.int64]) -> None:
        """Add the ROC AUC with its interval, or why there is none."""
        why = no_auc(targets, task.classes)
        if why:
            self.scores.undefined["roc_auc"] = why
            return
        whole, *resampled = Ranked.of(targets, predictions, Groups(self.rows), *self.groupings)
        auc = float(whole.auc().mean())
        self.scores["roc_auc"] = auc
        for sums in resampled:
            self.scores.intervals.update(sums.intervals(auc))

"""What a model says of rows beside what is true of them, in the terms of their table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..checks.arrays import all_finite
from ..data.scaling import Standardizer
from ..data.tasks import Task
from ..formulas.loss import AnyLoss


@dataclass(frozen=True)
class Decisions:
    """Predictions and targets of n rows.

    Attributes
    ----------
    task : Task
    true, predicted : (n,) or (n, t)
        Class numbers (n,) int64; labels (n, t), which are 0 or 1; values (n, t) float64 in the targets' own
        units.
    is_finite : bool
        Whether all that the network says of them is; a class could be chosen of nan too.
    """

    task: Task
    true: HostArray
    predicted: HostArray
    is_finite: bool


def decisions_of(
    task: Task,
    loss: AnyLoss,
    scaling: Standardizer | None,
    predictions: NDArray[np.floating],
    targets: HostArray,
) -> Decisions:
    """Return the decisions that predictions (n, k) of a network stand for, beside its targets."""
    if task.name == "regression":
        values, own = in_own_units(scaling, predictions, targets)
        return Decisions(task, own, values, all_finite(values) and all_finite(own))
    decided = task.decided_numbers(predictions, loss)
    return Decisions(task, task.uncoded(targets, loss), decided, all_finite(predictions))


def in_own_units(
    scaling: Standardizer | None, predictions: NDArray[np.floating], targets: HostArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a regression's predictions and targets (n, t) in the units of the targets."""
    values, own = (each.reshape(len(targets), -1).astype(np.float64) for each in (predictions, targets))
    if scaling is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            values, own = scaling.undo(values), scaling.undo(own)
    return values, own

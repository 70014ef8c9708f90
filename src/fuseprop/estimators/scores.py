"""How good outputs are, as the estimators' `score` says it: accuracy, or R^2."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import r2_score

from ..backend import HostArray
from ..layers.targets import Targets


def accuracy(logits: HostArray, targets: Targets, weights: HostArray | None) -> float:
    """Return the share of rows that are decided as their targets say; logits (m, k)."""
    if targets.labels is not None:
        right = logits.argmax(axis=1) == targets.labels
    else:
        right = ((logits > 0) == targets.values).all(axis=1)
    return float(np.average(right, weights=weights))


def r_squared(predictions: HostArray, targets: Targets, weights: HostArray | None) -> float:
    """Return R^2, the mean over outputs; predictions (m, k). nan where a prediction is not finite."""
    if not np.isfinite(predictions).all():
        return float("nan")
    with np.errstate(over="ignore", invalid="ignore"):
        return float(r2_score(targets.values, predictions, sample_weight=weights))

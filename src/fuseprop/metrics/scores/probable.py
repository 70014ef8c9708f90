"""Log loss: how probable the true classes are said to be."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...backend import HostArray
from .given import scored_rows
from .resampling import Floats, Groups


class Surprise(NamedTuple):
    """Sums over rows of -log p of the true class, of each of several sets of rows: both (...)."""

    rows: Floats
    total: Floats

    @classmethod
    def of(cls, target: HostArray, probabilities: NDArray[np.floating], groups: Groups) -> Surprise:
        """Sum over each group of rows; class numbers (n,) and probabilities (n, k).

        Probabilities are at least eps of their dtype, and at most 1 - eps, as in scikit-learn.
        """
        eps = np.finfo(probabilities.dtype).eps
        p = np.clip(probabilities[np.arange(len(target)), target], eps, 1 - eps)
        return cls(groups.sum(np.ones(len(target))), groups.sum(-np.log(p)))

    def log_loss(self) -> Floats:
        """Return the mean of -log p, (...)."""
        return self.total / self.rows


def log_loss(target: object, probabilities: object, classes: Any = None) -> float:
    """Return the mean over rows of -log p, p being the probability of the row's class.

    Parameters
    ----------
    target : (n,)
        Classes of any type.
    probabilities : (n, k), or (n,) of the second of two classes
        Each row adds up to 1. What is below eps of the dtype, or above 1 - eps, counts as that.
    classes : sequence, optional
        The classes of the columns; by default those in `target`, in ascending order.

    Raises ValueError for shapes that do not fit, no rows, fewer than two classes, and what are no
    probabilities.

    Examples
    --------
    >>> from fuseprop.metrics import log_loss
    >>> round(log_loss([0, 1], [[0.5, 0.5], [0.75, 0.25]]), 4)
    1.0397
    """
    numbers, p, _ = scored_rows(target, probabilities, classes, "probabilities")
    if p.shape[1] == 1:
        p = np.hstack([1 - p, p])
    tolerance = float(np.sqrt(np.finfo(p.dtype).eps))
    if p.min() < 0 or np.abs(p.sum(axis=1) - 1).max() > tolerance:
        raise ValueError(
            "probabilities must lie between 0 and 1, and those of a row add up to 1. Outputs that are "
            "none have no log loss; roc_auc takes them."
        )
    return float(Surprise.of(numbers, p, Groups(len(numbers))).log_loss()[0])

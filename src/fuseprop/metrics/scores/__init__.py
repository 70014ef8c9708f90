"""Scores of predictions on host arrays, in the target's own units: NumPy alone, each formula once.

A score is a function of a few sums over rows: of counts (`decided`), of log probabilities (`probable`), of
placements (`ranked`), of errors (`numbers`). The same functions give a score and, of the sums of resampled
rows, its interval (`resampling`). `given` checks the arrays of users; `scores` holds scores by name, which is
what `Model.evaluate` returns.
"""

from .decided import accuracy, balanced_accuracy, confusion_matrix, f1
from .numbers import mae, r2, rmse
from .probable import log_loss
from .ranked import roc_auc
from .scores import Confusion, Scores

__all__ = [
    "Confusion",
    "Scores",
    "accuracy",
    "balanced_accuracy",
    "confusion_matrix",
    "f1",
    "log_loss",
    "mae",
    "r2",
    "rmse",
    "roc_auc",
]

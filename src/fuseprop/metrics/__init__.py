"""Metrics: how good predictions are, as the task counts it. A metric never changes the weights.

`choice` holds those that training measures beside its steps by name, and says which one goes with a loss.
`scores` computes those that are reported at the end, of predictions on the host.
"""

from .choice import METRICS, check_metric, make_metric, metric_of_values
from .means import weighted_mean
from .protocol import Metric
from .scores import (
    Confusion,
    Scores,
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    f1,
    log_loss,
    mae,
    r2,
    rmse,
    roc_auc,
)

__all__ = [
    "METRICS",
    "Confusion",
    "Metric",
    "Scores",
    "accuracy",
    "balanced_accuracy",
    "check_metric",
    "confusion_matrix",
    "f1",
    "log_loss",
    "mae",
    "make_metric",
    "metric_of_values",
    "r2",
    "rmse",
    "roc_auc",
    "weighted_mean",
]

"""Metrics: how good predictions are, as the task counts it. A metric never changes the weights.

`choice` holds them by name, and says which one goes with a loss.
"""

from .choice import METRICS, check_metric, make_metric, metric_of_values
from .means import weighted_mean
from .protocol import Metric
from .scores import Confusion, Scores

__all__ = [
    "METRICS",
    "Confusion",
    "Metric",
    "Scores",
    "check_metric",
    "make_metric",
    "metric_of_values",
    "weighted_mean",
]

"""Metrics: how good predictions are, in the words of the task. A metric never steers the weights."""

from .choice import METRICS, check_metric, make_metric, metric_of_values
from .means import weighted_mean
from .protocol import Metric

__all__ = ["METRICS", "Metric", "check_metric", "make_metric", "metric_of_values", "weighted_mean"]

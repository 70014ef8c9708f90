"""Metrics: how good predictions are, in the words of the task. A metric never steers the weights.

Each batch writes into `hits` on the device; the host reads them once an epoch and asks for the score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from .activations import ACTIVATIONS
from .backend import AnyBackend, Array, HostArray
from .choices import choose
from .layers import Dense
from .losses import HalfPoissonDeviance, Loss, MeanAbsoluteError, SquaredError
from .targets import Targets


class Metric(Protocol):
    """One metric over one set of rows."""

    @property
    def name(self) -> str:
        """The metric's name in `METRICS`."""

    @property
    def counts_hits(self) -> bool:
        """Whether `record` writes anything."""

    def record(
        self, backend: AnyBackend, output: Array, target: Array, labels: Array, *, hits: Array
    ) -> None:
        """Write what a batch contributes, (n,), into `hits`; may write nothing."""

    def score(self, losses: HostArray, hits: HostArray, weights: HostArray | None) -> float:
        """Return the metric of all rows from each row's loss and hit, all (N,)."""


@dataclass(frozen=True)
class ArgmaxAccuracy:
    """The share of rows whose largest output stands at their class: exclusive classes."""

    name: str = "accuracy"
    counts_hits: ClassVar[bool] = True

    def record(
        self, backend: AnyBackend, output: Array, target: Array, labels: Array, *, hits: Array
    ) -> None:
        """See `Metric.record`."""
        backend.argmax_equals(output, labels, out=hits)

    def score(self, losses: HostArray, hits: HostArray, weights: HostArray | None) -> float:
        """See `Metric.score`."""
        return weighted_mean(hits, weights)


@dataclass(frozen=True)
class ThresholdAccuracy:
    """The share of rows in which every output is on the right side of its threshold."""

    output_threshold: float
    target_threshold: float
    name: str = "accuracy"
    counts_hits: ClassVar[bool] = True

    def record(
        self, backend: AnyBackend, output: Array, target: Array, labels: Array, *, hits: Array
    ) -> None:
        """See `Metric.record`."""
        backend.threshold_equals(output, target, self.output_threshold, self.target_threshold, out=hits)

    def score(self, losses: HostArray, hits: HostArray, weights: HostArray | None) -> float:
        """See `Metric.score`."""
        return weighted_mean(hits, weights)


@dataclass(frozen=True)
class RSquared:
    """R^2 = 1 - sum of squared errors / sum of squared deviations from the mean, over all outputs.

    This is 1 for perfect predictions and 0 for the mean; with several outputs it weighs each by its variance
    (equally, where targets are standardized). Where targets do not vary it is 1 if they are met, else 0.

    Attributes
    ----------
    variance : float
        Weighted mean over rows of sum_j (t_j - mean t_j)^2.
    factor : float
        The loss's own c in c sum_j (y - t)^2.
    """

    variance: float
    factor: float
    name: str = "r2"
    counts_hits: ClassVar[bool] = False

    def record(
        self, backend: AnyBackend, output: Array, target: Array, labels: Array, *, hits: Array
    ) -> None:
        """Write nothing: the losses tell everything."""

    def score(self, losses: HostArray, hits: HostArray, weights: HostArray | None) -> float:
        """See `Metric.score`."""
        error = weighted_mean(losses, weights) / self.factor
        if self.variance == 0.0:
            return 1.0 if error == 0.0 else 0.0
        return 1.0 - error / self.variance


@dataclass(frozen=True)
class LossExplained:
    """D^2 = 1 - loss / loss of the best constant prediction, over all outputs.

    What R^2 is to squared errors, for others: absolute ones, whose best constant is the median
    (scikit-learn's d2_absolute_error_score), and Poisson deviances, where it is the mean (d2_tweedie_score
    with power 1). It is 1 for perfect predictions and 0 for that constant. Where targets do not vary it is 1
    if they are met, else 0.

    Attributes
    ----------
    constant : float
        The weighted mean loss over rows of that constant.
    """

    constant: float
    name: str = "d2"
    counts_hits: ClassVar[bool] = False

    def record(
        self, backend: AnyBackend, output: Array, target: Array, labels: Array, *, hits: Array
    ) -> None:
        """Write nothing: the losses tell everything."""

    def score(self, losses: HostArray, hits: HostArray, weights: HostArray | None) -> float:
        """See `Metric.score`."""
        error = weighted_mean(losses, weights)
        if self.constant == 0.0:
            return 1.0 if error == 0.0 else 0.0
        return 1.0 - error / self.constant


@dataclass(frozen=True)
class LossAlone:
    """The mean loss again: for those who want no second number, and a step without the work for it."""

    name: str = "loss"
    counts_hits: ClassVar[bool] = False

    def record(
        self, backend: AnyBackend, output: Array, target: Array, labels: Array, *, hits: Array
    ) -> None:
        """Write nothing: the losses tell everything."""

    def score(self, losses: HostArray, hits: HostArray, weights: HostArray | None) -> float:
        """See `Metric.score`."""
        return weighted_mean(losses, weights)


def weighted_median(values: NDArray[np.float64], weights: HostArray | None) -> NDArray[np.float64]:
    """Return the median over rows, each counted with its weight; values (N, k), result (k,)."""
    if weights is None:
        return np.median(values, axis=0)
    medians = []
    for column in values.T:
        order = np.argsort(column)
        reached = np.cumsum(weights[order])
        medians.append(column[order][np.searchsorted(reached, reached[-1] / 2)])
    return np.array(medians)


def weighted_mean(values: HostArray, weights: HostArray | None) -> float:
    """Return sum(w v) / sum(w) in float64, or the plain mean; values and weights (N,)."""
    if weights is None:
        return float(np.add.reduce(values, dtype=np.float64)) / len(values)  # half the time of values.mean()
    return float(np.average(values, weights=weights.astype(np.float64, copy=False)))


def make_metric(
    name: str | None, loss: Loss, last: Dense, targets: Targets, weights: HostArray | None
) -> Metric:
    """Return the named metric for these targets; None means accuracy for classes, else what fits the loss.

    Raises ValueError for an unknown name, and for a metric that needs another loss.
    """
    if name is None:
        name = "accuracy" if targets.labels is not None else metric_of_values(loss)
    return choose("metric", name, METRICS)(loss, last, targets, weights)


def metric_of_values(loss: Loss) -> str:
    """Return the name of the metric that fits a loss where targets are values rather than classes."""
    return next((name for name, kind in NEEDS.items() if isinstance(loss, kind)), "accuracy")


def check_metric(name: str, loss: Loss) -> None:
    """Raise ValueError for an unknown metric, and for one that the losses of `loss` do not tell."""
    choose("metric", name, METRICS)
    kind = NEEDS.get(name)
    if kind is not None and not isinstance(loss, kind):
        needed = "a squared error" if name == "r2" else "an absolute error or a Poisson deviance"
        raise ValueError(
            f'metric "{name}" needs {needed}, but the loss is "{loss.name}". '
            f'Use metric "{metric_of_values(loss)}".'
        )


def _accuracy(loss: Loss, last: Dense, targets: Targets, weights: HostArray | None) -> Metric:  # noqa: ARG001
    if targets.labels is not None:
        return ArgmaxAccuracy()
    if loss.link == "sigmoid":
        return ThresholdAccuracy(0.0, 0.5)  # sigmoid(z) > 0.5 where z > 0
    threshold = ACTIVATIONS[last.activation].threshold
    return ThresholdAccuracy(threshold, threshold)


def _r_squared(loss: Loss, last: Dense, targets: Targets, weights: HostArray | None) -> Metric:
    check_metric("r2", loss)
    assert isinstance(loss, SquaredError)
    values = targets.values.astype(np.float64)
    deviations = values - np.average(values, axis=0, weights=weights)
    return RSquared(weighted_mean((deviations**2).sum(axis=1), weights), loss.factor(last.outputs))


def _d_squared(loss: Loss, last: Dense, targets: Targets, weights: HostArray | None) -> Metric:
    check_metric("d2", loss)
    values = targets.values.astype(np.float64)
    if isinstance(loss, MeanAbsoluteError):
        row_losses = loss.factor(last.outputs) * np.abs(values - weighted_median(values, weights))
    else:
        mean = np.average(values, axis=0, weights=weights)
        row_losses = values * np.log(np.divide(values, mean, out=np.ones_like(values), where=values > 0))
        row_losses += mean - values
    return LossExplained(weighted_mean(row_losses.sum(axis=1), weights))


def _loss_alone(loss: Loss, last: Dense, targets: Targets, weights: HostArray | None) -> Metric:  # noqa: ARG001
    return LossAlone()


NEEDS: dict[str, tuple[type, ...]] = {"r2": (SquaredError,), "d2": (MeanAbsoluteError, HalfPoissonDeviance)}
"""The kinds of loss from whose rows a metric is computed; a metric that is not here takes any."""

METRICS: dict[str, Callable[[Loss, Dense, Targets, HostArray | None], Metric]] = {
    "accuracy": _accuracy,
    "r2": _r_squared,
    "d2": _d_squared,
    "loss": _loss_alone,
}

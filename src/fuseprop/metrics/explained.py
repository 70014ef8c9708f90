"""R^2 and D^2, the share of a loss that is explained, and the loss alone where no share makes sense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray, evaluate
from ..formulas.loss import AnyLoss, Loss
from ..layers.dense import Dense
from ..layers.targets import Targets
from ..world import Processes
from .means import weighted_mean, weighted_means, weighted_quantile
from .protocol import Kind, Metric, OfLosses

Numbers = float | NDArray[np.float64]


@dataclass(frozen=True)
class RSquared(OfLosses):
    """R^2 = 1 - sum of squared errors / sum of squared deviations from the mean, over all outputs.

    With several outputs it weighs each by its variance (equally, where targets are standardized).

    Attributes
    ----------
    variance : float
        Weighted mean over rows of sum_j (t_j - mean t_j)^2.
    factor : float
        The loss's own c in c sum_j (y - t)^2.
    """

    variance: float
    factor: float
    name: ClassVar[str] = "r2"

    def score(self, losses: HostArray, hits: HostArray, weights: HostArray | None) -> float:
        """See `Metric.score`."""
        return float(explained(weighted_mean(losses, weights) / self.factor, self.variance))


@dataclass(frozen=True)
class LossExplained(OfLosses):
    """D^2 = 1 - loss / loss of the best constant prediction, over all outputs.

    It is to absolute errors and Poisson deviances what R^2 is to squared errors. The best constant is the
    median for absolute errors (scikit-learn's d2_absolute_error_score), the quantile for quantile losses
    (d2_pinball_score) and the mean for Poisson deviances (d2_tweedie_score with power 1).

    Attributes
    ----------
    constant : float
        The loss of that constant, the weighted mean over rows.
    """

    constant: float
    name: ClassVar[str] = "d2"

    def score(self, losses: HostArray, hits: HostArray, weights: HostArray | None) -> float:
        """See `Metric.score`."""
        return float(explained(weighted_mean(losses, weights), self.constant))


def explained(error: Numbers, of_constant: Numbers, power: int | NDArray[np.intc] = 0) -> NDArray[np.float64]:
    """Return 1 - 2^power error / of_constant; 1 or 0, for no or any error, where the constant has none."""
    varies = of_constant != 0.0
    share = 1.0 - np.ldexp(error / np.where(varies, of_constant, 1.0), power)
    return np.where(varies, share, np.where(error == 0.0, 1.0, 0.0))


def _r_squared(
    loss: AnyLoss, last: Dense, targets: Targets, weights: HostArray | None, world: Processes
) -> Metric:
    assert isinstance(loss, Loss)
    values = targets.values.astype(np.float64)
    deviations = values - weighted_means(values, weights, world)
    of_one = float(evaluate(loss.formula.term, {"y": 1.0, "t": 0.0}))
    variance = weighted_mean((deviations**2).sum(axis=1), weights, world)
    return RSquared(variance, loss.factor(last.outputs) * of_one)


def _d_squared(
    loss: AnyLoss, last: Dense, targets: Targets, weights: HostArray | None, world: Processes
) -> Metric:
    assert isinstance(loss, Loss)
    values = targets.values.astype(np.float64)
    if isinstance(loss.constant, float):
        constant = weighted_quantile(values, loss.constant, weights, world)
    else:
        constant = weighted_means(values, weights, world)
    if loss.link == "exponential":
        constant = np.log(np.maximum(constant, np.finfo(np.float64).tiny))
    elif loss.link == "sigmoid":
        inside = np.clip(constant, EPS, 1 - EPS)
        constant = np.log(inside / (1 - inside))
    terms = np.broadcast_to(evaluate(loss.formula.term, {"y": constant, "t": values}), values.shape)
    losses = loss.factor(last.outputs) * terms.sum(axis=1)
    return LossExplained(weighted_mean(losses, weights, world))


EPS = float(np.finfo(np.float64).eps)

R_SQUARED = Kind("R\u00b2 (share of variance)", _r_squared, "r2", "a squared error")

D_SQUARED = Kind(
    "D\u00b2 (share of absolute deviation)",
    _d_squared,
    "d2",
    "an absolute error, a quantile loss or a Poisson deviance",
)


class LossAlone(OfLosses):
    """The mean loss itself: there is no second number, and a step does no work for one."""

    name: ClassVar[str] = "loss"

    def score(self, losses: HostArray, hits: HostArray, weights: HostArray | None) -> float:
        """See `Metric.score`."""
        return weighted_mean(losses, weights)


def _make(
    loss: AnyLoss,  # noqa: ARG001
    last: Dense,  # noqa: ARG001
    targets: Targets,  # noqa: ARG001
    weights: HostArray | None,  # noqa: ARG001
    world: Processes,  # noqa: ARG001
) -> Metric:
    return LossAlone()


LOSS_ALONE = Kind("loss", _make)

"""Losses and scores as scikit-learn reports them, from the losses that the network minimises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import r2_score

from ..backend import HostArray
from ..layers.stack import Stack
from ..layers.targets import Targets


@dataclass(frozen=True)
class Reported:
    """How scikit-learn changes a loss before reporting it; gradients are those of the loss itself.

    Attributes
    ----------
    scale : float
        1 / k for the half squared error of k outputs: scikit-learn minimises their sum and reports the mean.
    bounds : (float, float), or None
        For log losses, whose probabilities scikit-learn clips to [eps, 1 - eps].
    by_output : bool
        Whether a row's loss is a sum of log losses over outputs, each of which is clipped.
    """

    scale: float = 1.0
    bounds: tuple[float, float] | None = None
    by_output: bool = False

    @classmethod
    def of(cls, stack: Stack) -> Reported:
        """Return the changes to this network's loss."""
        loss, k = stack.loss.name, stack.layers[-1].outputs
        if loss == "half_squared_error":
            return cls(scale=1.0 / k)
        if loss in ("softmax_cross_entropy", "sigmoid_cross_entropy"):
            eps = float(np.finfo(stack.parameters.backend.dtype).eps)
            bounds = (-float(np.log1p(-eps)), -float(np.log(eps)))
            return cls(bounds=bounds, by_output=stack.loss.link == "sigmoid" and k > 1)
        return cls()

    def losses(self, losses: HostArray, logits: HostArray, targets: HostArray) -> HostArray:
        """Return losses (n,) as reported; logits and targets (n, k) are read only if `by_output`."""
        if self.bounds is None:
            return losses * self.scale
        if not self.by_output:
            return _between(losses, *self.bounds)
        # -log p of the target: log(1 + e^-z) for a label of 1, log(1 + e^z) for one of 0.
        log_losses = np.logaddexp(0.0, np.where(targets, -logits, logits))
        return _between(log_losses, *self.bounds).sum(axis=1)


def _between(values: HostArray, low: float, high: float) -> HostArray:
    """Return values clipped as by `numpy.clip`, which takes three times as long for a few hundred."""
    return np.minimum(np.maximum(values, low), high)


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

"""What scikit-learn reports: losses, made from those that the network minimises, and scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import r2_score

from ..backend import HostArray
from ..layers.stack import Stack
from ..layers.targets import Targets


@dataclass(frozen=True)
class Reported:
    """What scikit-learn does to a loss before it reports it; gradients are those of the loss itself.

    Attributes
    ----------
    scale : float
        1 / k for the half squared error of k outputs, whose mean it shows while it descends along their sum.
    range : (float, float), or None
        Of log losses, whose probabilities it cuts off at eps and 1 - eps.
    by_output : bool
        Whether a row's loss is a sum of log losses, so that it takes the outputs to cut each of them off.
    """

    scale: float = 1.0
    range: tuple[float, float] | None = None
    by_output: bool = False

    @classmethod
    def of(cls, stack: Stack) -> Reported:
        """Return what is done to this network's loss."""
        loss, k = stack.loss.name, stack.layers[-1].outputs
        if loss == "half_squared_error":
            return cls(scale=1.0 / k)
        if stack.loss.link in ("softmax", "sigmoid"):
            eps = float(np.finfo(stack.parameters.backend.dtype).eps)
            shown = (-float(np.log1p(-eps)), -float(np.log(eps)))
            return cls(range=shown, by_output=stack.loss.link == "sigmoid" and k > 1)
        return cls()

    def losses(self, losses: HostArray, logits: HostArray, targets: HostArray) -> HostArray:
        """Return losses (n,) as they are shown; logits and targets (n, k) are read where `by_output`."""
        if self.range is None:
            return losses * self.scale
        if not self.by_output:
            return np.clip(losses, *self.range)
        # -log p of what is so: log(1 + e^-z) where a label is there, log(1 + e^z) where it is not.
        surprise = np.logaddexp(0.0, np.where(targets, -logits, logits))
        return np.clip(surprise, *self.range).sum(axis=1)


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

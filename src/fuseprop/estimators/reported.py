"""From a row's loss, as the network minimises it, to the number that scikit-learn reports."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy

from ..backend import HostArray
from ..stack import Stack
from ..targets import Targets


@dataclass(frozen=True)
class Reported:
    """What scikit-learn does to a loss before it shows it, and what no gradient knows of.

    Attributes
    ----------
    scale : float
        1 / k for the half squared error of k outputs, whose mean it shows while it descends along their sum.
    range : (float, float)
        Of log losses of one probability, which it cuts off at eps and 1 - eps.
    offsets : (N,), or None
        xlogy(y, y) - y of the Poisson deviance, of each row.
    """

    scale: float
    range: tuple[float, float] | None
    offsets: HostArray | None

    @classmethod
    def of(cls, stack: Stack, targets: Targets) -> Reported:
        """Return what is done to this network's loss over rows with these targets."""
        loss, k = stack.loss.name, stack.layers[-1].outputs
        if loss == "half_squared_error":
            return cls(1.0 / k, None, None)
        if loss == "poisson":
            y = np.asarray(targets.values, np.float64)
            return cls(1.0, None, (xlogy(y, y) - y).sum(axis=1))
        if loss == "softmax_cross_entropy" or (loss == "sigmoid_cross_entropy" and k == 1):
            eps = float(np.finfo(stack.parameters.backend.dtype).eps)
            return cls(1.0, (-float(np.log1p(-eps)), -float(np.log(eps))), None)
        return cls(1.0, None, None)

    def losses(self, losses: HostArray, rows: HostArray) -> HostArray:
        """Return the losses (n,) as they are shown; `rows` are their numbers."""
        shown = losses if self.range is None else np.clip(losses, *self.range)
        if self.scale != 1.0:
            shown = shown * self.scale
        return shown if self.offsets is None else shown + self.offsets[rows]

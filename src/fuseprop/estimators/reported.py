"""From a row's loss, as the network minimises it, to the number that scikit-learn reports."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backend import HostArray
from ..stack import Stack


@dataclass(frozen=True)
class Reported:
    """What scikit-learn does to a loss before it shows it, and what no gradient knows of.

    Attributes
    ----------
    scale : float
        1 / k for the half squared error of k outputs, whose mean it shows while it descends along their sum.
    range : (float, float)
        Of log losses of one probability, which it cuts off at eps and 1 - eps.
    """

    scale: float
    range: tuple[float, float] | None

    @classmethod
    def of(cls, stack: Stack) -> Reported:
        """Return what is done to this network's loss."""
        loss, k = stack.loss.name, stack.layers[-1].outputs
        if loss == "half_squared_error":
            return cls(1.0 / k, None)
        if loss == "softmax_cross_entropy" or (loss == "sigmoid_cross_entropy" and k == 1):
            eps = float(np.finfo(stack.parameters.backend.dtype).eps)
            return cls(1.0, (-float(np.log1p(-eps)), -float(np.log(eps))))
        return cls(1.0, None)

    def losses(self, losses: HostArray) -> HostArray:
        """Return losses (n,) as they are shown."""
        return (losses if self.range is None else np.clip(losses, *self.range)) * self.scale

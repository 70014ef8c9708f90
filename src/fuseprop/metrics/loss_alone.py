"""The loss as the metric: nothing is told beside it."""

from __future__ import annotations

from typing import ClassVar

from ..backend import HostArray
from ..layers import Dense
from ..losses import Loss
from ..targets import Targets
from .kind import Kind
from .means import weighted_mean
from .protocol import Metric, OfLosses


class LossAlone(OfLosses):
    """The mean loss again: for those who want no second number, and a step without the work for it."""

    name: ClassVar[str] = "loss"

    def score(self, losses: HostArray, hits: HostArray, weights: HostArray | None) -> float:
        """See `Metric.score`."""
        return weighted_mean(losses, weights)


def _make(loss: Loss, last: Dense, targets: Targets, weights: HostArray | None) -> Metric:  # noqa: ARG001
    return LossAlone()


LOSS_ALONE = Kind("loss", _make)

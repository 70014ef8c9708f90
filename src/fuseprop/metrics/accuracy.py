"""Accuracy: the share of rows whose decision agrees with their target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..backend import AnyBackend, Array, HostArray
from ..formulas.loss import AnyLoss
from ..layers.dense import Dense
from ..layers.targets import Targets, coding_of
from ..world import Processes
from .protocol import Kind, Metric, OfHits


class ArgmaxAccuracy(OfHits):
    """For exclusive classes, the share of rows whose largest output is that of their class."""

    name: ClassVar[str] = "accuracy"

    def record(
        self, backend: AnyBackend, output: Array, target: Array, labels: Array, *, hits: Array
    ) -> None:
        """See `Metric.record`."""
        backend.argmax_equals(output, labels, out=hits)


@dataclass(frozen=True)
class ThresholdAccuracy(OfHits):
    """The share of rows in which every output is on the right side of its threshold."""

    output_threshold: float
    target_threshold: float
    name: ClassVar[str] = "accuracy"

    def record(
        self, backend: AnyBackend, output: Array, target: Array, labels: Array, *, hits: Array
    ) -> None:
        """See `Metric.record`."""
        backend.threshold_equals(output, target, self.output_threshold, self.target_threshold, out=hits)


def _make(
    loss: AnyLoss,
    last: Dense,
    targets: Targets,
    weights: HostArray | None,  # noqa: ARG001
    world: Processes,  # noqa: ARG001
) -> Metric:
    if targets.labels is not None:
        return ArgmaxAccuracy()
    threshold = sum(coding_of(loss, last)) / 2
    return ThresholdAccuracy(0.0 if loss.link == "sigmoid" else threshold, threshold)  # sigmoid(0) = 0.5


ACCURACY = Kind("accuracy (share of rows)", _make)

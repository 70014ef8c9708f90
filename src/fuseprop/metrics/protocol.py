"""What a metric is: how it is computed from outputs or losses, and which losses it goes with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from ..backend import AnyBackend, Array, HostArray
from ..formulas.loss import AnyLoss
from ..layers.dense import Dense
from ..layers.targets import Targets
from ..world import Processes
from .means import weighted_mean


class Metric(Protocol):
    """One metric over one set of rows.

    Each batch writes into `hits` on the device; the host reads them once an epoch and asks for the score.
    """

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


class OfHits:
    """The base of metrics that are a share of rows; `record` of a subclass says which rows are hits."""

    counts_hits: ClassVar[bool] = True

    def score(self, losses: HostArray, hits: HostArray, weights: HostArray | None) -> float:
        """See `Metric.score`."""
        return weighted_mean(hits, weights)


class OfLosses:
    """The base of metrics that `score` of a subclass computes from the losses alone."""

    counts_hits: ClassVar[bool] = False

    def record(
        self, backend: AnyBackend, output: Array, target: Array, labels: Array, *, hits: Array
    ) -> None:
        """Write nothing: `score` needs no hits."""


@dataclass(frozen=True)
class Kind:
    """An entry of `METRICS`, which makes the metric for given rows.

    Attributes
    ----------
    axis : str
        The label of an axis that shows it.
    make : callable
        Returns the metric for targets and weights (N,) of rows, given the loss and the last layer, and the
        processes of which each gives rows of its own.
    of : str
        It can be computed from losses with this `metric`; empty if it goes with any loss. Where targets are
        values rather than classes, it is the default for these losses.
    needs : str
        Those losses in words, for the error message.
    """

    axis: str
    make: Callable[[AnyLoss, Dense, Targets, HostArray | None, Processes], Metric]
    of: str = ""
    needs: str = ""

    def fits(self, loss: AnyLoss) -> bool:
        """Whether the metric can be computed for a network with this loss."""
        return not self.of or loss.metric == self.of

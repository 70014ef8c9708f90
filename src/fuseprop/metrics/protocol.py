"""What a metric is: how it is taken from outputs or losses, and which losses it goes with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from ..backend import AnyBackend, Array, HostArray
from ..formulas.losses import Loss
from ..layers.dense import Dense
from ..layers.targets import Targets
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
    """What metrics share that are a share of rows; a subclass says which rows are hits."""

    counts_hits: ClassVar[bool] = True

    def score(self, losses: HostArray, hits: HostArray, weights: HostArray | None) -> float:
        """See `Metric.score`."""
        return weighted_mean(hits, weights)


class OfLosses:
    """What metrics share that the losses tell; a subclass says how."""

    counts_hits: ClassVar[bool] = False

    def record(
        self, backend: AnyBackend, output: Array, target: Array, labels: Array, *, hits: Array
    ) -> None:
        """Write nothing: the losses tell everything."""


@dataclass(frozen=True)
class Kind:
    """A metric for any rows.

    Attributes
    ----------
    axis : str
        What stands at an axis that shows it.
    make : callable
        Returns the metric for targets and weights (N,) of rows, given the loss and the last layer.
    losses : tuple of type
        The kinds of loss from whose rows it is computed, and for which it is the one to take where targets
        are values rather than classes; none where it goes with any loss.
    needs : str
        Those losses, in words.
    """

    axis: str
    make: Callable[[Loss, Dense, Targets, HostArray | None], Metric]
    losses: tuple[type, ...] = ()
    needs: str = ""

    def fits(self, loss: Loss) -> bool:
        """Whether the metric can be had for a network with this loss."""
        return not self.losses or isinstance(loss, self.losses)

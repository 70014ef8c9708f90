"""What training and evaluation need of a metric."""

from __future__ import annotations

from typing import ClassVar, Protocol

from ..backend import AnyBackend, Array, HostArray
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

"""An epoch over rows that several processes hold, each on its own device."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..optimizers.protocol import ToHost
from ..world import Processes
from .epoch import CompiledEpoch, Epoch, EpochResults, shares_of
from .keys import NO_KEY
from .strata import Strata


class SharedEpoch(Epoch):
    """An epoch as one of several processes has it: see `Epoch`, and `Strata` for its batches.

    An order is the key of an epoch, (2,) int64. Places without a row have the weight 0. The results are those
    of whole batches: the mean loss and hit of each, in all processes together.

    Parameters
    ----------
    strata : Strata
        Of the rows and the batch size that `Epoch` is given.
    """

    def __init__(self, *given: Any, strata: Strata, **settings: Any) -> None:
        self._strata = strata
        self._order = NO_KEY  # of the epoch that runs
        self._carried: NDArray[np.float64] = np.empty((2, 0))  # by steps of an earlier training
        super().__init__(*given, **settings)
        self.sums = strata.sizes.astype(np.float64)

    def _layout(self, rows: int, batch_size: int) -> tuple[int, int]:
        return self._strata.places, self._strata.each

    @property
    def _is_weighted(self) -> bool:
        return True

    @property
    def world(self) -> Processes:
        """See `Epoch`."""
        return self._strata.world

    def rows_of(self, order: HostArray) -> HostArray:
        """See `Epoch`."""
        return self._strata(order).rows

    def is_order(self, order: HostArray, rows: HostArray) -> bool:
        """See `Epoch`."""
        return order.shape == rows.shape and order.dtype == rows.dtype and bool((order >= 0).all())

    def take(
        self, compiled: CompiledEpoch, order: HostArray, *after: Any, behind: int = 0, **more: Any
    ) -> None:
        """See `Epoch`."""
        self._order = order
        if not behind:
            self._carried = np.empty((2, 0))
        super().take(compiled, order, *after, behind=behind, **more)

    def _weights(self, order: HostArray) -> HostArray:
        """Return the weight of each place in an epoch's order, 0 for those without a row."""
        places = self._strata(order)
        taken = places.taken.astype(np.float64)
        return taken if self.weights is None else taken * self.weights[places.rows]

    def _shares(self, order: HostArray) -> tuple[HostArray, HostArray]:
        weights, sums = self._weights(order), self._strata.sizes.astype(np.float64)
        if self.weights is not None:
            sums = self.world.total(np.add.reduceat(weights, self.starts))
        return shares_of(weights, np.repeat(sums, self.sizes)), sums

    def _carry(self, steps: int, results: HostArray) -> None:
        self._carried = results[:, :steps]

    @property
    def blank_results(self) -> HostArray:
        """See `Epoch`."""
        return np.zeros((2, self._strata.batches))

    def results_so_far(self, steps: int, to_host: ToHost) -> HostArray:
        """Return sum_i w_i loss_i and sum_i w_i hit_i of the first steps, (2, batches)."""
        host, n = to_host(self._results), self._strata.places
        totals = self._totals(self._order, host[:n], host[n : 2 * n])
        totals[:, steps:] = 0.0
        return totals

    def _totals(self, order: HostArray, losses: HostArray, hits: HostArray) -> NDArray[np.float64]:
        """Return the sums over each batch's rows in all processes, of what this one's places have."""
        weights, taken = self._weights(order), self._strata(order).taken
        own = [np.where(taken, weights * each, 0.0) for each in (losses, hits)]
        totals = self.world.total([np.add.reduceat(each, self.starts) for each in own])
        totals[:, : self._carried.shape[1]] = self._carried
        return totals

    def _united(self, order: HostArray, losses: HostArray, hits: HostArray, sums: HostArray) -> EpochResults:
        totals = self._totals(order, losses, hits)
        means = np.divide(totals, sums, out=np.zeros_like(totals), where=sums != 0)
        return EpochResults(order, means[0], means[1], sums, sums, 1)

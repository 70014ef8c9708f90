"""The update of a network, over its flat parameters and gradients; norms, and clipping."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from fuseprop.backend import HostArray, Processes, UpdateFormula

from ..formulas import is_wide, update_plan
from ..plans import BoundCall
from .calls import either, operation
from .scratch import Operations

UPDATE_BLOCK = 1 << 16
"""Elements updated at a time, however large the network is: temporary arrays stay in the cache."""


def update_blocks(size: int, decay_ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, bool]]:
    """Cut [0, size) at the ends of the decay ranges, and each piece into blocks: (start, stop, decays)."""
    position = 0
    for begin, end in (*decay_ranges, (size, size)):
        for first, last, decays in ((position, begin, False), (begin, end, True)):
            for start in range(first, last, UPDATE_BLOCK):
                yield start, min(start + UPDATE_BLOCK, last), decays
        position = end


class UpdateOperations(Operations):
    """Sums over processes, norms, clipping, and the optimizer's step."""

    def all_reduce(self, array: HostArray, world: Processes) -> None:
        world.add(array)

    def sum_squares(self, array: HostArray, *, out: HostArray) -> None:
        out[0] = np.vdot(array, array)

    def clip_norm(self, gradients: HostArray, limit: float, *, norm: HostArray) -> None:
        norm[0] = np.sqrt(np.vdot(gradients, gradients))
        if limit < norm[0] < np.inf:
            np.multiply(gradients, limit / norm[0], out=gradients)

    @operation
    def update(
        self,
        values: HostArray,
        gradients: HostArray,
        moments: HostArray,
        settings: HostArray,
        formula: UpdateFormula,
        *,
        decay_ranges: Sequence[tuple[int, int]],
    ) -> Iterable[BoundCall]:
        numbers = [settings[i, ...] for i in range(len(settings))]

        def over_blocks(*, decays: bool) -> Iterator[BoundCall]:
            for start, stop, decaying in update_blocks(len(values), decay_ranges if decays else ()):
                plan = update_plan(formula, self.dtype, decaying, is_wide(values))
                block = values[start:stop], *moments[:, start:stop], gradients[start:stop]
                yield from plan.calls(block, (stop - start,), self._scratch.array, numbers)

        # Whether there is any decay is known only when it runs: the settings may change between epochs.
        yield either, (settings[-1, ...], over_blocks(decays=True), over_blocks(decays=False))

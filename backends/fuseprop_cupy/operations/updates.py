"""The optimizers' updates over flat parameters and gradients, and the norm of gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from fuseprop.backend import INTEGER

from ..device.launch import blocks_for
from ..device.shapes import Array, expect
from .launching import Operations

SQUARES_PER_THREAD = 4
"""Elements that each thread adds in a sum of squares before a second block is launched: as many as a thread
has loads in flight in float32."""

SQUARES_BLOCKS = 1024
"""The most blocks of a sum of squares: fewer than 132 SMs run at a time, and each thread of the block that
adds their partial sums adds eight."""

UPDATES = {"momentum_sgd": 3, "adam": 5}
"""How many settings each update reads: learning rate, momentum or betas and epsilon, decay."""

Advance: TypeAlias = tuple[Array | None, int]
"""A cursor (1,) that the update's launch also advances, or None, and by how much."""

NO_PARTS = None, None, 0
"""The arguments `parts`, `summed` and `sums` where all gradients are complete: see `replay.deferred_sums`."""


class UpdateOperations(Operations):
    """Updates of parameters."""

    def __init__(self, ordinal: int, dtype: np.dtype[Any]) -> None:
        super().__init__(ordinal, dtype)
        self._tables: dict[tuple[tuple[int, int], ...], Array] = {}

    def sum_squares(self, array: Array, *, out: Array) -> None:
        expect((1,), out=out)
        (size,) = array.shape
        blocks = blocks_for_squares(size)
        partial = out if blocks == 1 else self._scratch(blocks)
        self._run(self._typed("sum_squares"), blocks, array, partial, size)
        if blocks > 1:
            self._run(self._typed("sum_partials"), 1, partial, out, blocks)

    def clip_norm(self, gradients: Array, limit: float, *, norm: Array) -> None:
        expect((1,), norm=norm)
        (size,) = gradients.shape
        blocks = blocks_for_squares(size)
        partial = self._scratch(blocks)
        self._run(self._typed("gradient_squares"), blocks, gradients, *NO_PARTS, partial, size)
        self._run(self._typed("scale_to_limit"), blocks, gradients, partial, blocks, norm, limit, size)

    def momentum_sgd(
        self,
        values: Array,
        gradients: Array,
        velocities: Array,
        settings: Array,
        *,
        decay_ranges: Sequence[tuple[int, int]],
        nesterov: bool,
    ) -> None:
        buffers = values, gradients, velocities
        self._run_update("momentum_sgd", buffers, settings, decay_ranges=decay_ranges, nesterov=nesterov)

    def adam(
        self,
        values: Array,
        gradients: Array,
        first: Array,
        second: Array,
        settings: Array,
        *,
        decay_ranges: Sequence[tuple[int, int]],
    ) -> None:
        buffers = values, gradients, first, second
        self._run_update("adam", buffers, settings, decay_ranges=decay_ranges)

    def _run_update(
        self,
        name: str,
        buffers: Sequence[Array],
        settings: Array,
        *,
        decay_ranges: Sequence[tuple[int, int]],
        nesterov: bool | None = None,
        advance: Advance = (None, 0),
    ) -> None:
        """Launch an update; `buffers` are its operands without the settings, each flat (P,)."""
        values, gradients, *moments = buffers
        (size,) = values.shape
        expect((size,), gradients=gradients, **{f"moment {i}": moment for i, moment in enumerate(moments, 1)})
        expect((UPDATES[name],), settings=settings)
        ranges = self._table(tuple(decay_ranges))
        arrays = *buffers, settings, ranges, len(decay_ranges), *NO_PARTS, *advance
        variant = () if nesterov is None else (str(nesterov).lower(),)
        self._run(self._typed(name, *variant), blocks_for(size), *arrays, size)

    def _table(self, ranges: tuple[tuple[int, int], ...]) -> Array | None:
        """Return ranges as an array on the device, uploaded the first time; None for no ranges."""
        if ranges and ranges not in self._tables:
            self._tables[ranges] = self.from_host(np.array(ranges), dtype=INTEGER)
        return self._tables.get(ranges)


def blocks_for_squares(size: int) -> int:
    """Return how many blocks a sum of squares of `size` elements takes."""
    return min(SQUARES_BLOCKS, blocks_for(-(-size // SQUARES_PER_THREAD)))

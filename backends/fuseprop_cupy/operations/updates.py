"""The optimizers' updates over flat parameters and gradients; sums over processes, and norms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from fuseprop.backend import INTEGER, UpdateFormula
from fuseprop.world import Processes

from ..device.launch import blocks_for, expect_contiguous
from ..device.shapes import Array, expect
from .launching import Operations

SQUARES_PER_THREAD = 4
"""Elements that each thread adds in a sum of squares before a second block is launched: as many as a thread
has loads in flight in float32."""

SQUARES_BLOCKS = 1024
"""The most blocks of a sum of squares: fewer than 132 SMs run at a time, and each thread of the block that
adds their partial sums adds eight."""

Advance: TypeAlias = tuple[Array | None, int]
"""A cursor (1,) that the update's launch also advances, or None, and by how much."""

NO_PARTS = None, None, 0
"""The arguments `parts`, `summed` and `sums` where all gradients are complete: see `replay.deferred_sums`."""


class UpdateOperations(Operations):
    """The update of parameters, and what it needs of their gradients."""

    def __init__(self, ordinal: int, dtype: np.dtype[Any]) -> None:
        super().__init__(ordinal, dtype)
        self._tables: dict[tuple[tuple[int, int], ...], Array] = {}

    def all_reduce(self, array: Array, world: Processes) -> None:
        self._device.enter()
        expect_contiguous("all_reduce: array", array, self.dtype, self._device)
        if world.size > 1:
            self._device.reduce(array, world)

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

    def update(
        self,
        values: Array,
        gradients: Array,
        moments: Array,
        settings: Array,
        formula: UpdateFormula,
        *,
        decay_ranges: Sequence[tuple[int, int]],
    ) -> None:
        self._update(values, gradients, moments, settings, formula, decay_ranges=decay_ranges)

    def _update(
        self,
        values: Array,
        gradients: Array,
        moments: Array,
        settings: Array,
        formula: UpdateFormula,
        *,
        decay_ranges: Sequence[tuple[int, int]],
        advance: Advance = (None, 0),
    ) -> None:
        """Update the parameters, and a cursor if there is one."""
        (size,) = values.shape
        expect((size,), gradients=gradients)
        expect((len(formula.moments), size), moments=moments)
        expect((len(formula.settings) + 1,), settings=settings)
        ranges = self._table(tuple(decay_ranges)), len(decay_ranges)
        arrays = values, gradients, moments, settings, *ranges, *NO_PARTS, *advance
        self._run_formula("update", formula, blocks_for(size), *arrays, size)

    def _table(self, ranges: tuple[tuple[int, int], ...]) -> Array | None:
        """Return ranges as an array on the device, uploaded the first time; None for no ranges."""
        if ranges and ranges not in self._tables:
            self._tables[ranges] = self.from_host(np.array(ranges), dtype=INTEGER)
        return self._tables.get(ranges)


def blocks_for_squares(size: int) -> int:
    """Return how many blocks a sum of squares of `size` elements takes."""
    return min(SQUARES_BLOCKS, blocks_for(-(-size // SQUARES_PER_THREAD)))

"""The update of a network, over its flat parameters and gradients.

It goes over them in blocks, so that its temporary arrays stay in the cache. `UpdateOperations` are called one
by one; `UpdateCalls` are the same as prebound calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fuseprop.backend import HostArray, Shape, UpdateFormula

from ..folding import Folding
from ..formulas import is_wide, update_plan
from ..plans import BoundCall, Plan, Room, Slots, Step, prebound
from .calls import BoundCalls, once
from .scratch import Operations

UPDATE_BLOCK = 1 << 16
"""Elements updated at a time, however large the network is."""


def update_blocks(size: int, decay_ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, bool]]:
    """Cut [0, size) at the ends of the decay ranges, and each piece into blocks: (start, stop, decays)."""
    position = 0
    for begin, end in (*decay_ranges, (size, size)):
        for first, last, decays in ((position, begin, False), (begin, end, True)):
            for start in range(first, last, UPDATE_BLOCK):
                yield start, min(start + UPDATE_BLOCK, last), decays
        position = end


def over_blocks(
    arrays: tuple[HostArray, HostArray, HostArray, HostArray],
    formula: UpdateFormula,
    decay_ranges: Sequence[tuple[int, int]],
    folded: Folding | None,
    room: Room,
) -> Iterator[tuple[list[Step], Slots]]:
    """Give what an update does, in order: the steps of each block, before them those on numbers alone.

    `arrays` are values, gradients, moments and settings. With `folded`, gradients have the learning rate.
    """
    values, gradients, moments, settings = arrays
    given = [settings[i, ...] for i in range(len(settings))]
    plans: dict[bool, tuple[Plan, Slots]] = {}
    for start, stop, decays in update_blocks(len(values), decay_ranges):
        if decays not in plans:
            rate = None if folded is None else folded.rate_name
            plan = update_plan(formula, values.dtype, decays, is_wide(values), rate)
            plans[decays] = plan, plan.numbers(room, given)
            yield plan.before, plans[decays][1]
        plan, numbers = plans[decays]
        block = values[start:stop], *moments[:, start:stop], gradients[start:stop]
        yield plan.steps, plan.slots(numbers, block, (stop - start,), room)


class UpdateOperations(Operations):
    """Norms, clipping, and the optimizer's step."""

    def sum_squares(self, array: HostArray, *, out: HostArray) -> None:
        out[0] = np.vdot(array, array)

    def clip_norm(self, gradients: HostArray, limit: float, *, norm: HostArray) -> None:
        norm[0] = np.sqrt(np.vdot(gradients, gradients))
        if limit < norm[0] < np.inf:
            np.multiply(gradients, limit / norm[0], out=gradients)

    def update(
        self,
        values: HostArray,
        gradients: HostArray,
        moments: HostArray,
        settings: HostArray,
        formula: UpdateFormula,
        *,
        decay_ranges: Sequence[tuple[int, int]],
    ) -> None:
        ranges = decay_ranges if settings[-1] else ()
        arrays = values, gradients, moments, settings
        for steps, slots in over_blocks(arrays, formula, ranges, None, self._scratch.array):
            for function, pick in steps:
                function(*pick(slots))


class UpdateCalls(BoundCalls):
    """The update as prebound calls; it takes what the backend's method takes."""

    def _update(
        self,
        values: HostArray,
        gradients: HostArray,
        moments: HostArray,
        settings: HostArray,
        formula: UpdateFormula,
        *,
        decay_ranges: Sequence[tuple[int, int]],
    ) -> Iterable[BoundCall]:
        decay, arrays = settings[-1, ...], (values, gradients, moments, settings)

        def room(name: str, shape: Shape, dtype: Any = None) -> HostArray:
            if not shape:
                return self.temporary(name, shape, dtype)
            return self.temporary(name, (min(UPDATE_BLOCK, len(values)),), dtype)[: shape[0]]

        def calls(ranges: Sequence[tuple[int, int]], folded: Folding | None) -> list[BoundCall]:
            made = over_blocks(arrays, formula, ranges, folded, room)
            return [call for steps, slots in made for call in prebound(steps, slots)]

        # Whether there is any decay is known only when it runs: the settings may change between epochs.
        def either(folded: Folding | None) -> Callable[[], None]:
            plain, decaying = map(once, (calls((), folded), calls(decay_ranges, folded)))

            def update() -> None:
                (decaying if decay else plain)()

            return update

        if self.folding is None or not self.folding.unfolds:
            yield either(self.folding), ()
        else:
            moving, standing, rate = either(self.folding), either(None), self.folding.rate
            yield lambda: moving() if rate else standing(), ()
            yield np.divide, (gradients, self.folding.scale, gradients)

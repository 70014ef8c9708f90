"""The update of a network, over its flat parameters and gradients.

It goes over them in blocks, so that its temporary arrays stay in the cache. `UpdateOperations` are called one
by one; `UpdateCalls` are the same formulas as prebound calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fuseprop.backend import HostArray, Shape, UpdateFormula

from ..folding import Folding
from ..formulas import WIDE, update_plan
from ..plans import Plan, Slots, prebound
from .calls import BoundCall, BoundCalls, once
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
        count, (length,), array = len(settings), values.shape, self._scratch.array
        numbers = [settings[i, ...] for i in range(count)]
        plans: dict[bool, tuple[Plan, Slots]] = {}
        decay = settings[-1]
        for start, stop, decays in update_blocks(length, decay_ranges if decay else ()):
            if decays not in plans:
                plan = update_plan(formula, self.dtype, decays, length > WIDE)
                plans[decays] = plan, plan.numbers(array, numbers, f"decays {decays}")
                for function, pick in plan.before:
                    function(*pick(plans[decays][1]))
            plan, known = plans[decays]
            block = values[start:stop], *moments[:, start:stop], gradients[start:stop]
            slots = plan.slots(known, block, (stop - start,), array)
            for function, pick in plan.steps:
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
        numbers = [settings[i : i + 1].reshape(()) for i in range(len(settings))]
        decay, length = numbers[-1], len(values)

        def room(name: str, shape: Shape, dtype: Any = None) -> HostArray:
            return self.temporary(name, (min(UPDATE_BLOCK, length),), dtype)[: shape[0]]

        def update(ranges: Sequence[tuple[int, int]], folded: Folding | None) -> list[BoundCall]:
            rate_name = None if folded is None else folded.rate_name
            calls: list[BoundCall] = []
            plans: dict[bool, tuple[Plan, Slots]] = {}
            for start, stop, decays in update_blocks(length, ranges):
                if decays not in plans:
                    plan = update_plan(formula, self._dtype, decays, length > WIDE, rate_name)
                    plans[decays] = plan, plan.numbers(self.temporary, numbers, f"decays {decays}")
                    calls += prebound(plan.before, plans[decays][1])
                plan, known = plans[decays]
                block = values[start:stop], *moments[:, start:stop], gradients[start:stop]
                calls += prebound(plan.steps, plan.slots(known, block, (stop - start,), room))
            return calls

        # Whether there is any decay is known only when it runs: the settings may change between epochs.
        def either(folded: Folding | None) -> Callable[[], None]:
            plain, decaying = map(once, (update((), folded), update(decay_ranges, folded)))

            def step() -> None:
                (decaying if decay else plain)()

            return step

        if self.folding is None or not self.folding.unfolds:
            yield either(self.folding), ()
        else:
            moving, standing, rate = either(self.folding), either(None), self.folding.rate
            yield lambda: moving() if rate else standing(), ()
            yield np.divide, (gradients, self.folding.scale, gradients)

"""The update of a network, over its flat parameters and gradients.

It goes over them in blocks, so that its temporary arrays stay in the cache. `UpdateOperations` are called one
by one; `UpdateCalls` are the same formulas as prebound calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fuseprop.backend import HostArray, UpdateFormula, evaluate

from .calls import BoundCalls
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
    """Norms, clipping, and the rules of gradient descent."""

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
        *chosen, decay = settings
        g = gradients.copy()
        for start, stop in decay_ranges:
            g[start:stop] += decay * values[start:stop]
        names = [name for name, _ in formula.moments]
        at = {"w": values, "g": g, **dict(zip(formula.settings, chosen, strict=True))}
        at |= dict(zip(names, moments, strict=True))
        new = {name: evaluate(expression, at) for name, expression in formula.results.items()}
        for name, moment in zip(names, moments, strict=True):
            np.copyto(moment, new[name])
        np.copyto(values, new["w"])


class UpdateCalls(BoundCalls):
    """The rules as prebound calls; each method takes what the backend's method takes."""

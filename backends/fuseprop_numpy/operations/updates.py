"""The update of a network, over its flat parameters and gradients.

It goes over them in blocks, so that its temporary arrays stay in the cache. `UpdateOperations` are called one
by one; `UpdateCalls` are the same formulas as prebound calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from fuseprop.backend import HostArray

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
    """Norms, clipping, and the rules of gradient descent."""

    def sum_squares(self, array: HostArray, *, out: HostArray) -> None:
        out[0] = np.vdot(array, array)

    def clip_norm(self, gradients: HostArray, limit: float, *, norm: HostArray) -> None:
        norm[0] = np.sqrt(np.vdot(gradients, gradients))
        if limit < norm[0] < np.inf:
            np.multiply(gradients, limit / norm[0], out=gradients)

    def momentum_sgd(
        self,
        values: HostArray,
        gradients: HostArray,
        velocities: HostArray,
        settings: HostArray,
        *,
        decay_ranges: Sequence[tuple[int, int]],
        nesterov: bool,
    ) -> None:
        learning_rate, momentum, decay = settings
        step_of_block = self._scratch.array("step", (min(UPDATE_BLOCK, len(values)),))
        for start, stop, decays in update_blocks(len(values), decay_ranges if decay else ()):
            w, g, v = values[start:stop], gradients[start:stop], velocities[start:stop]
            step = step_of_block[: stop - start]
            if decays:
                np.multiply(w, decay, out=step)
                np.add(step, g, out=step)
                np.multiply(step, learning_rate, out=step)
            else:
                np.multiply(g, learning_rate, out=step)
            np.multiply(v, momentum, out=v)
            np.subtract(v, step, out=v)
            if nesterov:
                np.subtract(w, step, out=w)
                np.multiply(v, momentum, out=step)
                np.add(w, step, out=w)
            else:
                np.add(w, v, out=w)

    def adam(
        self,
        values: HostArray,
        gradients: HostArray,
        first: HostArray,
        second: HostArray,
        settings: HostArray,
        *,
        decay_ranges: Sequence[tuple[int, int]],
    ) -> None:
        rate, beta_1, beta_2, epsilon, decay = settings
        length = min(UPDATE_BLOCK, len(values))
        step_of_block, part_of_block = (self._scratch.array(name, (length,)) for name in ("step", "part"))
        for start, stop, decays in update_blocks(len(values), decay_ranges if decay else ()):
            w, g, m, v = (array[start:stop] for array in (values, gradients, first, second))
            step, part = step_of_block[: stop - start], part_of_block[: stop - start]
            if decays:
                np.multiply(w, decay, out=step)
                g = np.add(step, g, out=step)
            np.multiply(g, 1 - beta_1, out=part)
            np.multiply(m, beta_1, out=m)
            np.add(m, part, out=m)
            np.multiply(g, g, out=part)
            np.multiply(part, 1 - beta_2, out=part)
            np.multiply(v, beta_2, out=v)
            np.add(v, part, out=v)
            np.sqrt(v, out=part)
            np.add(part, epsilon, out=part)
            np.multiply(m, rate, out=step)
            np.divide(step, part, out=step)
            np.subtract(w, step, out=w)


class UpdateCalls(BoundCalls):
    """The rules as prebound calls; each method takes what the backend's method takes."""

    def _momentum_sgd(
        self,
        values: HostArray,
        gradients: HostArray,
        velocities: HostArray,
        settings: HostArray,
        *,
        decay_ranges: Sequence[tuple[int, int]],
        nesterov: bool,
    ) -> Iterable[BoundCall]:
        learning_rate, momentum, decay = (settings[i : i + 1].reshape(()) for i in range(3))
        folded_decay = self.number(0)
        step_of_block = self.temporary("step", (min(UPDATE_BLOCK, len(values)),))

        def update(ranges: Sequence[tuple[int, int]], folded: bool) -> list[BoundCall]:
            calls: list[BoundCall] = []
            if folded and ranges:
                calls.append((np.multiply, (decay, learning_rate, folded_decay)))
            for start, stop, decays in update_blocks(len(values), ranges):
                w, g, v = values[start:stop], gradients[start:stop], velocities[start:stop]
                step = step_of_block[: stop - start]
                if decays:
                    calls.append((np.multiply, (w, folded_decay if folded else decay, step)))
                    calls.append((np.add, (step, g, step)))
                    g = step
                if not folded:
                    calls.append((np.multiply, (g, learning_rate, step)))
                    g = step
                calls.append((np.multiply, (v, momentum, v)))
                calls.append((np.subtract, (v, g, v)))
                if nesterov:
                    calls.append((np.subtract, (w, g, w)))
                    calls.append((np.multiply, (v, momentum, step)))
                    calls.append((np.add, (w, step, w)))
                else:
                    calls.append((np.add, (w, v, w)))
            return calls

        # Whether there is any decay is known only when it runs: the settings may change between epochs.
        def either(folded: bool) -> Callable[[], None]:
            plain, decaying = map(once, (update((), folded), update(decay_ranges, folded)))

            def momentum_sgd() -> None:
                (decaying if decay else plain)()

            return momentum_sgd

        if self.folding is None:
            yield either(folded=False), ()
        elif not self.folding.unfolds:
            yield either(folded=True), ()
        else:
            moving, standing = either(folded=True), either(folded=False)
            yield lambda: moving() if learning_rate else standing(), ()
            yield np.divide, (gradients, self.folding.scale, gradients)

    def _adam(
        self,
        values: HostArray,
        gradients: HostArray,
        first: HostArray,
        second: HostArray,
        settings: HostArray,
        *,
        decay_ranges: Sequence[tuple[int, int]],
    ) -> Iterable[BoundCall]:
        rate, beta_1, beta_2, epsilon, decay = (settings[i : i + 1].reshape(()) for i in range(5))
        new_1, new_2 = self.number(0), self.number(0)
        length = min(UPDATE_BLOCK, len(values))
        step_of_block, part_of_block = (self.temporary(name, (length,)) for name in ("step", "part"))
        yield np.subtract, (self.one, beta_1, new_1)
        yield np.subtract, (self.one, beta_2, new_2)

        def update(ranges: Sequence[tuple[int, int]]) -> list[BoundCall]:
            calls: list[BoundCall] = []
            for start, stop, decays in update_blocks(len(values), ranges):
                w, g, m, v = (array[start:stop] for array in (values, gradients, first, second))
                step, part = step_of_block[: stop - start], part_of_block[: stop - start]
                if decays:
                    calls.append((np.multiply, (w, decay, step)))
                    calls.append((np.add, (step, g, step)))
                    g = step
                calls.append((np.multiply, (g, new_1, part)))
                calls.append((np.multiply, (m, beta_1, m)))
                calls.append((np.add, (m, part, m)))
                calls.append((np.multiply, (g, g, part)))
                calls.append((np.multiply, (part, new_2, part)))
                calls.append((np.multiply, (v, beta_2, v)))
                calls.append((np.add, (v, part, v)))
                calls.append((np.sqrt, (v, part)))
                calls.append((np.add, (part, epsilon, part)))
                calls.append((np.multiply, (m, rate, step)))
                calls.append((np.divide, (step, part, step)))
                calls.append((np.subtract, (w, step, w)))
            return calls

        plain, decaying = map(once, (update(()), update(decay_ranges)))

        def adam() -> None:
            (decaying if decay else plain)()

        yield adam, ()

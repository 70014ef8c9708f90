"""The update of a network as prebound calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fuseprop.backend import HostArray

from .blocks import UPDATE_BLOCK, update_blocks
from .steps import Step, Steps, once


class UpdateSteps(Steps):
    """What appends the steps of an update; each method takes what the backend's method takes."""

    def block(self, name: str, values: HostArray) -> HostArray:
        """Return the temporary array of that name that every block of an update shares."""
        return self.temporary(name, (min(UPDATE_BLOCK, len(values)),))

    def _momentum_sgd(
        self,
        values: HostArray,
        gradients: HostArray,
        velocities: HostArray,
        settings: HostArray,
        *,
        decay_ranges: Sequence[tuple[int, int]],
        nesterov: bool,
    ) -> None:
        learning_rate, momentum, decay = (settings[i : i + 1].reshape(()) for i in range(3))
        folded_decay = self.number(0)

        def update(ranges: Sequence[tuple[int, int]], folded: bool) -> Callable[[], None]:
            steps: list[Step] = []
            if folded and ranges:
                steps.append((np.multiply, (decay, learning_rate, folded_decay)))
            for start, stop, decays in update_blocks(len(values), ranges):
                w, g, v = values[start:stop], gradients[start:stop], velocities[start:stop]
                step = self.block("step", values)[: stop - start]
                if decays:
                    steps.append((np.multiply, (w, folded_decay if folded else decay, step)))
                    steps.append((np.add, (step, g, step)))
                    g = step
                if not folded:
                    steps.append((np.multiply, (g, learning_rate, step)))
                    g = step
                steps.append((np.multiply, (v, momentum, v)))
                steps.append((np.subtract, (v, g, v)))
                if nesterov:
                    steps.append((np.subtract, (w, g, w)))
                    steps.append((np.multiply, (v, momentum, step)))
                    steps.append((np.add, (w, step, w)))
                else:
                    steps.append((np.add, (w, v, w)))
            return once(steps)

        # Whether there is any decay is known only when it runs: the settings may change between epochs.
        def either(folded: bool) -> Callable[[], None]:
            plain, decaying = update((), folded), update(decay_ranges, folded)

            def momentum_sgd() -> None:
                (decaying if decay else plain)()

            return momentum_sgd

        if self.folding is None:
            self.add(either(folded=False))
        elif not self.folding.unfolds:
            self.add(either(folded=True))
        else:
            moving, standing = either(folded=True), either(folded=False)
            self.add(lambda: moving() if learning_rate else standing())
            self.add(np.divide, gradients, self.folding.scale, gradients)

    def _adam(
        self,
        values: HostArray,
        gradients: HostArray,
        first: HostArray,
        second: HostArray,
        settings: HostArray,
        *,
        decay_ranges: Sequence[tuple[int, int]],
    ) -> None:
        rate, beta_1, beta_2, epsilon, decay = (settings[i : i + 1].reshape(()) for i in range(5))
        new_1, new_2 = self.number(0), self.number(0)
        self.add(np.subtract, self.one, beta_1, new_1)
        self.add(np.subtract, self.one, beta_2, new_2)

        def update(ranges: Sequence[tuple[int, int]]) -> Callable[[], None]:
            steps: list[Step] = []
            for start, stop, decays in update_blocks(len(values), ranges):
                w, g, m, v = (array[start:stop] for array in (values, gradients, first, second))
                step, part = (self.block(name, values)[: stop - start] for name in ("step", "part"))
                if decays:
                    steps.append((np.multiply, (w, decay, step)))
                    steps.append((np.add, (step, g, step)))
                    g = step
                steps.append((np.multiply, (g, new_1, part)))
                steps.append((np.multiply, (m, beta_1, m)))
                steps.append((np.add, (m, part, m)))
                steps.append((np.multiply, (g, g, part)))
                steps.append((np.multiply, (part, new_2, part)))
                steps.append((np.multiply, (v, beta_2, v)))
                steps.append((np.add, (v, part, v)))
                steps.append((np.sqrt, (v, part)))
                steps.append((np.add, (part, epsilon, part)))
                steps.append((np.multiply, (m, rate, step)))
                steps.append((np.divide, (step, part, step)))
                steps.append((np.subtract, (w, step, w)))
            return once(steps)

        plain, decaying = update(()), update(decay_ranges)

        def adam() -> None:
            (decaying if decay else plain)()

        self.add(adam)

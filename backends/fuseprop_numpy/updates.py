"""The update of a network, over its flat parameters and gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fuseprop.backend import HostArray

from .blocks import UPDATE_BLOCK, update_blocks
from .operations import Operations


class UpdateOperations(Operations):
    """The update."""

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

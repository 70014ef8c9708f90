"""What a training begins from, kept on the host, so that it can begin from there again."""

from __future__ import annotations

import numpy as np

from ..layers.stack import Stack
from ..optimizers import Optimizer
from ..optimizers.protocol import resumable
from .orders import generator_state, set_generator_state


class Beginning:
    """The parameters of a stack, its next dropout masks, a generator and an optimizer, as they are now.

    Parameters
    ----------
    optimizer : Optimizer or None
        A resumable one; None where each attempt makes its own.
    epochs : int
        How many epochs the training has had, if it goes on from a checkpoint.
    """

    def __init__(
        self, stack: Stack, rng: np.random.Generator, optimizer: Optimizer | None, epochs: int
    ) -> None:
        self.backend, self.epochs = stack.parameters.backend, epochs
        self._stack, self._rng = stack, rng
        self._optimizer = None if optimizer is None else resumable(optimizer)
        self._moments = {} if self._optimizer is None else self._optimizer.state_dict()
        self._generator = generator_state(rng)
        self._values = self.backend.to_host(stack.parameters.values)
        self._masks = None if stack.dropout is None else self.backend.to_host(stack.dropout.step)

    def restore(self) -> None:
        """Make everything as it was."""
        self.backend.from_host(self._values, out=self._stack.parameters.values)
        if self._stack.dropout is not None and self._masks is not None:
            self.backend.from_host(self._masks, out=self._stack.dropout.step)
        set_generator_state(self._rng, self._generator)
        if self._optimizer is not None:
            self._optimizer.load_state_dict(self._moments)

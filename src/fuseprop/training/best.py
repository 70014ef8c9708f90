"""The best weights of a training so far, kept on the device."""

from __future__ import annotations

from math import inf

from ..layers.parameters import Parameters


class BestWeights:
    """A copy of the parameters with the lowest score, and the way back to it.

    One copy serves all who need a way back: an explosion, early stopping, and Ctrl-C.

    Attributes
    ----------
    score : float
        The lowest so far; infinite until an epoch is complete.
    epoch : int
        The epoch that reached it, counted from 1; 0 for the weights that training started from.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._values = parameters.backend.zeros(parameters.values.shape)
        self.score = inf
        self.epoch = 0

    def start(self) -> None:
        """Begin anew, from the parameters as they are."""
        self._keep(inf, 0)

    def offer(self, score: float, epoch: int) -> None:
        """Keep the parameters if this score is lower than all before."""
        if score < self.score:
            self._keep(score, epoch)

    def restore(self) -> None:
        """Make the kept parameters the network's again."""
        self._parameters.backend.copy(self._values, out=self._parameters.values)

    def describe(self) -> str:
        """Return which weights these are, such as ``of epoch 12``."""
        return f"of epoch {self.epoch}" if self.epoch else "that training started from"

    def _keep(self, score: float, epoch: int) -> None:
        self._parameters.backend.copy(self._parameters.values, out=self._values)
        self.score, self.epoch = score, epoch

"""The best weights of a training so far, kept on the device."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

import numpy as np

from ..checks.states import ANY, COUNT, NUMBER, check_array, check_state
from ..layers.parameters import Parameters
from ..optimizers.protocol import ToHost


class BestWeights:
    """A copy of the parameters with the lowest score, which `restore` makes the network's again.

    One copy serves divergence, early stopping and Ctrl-C alike.

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
        """Forget earlier scores, and keep the parameters as they are."""
        self._keep(inf, 0)

    def offer(self, score: float, epoch: int) -> None:
        """Keep the parameters if this score is lower than all before."""
        if score < self.score:
            self._keep(score, epoch)

    def restore(self) -> None:
        """Make the kept parameters the network's again."""
        self._parameters.backend.copy(self._values, out=self._parameters.values)

    def describe(self) -> str:
        """Return where these weights are from, such as ``of epoch 12``."""
        return f"of epoch {self.epoch}" if self.epoch else "that training started from"

    def state_dict(self, to_host: ToHost | None = None) -> dict[str, Any]:
        """Return the score, the epoch, and a copy of the kept values (P,) by the backend or `to_host`."""
        values = (to_host or self._parameters.backend.to_host)(self._values)
        return {"score": self.score, "epoch": self.epoch, "values": values}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        check_state("BestWeights", state, score=NUMBER, epoch=COUNT, values=ANY)
        backend = self._parameters.backend
        values = check_array("BestWeights", "values", state["values"], self._values.shape, backend.dtype)
        if not np.isfinite(values).all():
            raise ValueError("this is no state of BestWeights: its values are not finite.")
        backend.from_host(values, out=self._values)
        self.score, self.epoch = state["score"], state["epoch"]

    def _keep(self, score: float, epoch: int) -> None:
        self._parameters.backend.copy(self._parameters.values, out=self._values)
        self.score, self.epoch = score, epoch

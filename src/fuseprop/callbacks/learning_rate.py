"""A learning-rate schedule for one `fit`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..checks.states import COUNT, CURVE, check_state
from ..optimizers import Optimizer
from ..schedules import Schedule, check_same_rates, rates_of
from .history import History


class LearningRate:
    """Let an optimizer follow a schedule from the first epoch of this `fit`; afterwards it is as before.

    ``MomentumSGD(learning_rate=schedule)`` counts epochs over all its fits instead.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import MomentumSGD, Network, mlp
    >>> from fuseprop.callbacks import LearningRate
    >>> from fuseprop.schedules import Step
    >>> network = Network(mlp([2, 1]), "half_squared_error", seed=0, device="cpu")
    >>> optimizer = MomentumSGD(0.1)
    >>> follow = LearningRate(optimizer, Step(0.2, factor=0.5, every=1))
    >>> history = network.fit(np.ones((4, 2)), np.ones(4), optimizer, epochs=3, callbacks=[follow])
    >>> history.learning_rate
    [0.2, 0.1, 0.05]
    """

    def __init__(self, optimizer: Optimizer, schedule: Schedule) -> None:
        self._optimizer = optimizer
        self._schedule = schedule
        self._first, self._epochs = optimizer.epochs, 0

    def start(self, epochs: int, history: History) -> None:
        """Replace the learning rate by the schedule."""
        self._before = self._optimizer.learning_rate
        self._first, self._epochs = self._optimizer.epochs, epochs
        self._optimizer.learning_rate = lambda epoch: self._schedule(epoch - self._first)

    def epoch_end(self, history: History) -> None:
        """Do nothing: the optimizer calls the schedule."""

    def end(self, history: History) -> None:
        """Put the learning rate back."""
        self._optimizer.learning_rate = self._before

    def state_dict(self) -> dict[str, Any]:
        """Return the number of the optimizer's epoch in which the schedule began, and its rates (epochs,)."""
        return {"first": self._first, "rates": rates_of(self._schedule, 0, self._epochs)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned; raises ValueError where the schedule is another one."""
        check_state("LearningRate", state, first=COUNT, rates=CURVE)
        rates = state["rates"]
        check_same_rates(rates, rates_of(self._schedule, 0, len(rates)))
        self._first = state["first"]

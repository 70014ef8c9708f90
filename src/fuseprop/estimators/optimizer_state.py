"""The optimizer of an estimator: made from its parameters, and kept on the host between calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np

from ..backend import HostArray
from ..checks.quoting import literal
from ..checks.states import COUNT, NUMBER, SEQUENCE, TEXT, check_state
from ..optimizers import Adam, MomentumSGD
from .parameters import STOCHASTIC

MOMENTS = {"sgd": 1, "adam": 2}
"""How many moments an optimizer has, by solver."""

LARGEST_POWER = 1024
"""Any whole number above 1 to this power is beyond float64; to a larger one it may be beyond all memory."""


@dataclass
class OptimizerState:
    """The state of an estimator's optimizer on the host, from which `partial_fit` goes on.

    Attributes
    ----------
    solver : "sgd" | "adam"
    learning_rate : float
        Of the next epoch; a schedule takes its place.
    epochs, steps : int
        How many have been trained.
    moments : sequence of (P,)
        Velocities, or the two moments of Adam, as they lie on the device.
    """

    solver: str
    learning_rate: float
    epochs: int = 0
    steps: int = 0
    moments: Sequence[HostArray] = field(default=(), repr=False)

    def make(self, estimator: Any) -> Adam | MomentumSGD:
        """Return an optimizer with the estimator's settings that goes on from this state."""
        optimizer: Adam | MomentumSGD
        if self.solver == "adam":
            optimizer = Adam(
                beta_1=estimator.beta_1,
                beta_2=estimator.beta_2,
                epsilon=estimator.epsilon,
                clip_norm=estimator.clip_norm,
            )
        else:
            optimizer = MomentumSGD(
                momentum=estimator.momentum,
                nesterov=estimator.nesterovs_momentum,
                clip_norm=estimator.clip_norm,
            )
        name = type(optimizer).__name__
        counted = {"epochs": self.epochs, "steps": self.steps, "moments": list(self.moments)}
        optimizer.load_state_dict({"optimizer": name, "shapes": None, **counted})
        return optimizer

    def plain(self) -> dict[str, Any]:
        """Return the state as plain data."""
        return {
            "solver": self.solver,
            "learning_rate": self.learning_rate,
            "epochs": self.epochs,
            "steps": self.steps,
            "moments": list(self.moments),
        }

    @classmethod
    def of_plain(cls, state: Mapping[str, Any], size: int) -> OptimizerState:
        """Return the state that `plain` returned, of a network of P = `size` parameters with their padding.

        Raises ValueError for anything else.
        """
        name = "an optimizer"
        check_state(
            name, state, solver=TEXT, learning_rate=NUMBER, epochs=COUNT, steps=COUNT, moments=SEQUENCE
        )
        solver, rate, moments = state["solver"], state["learning_rate"], state["moments"]
        if solver not in STOCHASTIC or not 0 < rate < inf:
            raise ValueError(
                f"this is no state of {name}: solver {literal(solver)}, learning_rate {literal(rate)}."
            )
        fit = all(isinstance(moment, np.ndarray) and moment.shape == (size,) for moment in moments)
        if not fit or len(moments) not in (0, MOMENTS[solver]):
            raise ValueError(
                f"{solver} has {MOMENTS[solver]} arrays of {size} moments in this network, or none."
            )
        return cls(solver, float(rate), state["epochs"], state["steps"], [np.array(m) for m in moments])

    def keep(self, optimizer: Adam | MomentumSGD) -> None:
        """Take over the state of an optimizer."""
        state = optimizer.state_dict()
        self.epochs, self.steps, self.moments = state["epochs"], state["steps"], state["moments"]

    def lower_with_rows_seen(self, estimator: Any) -> None:
        """Let "invscaling" lower the rate, as scikit-learn does, by the number of rows seen so far, `t_`."""
        if self.solver == "sgd" and estimator.learning_rate == "invscaling":
            try:
                grown = float((estimator.t_ + 1) ** min(estimator.power_t, LARGEST_POWER))
            except OverflowError:
                grown = inf
            self.learning_rate = float(estimator.learning_rate_init) / grown
            if not self.learning_rate:
                raise ValueError(
                    f"power_t={estimator.power_t!r} has lowered the learning rate to 0, after "
                    f"{estimator.t_} rows in all. Take a smaller one."
                )

    def lower_without_improvement(self, estimator: Any) -> bool:
        """Divide an "adaptive" rate by 5, as long as it is above 1e-6; return whether it was."""
        lowers = self.solver == "sgd" and estimator.learning_rate == "adaptive" and self.learning_rate > 1e-6
        if lowers:
            self.learning_rate /= 5.0
        return lowers

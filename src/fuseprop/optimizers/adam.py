"""Adam: a step of every weight by the running mean and the running size of its gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..backend import HostArray, UpdateFormula
from ..checks.settings import is_finite_number
from ..formulas.updates import ADAM
from ..schedules import Schedule
from .flat import FlatOptimizer


@dataclass(eq=False)
class Adam(FlatOptimizer):
    """Adam: adaptive moment estimation.

    With learning rate a, step t = 1, 2, ..., and g the gradient plus `weight_decay` times the weights::

        m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g^2
        w = w - a sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + epsilon)

    Kingma & Ba 2015, "Adam: a method for stochastic optimization", in the efficient form of its section 2.
    Weight decay applies to weights, not to biases. The numbers may be changed between epochs.

    Parameters
    ----------
    learning_rate : float or schedule
        a > 0: about how far a weight moves in a step. Or a schedule, as for `MomentumSGD`.
    beta_1, beta_2 : float
        b1 and b2 in [0, 1): what share of the running means m and v a step keeps.
    epsilon : float
        Above 0: where gradients are much smaller than this, steps shrink with them.
    weight_decay : float or array_like (steps,)
        At least 0, and added to the gradient; an array as for `MomentumSGD`.
    clip_norm : float, optional
        As for `MomentumSGD`.

    Attributes
    ----------
    epochs, steps : int
        How many epochs were trained with it, and how many steps since the moments were 0: t.
    moments : sequence of Array
        m and v, (P,); none before the first use.

    The moments belong to the parameters of the first network trained, and go on from one `fit` to the next,
    as the schedule does. Raises ValueError for numbers outside these ranges, and for use with a second
    network.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import Adam, Network, mlp
    >>> network = Network(mlp([2, 1]), "half_squared_error", seed=0, device="cpu")
    >>> history = network.fit(np.eye(2), np.ones(2), Adam(learning_rate=0.01), epochs=5)
    >>> history.train_loss[-1] < history.train_loss[0]
    True
    """

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float | ArrayLike = 0.0
    clip_norm: float | None = None

    @property
    def formula(self) -> UpdateFormula:
        """What a step does."""
        return ADAM

    def _numbers(self, steps: int, decay: HostArray, dtype: np.dtype[np.floating]) -> HostArray:
        # As the device rounds them: in float32, 1 - 0.999 is off by 1e-5 of itself, and the correction of
        # the bias must use the same numbers.
        b1, b2 = (float(dtype.type(beta)) for beta in (self.beta_1, self.beta_2))
        tiny = np.finfo(dtype).tiny
        if max(b1, b2) == 1 or self.epsilon < tiny:
            raise ValueError(
                f"beta_1 and beta_2 must be below 1 and epsilon at least {tiny:.2g} in {dtype}, got "
                f"{self.beta_1!r}, {self.beta_2!r} and {self.epsilon!r}. Choose others, or dtype float64."
            )
        t = self.steps + 1.0 + np.arange(steps)
        rate = self.current_learning_rate * np.sqrt(1 - b2**t) / (1 - b1**t)
        numbers = np.empty((steps, 5))  # by column: broadcast_arrays takes five times as long
        for column, values in enumerate((rate, b1, b2, self.epsilon, decay)):
            numbers[:, column] = values
        return numbers

    def _check(self) -> None:
        super()._check()
        for name, beta in (("beta_1", self.beta_1), ("beta_2", self.beta_2)):
            if not (is_finite_number(beta) and 0 <= beta < 1):
                raise ValueError(f"{name} must be at least 0 and below 1, got {beta!r}.")
        if not (is_finite_number(self.epsilon) and self.epsilon > 0):
            raise ValueError(f"epsilon must be a number above 0, got {self.epsilon!r}.")

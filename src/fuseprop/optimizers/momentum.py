"""MomentumSGD: gradient descent with momentum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..backend import Array, HostArray, UpdateFormula
from ..checks.settings import check_flag, is_finite_number
from ..formulas.updates import MOMENTUM, NESTEROV
from ..schedules import Schedule
from .flat import FlatOptimizer


@dataclass(eq=False)
class MomentumSGD(FlatOptimizer):
    """Stochastic gradient descent with momentum, in the textbook form.

    With learning rate a, momentum mu, and g the gradient plus `weight_decay` times the weights::

        v = mu v - a g        w = w + v        (Nesterov: w = w + mu v - a g)

    Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning". Weight decay
    applies to weights, not to biases. The numbers may be changed between epochs.

    Parameters
    ----------
    learning_rate : float or schedule
        a > 0; about 0.3 for small sigmoid networks on standardized inputs. Or one of `fuseprop.schedules`, or
        any function epoch -> a, with epochs counted from 0 over all the fits with this optimizer.
    momentum : float
        mu in [0, 1]; at 1 nothing ever slows down.
    weight_decay : float or array_like (steps,)
        At least 0: the gradient of weight_decay / 2 ||W||^2. An array holds one for each step of an epoch;
        whether it is one number or an array may not change during a `fit`.
    nesterov : bool
        Whether to look ahead along the velocity.
    clip_norm : float, optional
        Where the norm ||g|| of the whole gradient, before weight decay, is above this, g is scaled down to
        it: g min(1, clip_norm / ||g||).

    Attributes
    ----------
    epochs, steps : int
        How many epochs were trained with it, and how many steps since the velocities were 0.

    The velocities belong to the parameters of the first network trained, and go on from one `fit` to the
    next, as the schedule does. Raises ValueError for numbers outside these ranges, and for use with a second
    network.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import MomentumSGD, Network, mlp
    >>> network = Network(mlp([2, 1]), "half_squared_error", seed=0, device="cpu")
    >>> optimizer = MomentumSGD(learning_rate=0.3, momentum=0.6)
    >>> history = network.fit(np.eye(2), np.ones(2), optimizer, epochs=5)
    >>> history.train_loss[-1] < history.train_loss[0]
    True
    """

    learning_rate: float | Schedule = 0.3
    momentum: float = 0.6
    weight_decay: float | ArrayLike = 0.0
    nesterov: bool = False
    clip_norm: float | None = None

    @property
    def velocities(self) -> Array | None:
        """The flat velocities (P,), or None before the first use."""
        return self.moments[0] if self.moments else None

    @property
    def formula(self) -> UpdateFormula:
        """What a step does."""
        return NESTEROV if self.nesterov else MOMENTUM

    def _numbers(self, steps: int, decay: HostArray, dtype: np.dtype[np.floating]) -> HostArray:
        numbers = np.empty((*decay.shape, 3))
        numbers[..., 0], numbers[..., 1], numbers[..., 2] = self.current_learning_rate, self.momentum, decay
        return numbers

    def _check(self) -> None:
        super()._check()
        check_flag("nesterov", self.nesterov)
        check_momentum(self.momentum)


def check_momentum(momentum: object) -> None:
    """Raise ValueError for what is no number from 0 to 1."""
    if not (is_finite_number(momentum) and 0 <= momentum <= 1):  # type: ignore[operator]
        raise ValueError(f"momentum must be at least 0 and at most 1, got {momentum!r}.")

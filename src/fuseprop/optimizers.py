"""MomentumSGD: gradient descent with momentum, one call over a network's flat parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite

import numpy as np

from .backend import AnyBackend, Array
from .parameters import Parameters
from .schedules import Schedule, rate_of


@dataclass(eq=False)
class MomentumSGD:
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
        mu in [0, 1).
    weight_decay : float
        At least 0: the gradient of weight_decay / 2 ||W||^2.
    nesterov : bool
        Whether to look ahead along the velocity.
    clip_norm : float, optional
        Where the norm ||g|| of the whole gradient, before weight decay, is above this, g is scaled down to
        it: g min(1, clip_norm / ||g||).

    Attributes
    ----------
    epochs : int
        How many epochs were trained with it.

    The velocities belong to the parameters of the first network trained, and go on from one `fit` to the
    next, as the schedule does. Raises ValueError for numbers outside these ranges, and for use with a second
    network.
    """

    learning_rate: float | Schedule = 0.3
    momentum: float = 0.6
    weight_decay: float = 0.0
    nesterov: bool = False
    clip_norm: float | None = None
    epochs: int = field(default=0, init=False, repr=False)
    _parameters: Parameters | None = field(default=None, init=False, repr=False)
    _velocities: Array | None = field(default=None, init=False, repr=False)
    _settings: Array | None = field(default=None, init=False, repr=False)
    _norm: Array | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._check()

    @property
    def velocities(self) -> Array | None:
        """The flat velocities (P,), or None before the first use."""
        return self._velocities

    @property
    def current_learning_rate(self) -> float:
        """The learning rate of the epoch that runs, or comes next."""
        return rate_of(self.learning_rate, self.epochs)

    def prepare(self, parameters: Parameters) -> None:
        """Bind to these parameters and send the epoch's numbers to the device; to be called before it."""
        self._check()
        backend = parameters.backend
        if self._parameters is None:
            self._parameters = parameters
            self._velocities = backend.zeros(parameters.values.shape)
            self._settings = backend.zeros((3,))
            self._norm = backend.zeros((1,))
        elif self._parameters is not parameters:
            raise ValueError(
                "this optimizer holds the velocities of another network. Make a new MomentumSGD for this one."
            )
        assert self._settings is not None
        numbers = np.array([self.current_learning_rate, self.momentum, self.weight_decay], backend.dtype)
        backend.from_host(numbers, out=self._settings)

    def update(self, backend: AnyBackend, parameters: Parameters) -> None:
        """Take one step from the gradients in `parameters`; `prepare` must have been called with them."""
        if self._velocities is None or self._settings is None or self._norm is None:
            raise RuntimeError("call prepare(parameters) before update.")
        if self.clip_norm is not None:
            backend.clip_norm(parameters.gradients, self.clip_norm, norm=self._norm)
        backend.momentum_sgd(
            parameters.values,
            parameters.gradients,
            self._velocities,
            self._settings,
            decay_ranges=parameters.weight_ranges,
            nesterov=self.nesterov,
        )

    def reset(self) -> None:
        """Forget the velocities: stand still."""
        if self._parameters is not None and self._velocities is not None:
            backend = self._parameters.backend
            backend.from_host(np.zeros(self._velocities.shape, backend.dtype), out=self._velocities)

    def _check(self) -> None:
        if not callable(self.learning_rate) and not (isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(
                f"learning_rate must be a number above 0, got {self.learning_rate!r}. Or give a schedule."
            )
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be at least 0 and below 1, got {self.momentum!r}.")
        if not (isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise ValueError(f"weight_decay must be a number of at least 0, got {self.weight_decay!r}.")
        if self.clip_norm is not None and not (isfinite(self.clip_norm) and self.clip_norm > 0):
            raise ValueError(f"clip_norm must be a number above 0, or None, got {self.clip_norm!r}.")

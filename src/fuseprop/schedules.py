"""Learning-rate schedules: the learning rate a(e) of each epoch e, counted from 0.

``MomentumSGD(learning_rate=...)`` takes any of these, and any function of the epoch. The rate of an epoch
goes to the device before its first batch, into an array that the update reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, cos, inf, pi
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .checks.choices import choose
from .checks.settings import is_finite_number

__all__ = [
    "Constant",
    "Cosine",
    "Exponential",
    "InverseScaling",
    "Schedule",
    "Step",
    "WarmUp",
    "over_epochs",
]

Schedule: TypeAlias = Callable[[int], float]
"""epoch e = 0, 1, 2, ... -> learning rate."""


@dataclass(frozen=True)
class Constant:
    """a(e) = start.

    Examples
    --------
    >>> from fuseprop.schedules import Constant
    >>> [Constant(0.3)(epoch) for epoch in (0, 5)]
    [0.3, 0.3]
    """

    start: float

    def __post_init__(self) -> None:
        _above_zero(self, "start")

    def __call__(self, epoch: int) -> float:
        """Return the learning rate of an epoch."""
        return self.start


@dataclass(frozen=True)
class Step:
    """a(e) = start factor^floor(e / every): falls at once, every so many epochs.

    Examples
    --------
    >>> from fuseprop.schedules import Step
    >>> schedule = Step(0.5, factor=0.5, every=10)
    >>> [schedule(epoch) for epoch in (0, 9, 10, 20)]
    [0.5, 0.5, 0.25, 0.125]
    """

    start: float
    factor: float = 0.1
    every: int = 10

    def __post_init__(self) -> None:
        _above_zero(self, "start", "factor", "every")

    def __call__(self, epoch: int) -> float:
        """Return the learning rate of an epoch."""
        return self.start * self.factor ** (epoch // self.every)


@dataclass(frozen=True)
class Exponential:
    """a(e) = start factor^e: falls by the same share every epoch.

    Examples
    --------
    >>> from fuseprop.schedules import Exponential
    >>> [Exponential(0.5, factor=0.5)(epoch) for epoch in range(4)]
    [0.5, 0.25, 0.125, 0.0625]
    """

    start: float
    factor: float = 0.95

    def __post_init__(self) -> None:
        _above_zero(self, "start", "factor")

    def __call__(self, epoch: int) -> float:
        """Return the learning rate of an epoch."""
        return self.start * self.factor**epoch


@dataclass(frozen=True)
class Cosine:
    """a(e) = end + (start - end) (1 + cos(pi e / epochs)) / 2, and end from epoch `epochs` on.

    Loshchilov & Hutter 2017, "SGDR: stochastic gradient descent with warm restarts", without the restarts.

    Examples
    --------
    >>> from fuseprop import MomentumSGD
    >>> from fuseprop.schedules import Cosine
    >>> schedule = Cosine(0.2, epochs=10)
    >>> [round(schedule(epoch), 3) for epoch in (0, 5, 10, 11)]
    [0.2, 0.1, 0.0, 0.0]
    >>> optimizer = MomentumSGD(learning_rate=schedule)
    """

    start: float
    epochs: int
    end: float = 0.0

    def __post_init__(self) -> None:
        _above_zero(self, "start", "epochs")
        if not (is_finite_number(self.end) and 0 <= self.end <= self.start):
            raise ValueError(f"Cosine: end must be in [0, start={self.start!r}], got {self.end!r}.")

    def __call__(self, epoch: int) -> float:
        """Return the learning rate of an epoch."""
        share = min(epoch / self.epochs, 1.0)
        return self.end + (self.start - self.end) * (1 + cos(pi * share)) / 2


@dataclass(frozen=True)
class InverseScaling:
    """a(e) = start / (1 + samples e)^power: scikit-learn's "invscaling", which counts time in samples.

    With `samples`, the number of training rows, it gives scikit-learn's rates; with 1, start / (1 + e)^power.

    Examples
    --------
    >>> from fuseprop.schedules import InverseScaling
    >>> [InverseScaling(0.5)(epoch) for epoch in (0, 3, 15)]
    [0.5, 0.25, 0.125]
    """

    start: float
    power: float = 0.5
    samples: int = 1

    def __post_init__(self) -> None:
        _above_zero(self, "start", "power", "samples")

    def __call__(self, epoch: int) -> float:
        """Return the learning rate of an epoch."""
        return float(self.start / (1 + self.samples * epoch) ** self.power)


@dataclass(frozen=True)
class WarmUp:
    """a(e) = s(e) (1 + (times - 1) min(e / epochs, 1)): rises to so many times another schedule's s(e).

    For batches of so many times the rows: the linear rule with a gradual warm-up (P. Goyal et al., Accurate,
    large minibatch SGD: training ImageNet in 1 hour, 2017). `after` is that schedule, or its constant rate.

    Examples
    --------
    >>> from fuseprop.schedules import WarmUp
    >>> schedule = WarmUp(0.25, times=3, epochs=4)
    >>> [schedule(epoch) for epoch in (0, 2, 4, 5)]
    [0.25, 0.5, 0.75, 0.75]
    """

    after: Schedule | float
    times: float
    epochs: int = 5

    def __post_init__(self) -> None:
        names = ("times", "epochs") if callable(self.after) else ("after", "times", "epochs")
        _above_zero(self, *names)

    def __call__(self, epoch: int) -> float:
        """Return the learning rate of an epoch."""
        rate = self.after(epoch) if callable(self.after) else self.after
        return rate * (1 + (self.times - 1) * min(epoch / self.epochs, 1.0))


LAST = 0.01
"""The share of the first rate to which "step" and "exponential" fall over a training."""

OVER_EPOCHS: Mapping[str, Callable[[float, int], Schedule]] = {
    "constant": lambda start, _: Constant(start),
    "cosine": Cosine,
    "exponential": lambda start, epochs: Exponential(start, LAST ** (1 / epochs)),
    "step": lambda start, epochs: Step(start, LAST**0.5, ceil(epochs / 3)),
    "inverse_scaling": lambda start, _: InverseScaling(start),
}
"""Schedules by name, each made of the first rate and the number of epochs."""


def over_epochs(name: str, start: float, epochs: int) -> Schedule:
    """Return the schedule of this name for a training of so many epochs, which begins with the rate `start`.

    "constant"; "cosine", which falls to 0; "exponential", which falls to a hundredth; "step", which falls to
    a tenth after a third of the epochs, and to a hundredth after two; "inverse_scaling", start / sqrt(1 + e).

    Raises ValueError for an unknown name, and for numbers that are not above 0.

    Examples
    --------
    >>> from fuseprop.schedules import over_epochs
    >>> over_epochs("cosine", 0.1, 100)
    Cosine(start=0.1, epochs=100, end=0.0)
    """
    return choose("schedule", name, OVER_EPOCHS)(start, epochs)


def rate_of(schedule: float | Schedule, epoch: int) -> float:
    """Return the learning rate of an epoch, also of a schedule that is simply a number.

    Raises ValueError for a rate that is no number, negative or not finite; TypeError for a schedule that
    does not take an epoch.
    """
    if not callable(schedule):
        return schedule
    rate: Any
    try:
        rate = schedule(epoch)
    except OverflowError:
        rate = inf
    except TypeError as error:
        raise TypeError(
            f"the schedule {schedule!r:.100} could not be asked for the learning rate of epoch {epoch}: "
            f"{error}. It is called with the epoch, counted from 0, such as lambda epoch: 0.1 * 0.9**epoch."
        ) from error
    if not (is_finite_number(rate) and rate >= 0):
        raise ValueError(
            f"the schedule {schedule!r:.100} gave the learning rate {rate!r:.60} for epoch {epoch}, counted "
            f"from 0; expected a number of at least 0. A function must return it."
        )
    return float(rate)


def rates_of(schedule: float | Schedule, first: int, epochs: int) -> NDArray[np.float64]:
    """Return the rates of so many epochs from `first` on, (epochs,); raises as `rate_of`."""
    if not callable(schedule):
        return np.full(epochs, schedule, np.float64)
    return np.array([rate_of(schedule, epoch) for epoch in range(first, first + epochs)], np.float64)


def check_same_rates(recorded: NDArray[np.float64], present: NDArray[np.float64]) -> None:
    """Raise ValueError where rates, (epochs,) each, are not those of the training to go on with.

    A longer training has more of them; those of the epochs that both have must be the same.
    """
    both = min(len(recorded), len(present))
    differ = np.flatnonzero(recorded[:both] != present[:both])
    if differ.size:
        at = int(differ[0])
        raise ValueError(
            f"the schedule of the learning rate is another one: epoch {at + 1} has {present[at]:.6g}, and in "
            f"the training that goes on it had {recorded[at]:.6g}. A schedule over all epochs, such as a "
            f"cosine, changes with their number: give the same schedule, and as many epochs."
        )


def _above_zero(schedule: Any, *names: str) -> None:
    for name in names:
        value = getattr(schedule, name)
        if not (is_finite_number(value) and value > 0):
            raise ValueError(f"{type(schedule).__name__}: {name} must be a number above 0, got {value!r}.")

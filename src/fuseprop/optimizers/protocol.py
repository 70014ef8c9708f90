"""What training needs of an optimizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, cast

from ..backend import AnyBackend, Array, HostArray
from ..checks.settings import check_methods
from ..layers.parameters import Parameters
from ..schedules import Schedule

ToHost: TypeAlias = Callable[[Array], HostArray]
"""Copies an array of the backend to the host."""


class Optimizer(Protocol):
    """One optimizer of one network's parameters.

    Attributes
    ----------
    learning_rate : float or schedule
        May be changed between epochs.
    epochs : int
        How many epochs were trained with it: where a schedule stands. Training counts them.
    steps : int
        How many steps were taken since the moments were 0. Training counts them, not `update`.
    """

    learning_rate: float | Schedule
    epochs: int
    steps: int

    @property
    def moments(self) -> Sequence[Array]:
        """The flat buffers (P,) that it keeps beside the parameters; none before the first use."""

    @property
    def current_learning_rate(self) -> float:
        """The learning rate of the epoch that runs, or comes next."""

    def prepare(self, parameters: Parameters, steps: int) -> None:
        """Bind to these parameters, and send the numbers of the next `steps` steps to the device.

        To be called before each epoch, and before a step is recorded: a recorded step reads the same arrays
        for as long as no more steps are prepared at once. Raises ValueError for numbers out of range, and for
        the parameters of a second network.
        """

    def update(self, backend: AnyBackend, parameters: Parameters) -> None:
        """Take one step from the gradients in `parameters`; at most as many as were prepared."""

    def reset(self) -> None:
        """Set the moments and `steps` to 0."""


class ResumableOptimizer(Optimizer, Protocol):
    """An optimizer from which another training can go on, within an epoch too."""

    def state_dict(self, to_host: ToHost | None = None) -> dict[str, Any]:
        """Return `epochs`, `steps` and copies of the moments, which the backend makes or `to_host`."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned; ValueError for anything else, which changes nothing."""

    def skip(self, steps: int) -> None:
        """Let the next `update` be that behind the first ones of the prepared steps, which are taken."""


def resumable(optimizer: Optimizer) -> ResumableOptimizer:
    """Return an optimizer from which another training can go on; raise TypeError for any other."""
    expected = "one that a checkpoint can hold, such as Adam() or MomentumSGD()"
    check_methods("optimizer", optimizer, ("state_dict", "load_state_dict", "skip"), expected)
    return cast("ResumableOptimizer", optimizer)


class ScalableOptimizer(Optimizer, Protocol):
    """An optimizer whose learning rates training may scale.

    Attributes
    ----------
    rate_scale : float
        What `current_learning_rate` is scaled by; 1 but in a training that has diverged.
    """

    rate_scale: float


def scalable(optimizer: Optimizer) -> ScalableOptimizer:
    """Return an optimizer whose learning rates can be scaled; raise TypeError for any other."""
    if not hasattr(optimizer, "rate_scale"):
        raise TypeError(
            f"optimizer must be one whose learning rate can be halved, such as Adam() or MomentumSGD(), got "
            f"{optimizer!r:.100}."
        )
    return cast("ScalableOptimizer", optimizer)


def check_optimizer(optimizer: object) -> None:
    """Raise TypeError for a name, a class, and anything else that is no optimizer.

    Examples
    --------
    >>> from fuseprop import Adam
    >>> from fuseprop.optimizers import check_optimizer
    >>> check_optimizer(Adam())
    """
    methods = ("prepare", "update", "reset")
    check_methods("optimizer", optimizer, methods, "an optimizer object such as Adam(learning_rate=0.001)")

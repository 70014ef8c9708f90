"""Measurements beside the steps of an epoch: each observer writes to its own part of the results array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..backend import AnyBackend, Array, HostArray
from ..callbacks.history import History
from ..layers.parameters import LayerNorms, Parameters, split_norms
from .measuring import Measuring
from .step import Batch


class Observer:
    """A measurement beside an epoch's steps; a subclass overrides the methods that it needs.

    The calls of `before_step` and `after_step` are recorded with the step, so they go to the backend given,
    on arrays that stay the same. `measure` is called once an epoch, after the last step was sent to the
    device, and again where training goes on from a checkpoint that was written in its midst. None of the
    three waits for the device: the host reads all results at once.

    Attributes
    ----------
    size : int
        How many numbers an epoch writes to its part of the results.
    """

    size: int = 0

    def place(self, part: Array) -> None:
        """Take the part of the results array, (size,), that this observer writes to."""

    def begin_epoch(self) -> None:
        """Let `before_step` and `after_step` write from the start of the part again."""

    def go_on(self, steps: int, rows: int) -> None:
        """Let both write on behind what the first steps of an epoch, over so many rows, have written."""

    def before_step(self, backend: AnyBackend, batch: Batch) -> None:
        """Measure before a batch is learned from."""

    def after_step(self, backend: AnyBackend, batch: Batch) -> None:
        """Measure after a batch was learned from."""

    def measure(self, measuring: Measuring | None = None) -> None:
        """Measure at the end of an epoch; where that may take long, in pieces between which one may look."""

    def read(self, part: HostArray) -> None:
        """Take the numbers of an epoch, (size,), on the host."""

    def enter(self, history: History) -> None:
        """Append the numbers of the last `read` to the history."""

    def state_dict(self) -> dict[str, Any]:
        """Return what an observer carries from one epoch to the next, as plain data."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""


class SumOfSquares(Observer):
    """The sum of squares of all parameters: where it is finite, all parameters are.

    Attributes
    ----------
    square : float
        The sum after the last epoch.
    """

    size = 1

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self.square = 0.0

    def place(self, part: Array) -> None:
        """Take the part that holds the sum."""
        self._part = part

    def measure(self, measuring: Measuring | None = None) -> None:
        """Compute the sum."""
        self._parameters.backend.sum_squares(self._parameters.values, out=self._part)

    def read(self, part: HostArray) -> None:
        """Keep the sum."""
        self.square = float(part[0])


class Norms(Observer):
    """The norms of each layer's gradient and weights, (2 L,) for L layers: see `LayerNorms`."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self.size = 2 * len(parameters.ranges)

    def place(self, part: Array) -> None:
        """Take the part that holds the squares, of gradients first."""
        self._norms = LayerNorms(self._parameters, part)

    def measure(self, measuring: Measuring | None = None) -> None:
        """Compute the squares of the norms."""
        self._norms.measure()

    def read(self, part: HostArray) -> None:
        """Keep the norms."""
        self.gradients, self.weights = split_norms(part)

    def enter(self, history: History) -> None:
        """Append the norms of gradients and weights."""
        history.gradient_norms.append(self.gradients)
        history.weight_norms.append(self.weights)

"""What the optimizers share: their own flat buffers beside the parameters, the checks, and the clipping."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..backend import INTEGER, AnyBackend, Array, HostArray, UpdateFormula
from ..checks.arrays import as_host
from ..checks.quoting import counted
from ..checks.settings import is_finite_number
from ..checks.states import ANY, COUNT, SEQUENCE, TEXT, check_state, described, is_same
from ..layers.parameters import Parameters
from ..schedules import Schedule, rate_of
from .protocol import ToHost


@dataclass(frozen=True, eq=False)
class State:
    """What an optimizer keeps on the device.

    Attributes
    ----------
    parameters : Parameters
        The ones that it updates.
    buffer : Array, (M, P)
        The moments, zero at first.
    moments : sequence of Array
        Its rows (P,).
    settings : StepSettings
    norm : Array, (1,)
        Where clipping puts the norm of the gradient.
    """

    parameters: Parameters
    buffer: Array
    moments: Sequence[Array]
    settings: StepSettings
    norm: Array


class FlatOptimizer:
    """An `Optimizer` over flat buffers; a subclass has a formula, and says which numbers a step reads."""

    learning_rate: float | Schedule
    weight_decay: float | ArrayLike
    clip_norm: float | None

    # What every optimizer starts with. These are no fields, so that a subclass orders its own as it likes.
    epochs: int = 0
    steps: int = 0
    rate_scale: float = 1.0
    _state: State | None = None
    _resumed: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        self._check()

    @property
    def formula(self) -> UpdateFormula:
        """What a step does."""
        raise NotImplementedError

    @property
    def moments(self) -> Sequence[Array]:
        """The flat buffers (P,) beside the parameters; none before the first use."""
        return () if self._state is None else self._state.moments

    @property
    def current_learning_rate(self) -> float:
        """The learning rate of the epoch that runs, or comes next."""
        return rate_of(self.learning_rate, self.epochs) * self.rate_scale

    def prepare(self, parameters: Parameters, steps: int) -> None:
        """Bind to these parameters and send the numbers of the next steps: see `Optimizer.prepare`."""
        self._check()
        decay = np.asarray(self.weight_decay, np.float64)
        if decay.shape not in ((), (steps,)):
            raise ValueError(
                f"weight_decay must be one number, or one for each of the {counted(steps, 'step')} of an "
                f"epoch, got shape {decay.shape}."
            )
        backend = parameters.backend
        try:
            with np.errstate(over="raise"):
                numbers = self._numbers(steps, decay, backend.dtype).astype(backend.dtype, copy=False)
        except FloatingPointError as error:
            raise ValueError(f"{self!r:.200} has a number that is too large for {backend.dtype}.") from error
        if self._state is None:
            if self._resumed is not None:
                self._check_fits(self._resumed, parameters)
            (size,), count = parameters.values.shape, len(self.formula.moments)
            buffer = backend.zeros((count, size))
            moments = [buffer[i : i + 1].reshape((size,)) for i in range(count)]
            settings = StepSettings(backend, len(self.formula.settings) + 1)
            self._state = State(parameters, buffer, moments, settings, backend.zeros((1,)))
            self._load_moments()
        elif self._state.parameters is not parameters:
            raise ValueError(
                f"this optimizer holds the moments of another network. "
                f"Make a new {type(self).__name__} for this one."
            )
        self._state.settings.upload(numbers)

    def skip(self, steps: int) -> None:
        """Let the next update be that behind the first of the prepared steps, which are taken."""
        assert self._state is not None
        self._state.settings.skip(steps)

    def update(self, backend: AnyBackend, parameters: Parameters) -> None:
        """Take one step from the gradients in `parameters`; `prepare` must have been called with them."""
        if self._state is None:
            raise RuntimeError("call prepare(parameters, steps) before update.")
        if self.clip_norm is not None:
            backend.clip_norm(parameters.gradients, self.clip_norm, norm=self._state.norm)
        backend.update(
            parameters.values,
            parameters.gradients,
            self._state.buffer,
            self._state.settings.fetch(backend),
            self.formula,
            decay_ranges=parameters.weight_ranges,
        )

    @property
    def key(self) -> Hashable:
        """What the calls of `update` depend on, once prepared: while this is equal, they are the same.

        None where a subclass has an `update` of its own.
        """
        if self._state is None or type(self).update is not FlatOptimizer.update:
            return None
        return self._state, self.formula, self.clip_norm, self._state.settings.table

    def reset(self) -> None:
        """Set the moments and `steps` to 0; see `Optimizer.reset`."""
        self.steps, self._resumed = 0, None
        if self._state is not None:
            backend = self._state.parameters.backend
            for moment in self._state.moments:
                backend.from_host(np.zeros(moment.shape, backend.dtype), out=moment)

    def state_dict(self, to_host: ToHost | None = None) -> dict[str, Any]:
        """Return the counters, and copies of the moments (P,) on the host; no moments before the first use.

        The backend copies them, or `to_host`.

        With them stands what they belong to: the optimizer's type, and the shapes (d, m) of the layers.
        """
        moments, shapes = [], None
        if self._state is not None:
            backend, shapes = self._state.parameters.backend, self._state.parameters.shapes
            moments = [(to_host or backend.to_host)(moment) for moment in self._state.moments]
        elif self._resumed is not None:
            moments, shapes = list(self._resumed["moments"]), self._resumed["shapes"]
        return {
            "optimizer": type(self).__name__,
            "epochs": self.epochs,
            "steps": self.steps,
            "moments": moments,
            "shapes": None if shapes is None else [list(shape) for shape in shapes],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` of an optimizer of this type returned, for layers of the same shapes.

        Raises ValueError for anything else, and changes nothing then. An optimizer that has not been used
        compares the shapes when it is.
        """
        name = type(self).__name__
        check_state(name, state, optimizer=TEXT, epochs=COUNT, steps=COUNT, moments=SEQUENCE, shapes=ANY)
        if state["optimizer"] != name:
            raise ValueError(f"this is a state of {state['optimizer']}, which {name} cannot go on from.")
        try:
            moments = [np.array(moment, np.float64) for moment in state["moments"]]
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"this is no state of {name}: its moments are no arrays of numbers.") from error
        count = len(self.formula.moments)
        if len(moments) not in (0, count) or len({moment.shape for moment in moments}) > 1:
            raise ValueError(
                f"this is no state of {name}: it needs {counted(count, 'moment')} of one shape, or "
                f"none, got {[moment.shape for moment in moments]}."
            )
        resumed = {**state, "moments": moments}
        if self._state is not None:
            self._check_fits(resumed, self._state.parameters)
            self.reset()
        self.epochs, self.steps, self._resumed = state["epochs"], state["steps"], resumed
        if self._state is not None:
            self._load_moments()

    def _check_fits(self, resumed: Mapping[str, Any], parameters: Parameters) -> None:
        """Raise ValueError where the moments to go on from belong to layers of other shapes."""
        shapes = resumed["shapes"]
        other = shapes is not None and not is_same(shapes, [list(shape) for shape in parameters.shapes])
        if other or any(moment.shape != parameters.values.shape for moment in resumed["moments"]):
            raise ValueError(
                f"the state that was loaded into this {type(self).__name__} is that of other layers: "
                f"{described(shapes) if shapes else 'unknown'}, and these are {parameters.shapes}. Take a "
                f"new one for this network."
            )

    def _load_moments(self) -> None:
        """Send the moments to go on from to the device."""
        assert self._state is not None
        backend = self._state.parameters.backend
        if self._resumed is not None:
            for moment, kept in zip(self._state.moments, self._resumed["moments"], strict=False):
                backend.from_host(kept, out=moment)
        self._resumed = None

    def _numbers(self, steps: int, decay: HostArray, dtype: np.dtype[np.floating]) -> HostArray:
        """Return the numbers of the next steps, (S + 1,) if all are the same, else (steps, S + 1).

        They are the formula's S settings, and the weight decay.
        """
        raise NotImplementedError

    def _check(self) -> None:
        check_learning_rate(self.learning_rate)
        check_weight_decay(self.weight_decay)
        check_clip_norm(self.clip_norm)


def check_learning_rate(rate: object) -> None:
    """Raise ValueError for what is neither a number above 0 nor a schedule."""
    if isinstance(rate, type):
        raise ValueError(f"learning_rate is the class {rate.__name__}; give an object of it.")
    if not callable(rate) and not (is_finite_number(rate) and rate > 0):  # type: ignore[operator]
        raise ValueError(f"learning_rate must be a number above 0, got {rate!r:.60}. Or give a schedule.")


def check_clip_norm(norm: object) -> None:
    """Raise ValueError for what is neither None nor a number above 0."""
    if norm is not None and not (is_finite_number(norm) and norm > 0):  # type: ignore[operator]
        raise ValueError(f"clip_norm must be a number above 0, or None, got {norm!r:.60}.")


def check_weight_decay(decay: object) -> None:
    """Raise ValueError for what is neither a number of at least 0 nor an array of such."""
    if not _none_negative(decay):
        raise ValueError(f"weight_decay must be a number of at least 0, got {decay!r:.60}.")


def _none_negative(numbers: object) -> bool:
    if is_finite_number(numbers):
        return bool(numbers >= 0)  # type: ignore[operator]
    try:
        array = as_host("weight_decay", numbers)
    except (TypeError, ValueError):
        return False
    return array.ndim > 0 and array.dtype.kind != "b" and bool((np.isfinite(array) & (array >= 0)).all())


class StepSettings:
    """The numbers that the next steps read, on the device: a row for each step, or one for all.

    Where they differ from step to step, a table goes to the device before the epoch, and each step gathers
    its own row; one row for all is read in place, without a call.
    """

    def __init__(self, backend: AnyBackend, columns: int) -> None:
        self._backend = backend
        self._row = backend.zeros((columns,))
        self._as_rows = self._row.reshape((1, columns))
        self._table: Array | None = None
        self._positions: Array | None = None
        self._cursor = backend.zeros((1,), INTEGER)

    @property
    def table(self) -> int | None:
        """The `id` of the table; None where one row is read by all steps."""
        return None if self._table is None else id(self._table)

    def upload(self, numbers: HostArray) -> None:
        """Send (columns,) for all steps, or (steps, columns) for each, in the backend's dtype.

        A longer table replaces the one on the device; any other is written into it.
        """
        backend = self._backend
        if numbers.ndim == 1:
            self._table = None
            backend.from_host(numbers, out=self._row)
            return
        steps = len(numbers)
        if self._table is None or self._table.shape[0] < steps:
            self._table = backend.zeros(numbers.shape)
            self._positions = backend.from_host(np.arange(steps), dtype=INTEGER)
        backend.from_host(numbers, out=self._table[:steps])
        backend.from_host(np.zeros(1, INTEGER), out=self._cursor)

    def skip(self, steps: int) -> None:
        """Let the next step read the row after so many of them, where each step has its own."""
        if self._table is not None:
            self._backend.from_host(np.array([steps], INTEGER), out=self._cursor)

    def fetch(self, backend: AnyBackend) -> Array:
        """Return the numbers of the next step, (columns,)."""
        if self._table is not None and self._positions is not None:
            backend.take_rows(self._table, self._positions, self._cursor, out=self._as_rows)
            backend.advance(self._cursor, 1)
        return self._row

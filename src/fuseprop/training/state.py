"""All that a training goes on from, as plain data: what a checkpoint holds of it, and back."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from ..backend import AnyBackend, Array, HostArray
from ..callbacks import Together
from ..callbacks.history import History
from ..checkpoints import CheckpointError
from ..checks.settings import is_finite_number
from ..checks.states import ANY, COUNT, NUMBER, SEQUENCE, STATE, check_state
from ..optimizers import Optimizer
from ..optimizers.protocol import ToHost, resumable
from .epoch import Epoch
from .orders import Orders
from .rules import Rules

OWNER = "a training"
"""Whose state it is, in messages."""


@dataclass(frozen=True)
class Parts:
    """The parts of a training that carry something from step to step."""

    epoch: Epoch
    rules: Rules
    orders: Orders[Any]
    together: Together


class Copies:
    """Copies of a backend's arrays on the host, in memory that the next copies of the same arrays take again.

    The first touch of fresh memory costs several times what a copy does.
    """

    def __init__(self, backend: AnyBackend) -> None:
        self._backend = backend
        self._kept: dict[int, tuple[Array, HostArray]] = {}

    def __call__(self, array: Array) -> HostArray:
        """Return a copy of an array, whose last copy is not needed any more."""
        if not isinstance(array, np.ndarray):
            return self._backend.to_host(array)
        if id(array) not in self._kept:
            self._kept[id(array)] = array, np.empty_like(array)
        _, copy = self._kept[id(array)]
        np.copyto(copy, array)
        return copy


def training_state(
    parts: Parts,
    history: History,
    within: Mapping[str, Any] | None = None,
    to_host: ToHost | None = None,
) -> dict[str, Any]:
    """Return the state of a training between two steps, on the host.

    `within` has the steps that were taken of an epoch, its results so far, (results,), and the seconds spent
    on it; None between two epochs. The backend copies arrays, or `to_host`.
    """
    epoch = parts.epoch
    backend, stack = epoch.backend, epoch.stack
    dropout = stack.dropout
    return {
        "parameters": (to_host or backend.to_host)(stack.parameters.values),
        "optimizer": resumable(epoch.optimizer).state_dict(to_host),
        "numbers": numbers_of(epoch.optimizer),
        "rules": parts.rules.state_dict(to_host),
        "orders": parts.orders.state_dict(),
        "observers": [observer.state_dict() for observer in epoch.observers],
        "callbacks": parts.together.state_dict(),
        "dropout": None
        if dropout is None
        else {"seeds": list(dropout.seeds), "step": int(backend.to_host(dropout.step)[0])},
        "history": history.state_dict(),
        "within": None if within is None else dict(within),
    }


def go_on_from(state: Mapping[str, Any], parts: Parts) -> None:
    """Let a training and its callbacks, which have been started, go on from what `training_state` returned.

    The history has gone on already. Raises CheckpointError for what is no state of such a training;
    everything is then as it was.
    """
    before = training_state(parts, History("loss"))
    try:
        _check(state, parts)
        _load(state, parts)
    except BaseException as error:
        with suppress(Exception):  # the first error says what is wrong
            _load(before, parts)
        if isinstance(error, ValueError):
            raise CheckpointError(f"the checkpoint does not fit this training: {error}") from error
        raise


def numbers_of(optimizer: Optimizer) -> dict[str, float | None]:
    """Return the settings of an optimizer that are numbers or None, by name: no schedules, no arrays."""
    names: list[str] = [field.name for field in fields(optimizer)] if is_dataclass(optimizer) else []
    settings = {name: getattr(optimizer, name) for name in names}
    return {
        name: value
        for name, value in settings.items()
        if value is None or isinstance(value, bool) or is_finite_number(value)
    }


def _check(state: Mapping[str, Any], parts: Parts) -> None:
    """Raise ValueError for orders and positions that would read or write where nothing is."""
    kinds = dict.fromkeys(("optimizer", "numbers", "rules", "orders", "callbacks", "history"), STATE)
    check_state(OWNER, state, parameters=ANY, observers=SEQUENCE, dropout=ANY, within=ANY, **kinds)
    epoch = parts.epoch
    check_state("Orders", state["orders"], generator=STATE, order=ANY)
    rows, order = parts.orders.rows, np.asarray(state["orders"]["order"])
    if order.shape != rows.shape or order.dtype.kind not in "iu" or (np.sort(order) != np.sort(rows)).any():
        raise ValueError(f"this is no state of {OWNER} over these rows: its order of rows is another one's.")
    if len(state["observers"]) != len(epoch.observers):
        raise ValueError(
            f"this is a state of {OWNER} with {len(state['observers'])} measurements, and this one has "
            f"{len(epoch.observers)}."
        )
    dropout = epoch.stack.dropout
    if (state["dropout"] is None) != (dropout is None):
        raise ValueError(f"this is no state of {OWNER} with the same dropout.")
    if dropout is not None:
        check_state("Dropout", state["dropout"], seeds=SEQUENCE, step=COUNT)
        seeds = state["dropout"]["seeds"]
        if len(seeds) != len(dropout.seeds) or any(not 0 <= int(seed) < 1 << 32 for seed in seeds):
            raise ValueError(f"this is no state of {OWNER} with the same dropout: its seeds are {seeds}.")
    within = state["within"]
    if within is not None:
        check_state(OWNER, within, steps=COUNT, results=ANY, seconds=NUMBER)
        if not 0 < within["steps"] < len(epoch.starts):
            raise ValueError(
                f"this is no state of {OWNER} with these batches: it is behind step {within['steps']} of an "
                f"epoch, and an epoch has {len(epoch.starts)}."
            )
        if np.shape(within["results"]) != epoch.results_shape:
            raise ValueError(
                f"this is no state of {OWNER} with these rows and measurements: it has results of the shape "
                f"{np.shape(within['results'])}, expected {epoch.results_shape}."
            )


def _load(state: Mapping[str, Any], parts: Parts) -> None:
    epoch = parts.epoch
    backend, stack, optimizer = epoch.backend, epoch.stack, epoch.optimizer
    _send(parts, np.asarray(state["parameters"]))
    moments = state["optimizer"].get("moments", ())
    if len(moments) != len(optimizer.moments):
        raise ValueError(f"this is no state of {OWNER} with this optimizer: it has {len(moments)} moments.")
    resumable(optimizer).load_state_dict(state["optimizer"])
    for name, value in state["numbers"].items():
        if name in numbers_of(optimizer):
            setattr(optimizer, name, value)
    if stack.dropout is not None:
        stack.dropout.seeds[:] = map(int, state["dropout"]["seeds"])
        step = np.array([state["dropout"]["step"]], stack.dropout.step.dtype)
        backend.from_host(step, out=stack.dropout.step)
    parts.rules.load_state_dict(state["rules"])
    parts.orders.load_state_dict(state["orders"])
    for observer, carried in zip(epoch.observers, state["observers"], strict=True):
        observer.load_state_dict(carried)
    parts.together.load_state_dict(state["callbacks"])


def _send(parts: Parts, parameters: HostArray) -> None:
    values = parts.epoch.stack.parameters.values
    if parameters.shape != values.shape or parameters.dtype.kind != "f":
        raise ValueError(
            f"this is no state of {OWNER} of these layers: they have {values.shape[0]:,} parameters, and the "
            f"state {parameters.size:,}."
        )
    parts.epoch.backend.from_host(parameters, out=values)

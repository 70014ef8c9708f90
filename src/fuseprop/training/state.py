"""All that a training goes on from, as plain data: what a checkpoint holds of it, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..callbacks import Together
from ..callbacks.history import History
from ..checks.quoting import shown
from ..checks.settings import is_finite_number
from ..optimizers import Optimizer
from ..optimizers.protocol import ToHost, resumable
from .checking import check_training
from .epoch import Epoch
from .orders import Orders
from .rules import Rules

if TYPE_CHECKING:
    from ..checkpoints import Found


@dataclass(frozen=True)
class Parts:
    """The parts of a training that carry something from step to step."""

    epoch: Epoch
    rules: Rules
    orders: Orders[Any]
    together: Together


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


def go_on_from(found: Found, parts: Parts) -> None:
    """Let a training and its callbacks, which have been started, go on from a checkpoint.

    Its "training" is what `training_state` returned. The history has gone on already. Raises CheckpointError
    for what is no state of such a training; everything is then as it was.
    """
    before, state = training_state(parts, History("loss")), found.state["training"]
    try:
        with refusing(found):
            check_training(state, parts.epoch, parts.orders.rows, numbers_of(parts.epoch.optimizer))
            _load(state, parts)
    except BaseException:
        with suppress(Exception):  # the first error says what is wrong
            _load(before, parts)
        raise


@contextmanager
def refusing(found: Found) -> Iterator[None]:
    """Raise CheckpointError, which names the file, for a ValueError about what it holds."""
    try:
        yield
    except ValueError as error:
        from ..checkpoints import CheckpointError

        place, why = shown(found.path, None), str(error).rstrip(".")
        raise CheckpointError(f"{place} does not fit this training: {why}.") from error


def numbers_of(optimizer: Optimizer) -> dict[str, float | None]:
    """Return the settings of an optimizer that are numbers or None, by name: no schedules, no arrays."""
    names: list[str] = [field.name for field in fields(optimizer)] if is_dataclass(optimizer) else []
    settings = {name: getattr(optimizer, name) for name in names}
    return {
        name: value
        for name, value in settings.items()
        if value is None or isinstance(value, bool) or is_finite_number(value)
    }


def _load(state: Mapping[str, Any], parts: Parts) -> None:
    epoch = parts.epoch
    backend, stack, optimizer = epoch.backend, epoch.stack, epoch.optimizer
    backend.from_host(state["parameters"], out=stack.parameters.values)
    resumable(optimizer).load_state_dict(state["optimizer"])
    for name, value in state["numbers"].items():
        setattr(optimizer, name, value)
    epoch.prepare()  # checks these numbers
    if stack.dropout is not None:
        stack.dropout.seeds[:] = map(int, state["dropout"]["seeds"])
        step = np.array([state["dropout"]["step"]], stack.dropout.step.dtype)
        backend.from_host(step, out=stack.dropout.step)
    parts.rules.load_state_dict(state["rules"])
    parts.orders.load_state_dict(state["orders"])
    for observer, carried in zip(epoch.observers, state["observers"], strict=True):
        observer.load_state_dict(carried)
    parts.together.load_state_dict(state["callbacks"])

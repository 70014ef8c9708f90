"""Whether plain data are the state of a training: a checkpoint may hold anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..backend import HostArray
from ..callbacks.history import NORMS
from ..checks.quoting import literal
from ..checks.settings import is_finite_number
from ..checks.states import ANY, COUNT, FLAG, SEQUENCE, STATE, Kind, check_array, check_state
from ..layers.dropout import SEEDS
from .epoch import Epoch
from .observers import Norms

OWNER = "a training"
"""Whose state it is, in messages."""

OTHER = f"this is no state of {OWNER}"
"""The beginning of messages."""

DURATION = Kind("a finite number", is_finite_number)
SETTING = Kind("a finite number or None", lambda value: value is None or is_finite_number(value))


def check_training(
    state: Mapping[str, Any], epoch: Epoch, rows: HostArray, numbers: Mapping[str, float | None]
) -> None:
    """Raise ValueError for what is no state of a training over these rows, (N,), by these epochs.

    `numbers` are those of its optimizer, by name. `History` has checked its own part; optimizers, rules,
    orders and callbacks check theirs when they go on.
    """
    parts = dict.fromkeys(("optimizer", "numbers", "rules", "orders", "callbacks", "history"), STATE)
    check_state(OWNER, state, parameters=ANY, observers=SEQUENCE, dropout=ANY, within=ANY, **parts)
    shape = epoch.stack.parameters.values.shape
    check_array(OWNER, "parameters", state["parameters"], shape, epoch.backend.dtype)
    _check_optimizer(state, epoch, numbers)
    _check_norms(state["history"], epoch)
    check_state("Orders", state["orders"], generator=STATE, order=ANY)
    if not epoch.is_order(np.asarray(state["orders"]["order"]), rows):
        raise ValueError(f"{OTHER} over these rows: its order of rows is another one's.")
    if len(state["observers"]) != len(epoch.observers):
        raise ValueError(
            f"{OTHER} with as many measurements: it has {len(state['observers'])}, and this one has "
            f"{len(epoch.observers)}."
        )
    _check_dropout(state["dropout"], epoch)
    if state["within"] is not None:
        _check_within(state["within"], epoch)


def _check_optimizer(state: Mapping[str, Any], epoch: Epoch, numbers: Mapping[str, float | None]) -> None:
    check_state("an optimizer", state["optimizer"], moments=SEQUENCE)
    if len(state["optimizer"]["moments"]) != len(epoch.optimizer.moments):
        raise ValueError(f"{OTHER} with this optimizer: it has {len(state['optimizer']['moments'])} moments.")
    kinds = {name: FLAG if isinstance(value, bool) else SETTING for name, value in numbers.items()}
    check_state("an optimizer", state["numbers"], **kinds)
    if state["numbers"].keys() != kinds.keys():
        raise ValueError(f"{OTHER} with this optimizer: it has other numbers.")


def _check_norms(history: Mapping[str, Any], epoch: Epoch) -> None:
    epochs, layers = len(history["train_loss"]), len(epoch.stack.layers)
    are_observed = any(isinstance(observer, Norms) for observer in epoch.observers)
    shape = (epochs, layers) if are_observed and epochs else (0,)
    for name in NORMS:
        check_array(OWNER, name, history[name], shape, np.float64)


def _check_dropout(state: Any, epoch: Epoch) -> None:
    dropout = epoch.stack.dropout
    if (state is None) != (dropout is None):
        raise ValueError(f"{OTHER} with the same dropout.")
    if dropout is None:
        return
    check_state("Dropout", state, seeds=SEQUENCE, step=COUNT)
    seeds = state["seeds"]
    are_seeds = all(COUNT.fits(seed) and seed < SEEDS for seed in seeds)
    if len(seeds) != len(dropout.seeds) or not are_seeds:
        raise ValueError(f"{OTHER} with the same dropout: its seeds are {literal(seeds)}.")


def _check_within(state: Any, epoch: Epoch) -> None:
    check_state(OWNER, state, steps=COUNT, results=ANY, seconds=DURATION)
    if not 0 < state["steps"] <= len(epoch.starts):
        raise ValueError(
            f"{OTHER} with these batches: it is behind step {state['steps']} of an epoch, and an epoch has "
            f"{len(epoch.starts)}."
        )
    blank = epoch.blank_results
    check_array(OWNER, "results", state["results"], blank.shape, blank.dtype)

"""Activations and losses as plain data, which model files keep as JSON, and back.

A built-in one is its name, with its parameters: "relu", "huber(1.35)". One of a user's own is an object with
its formula as data: loading it executes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, TypeAlias

from ..backend.expression import MAX_SLOPE
from ..backend.formula import ActivationFormula, LossFormula
from ..backend.serialized import from_data, to_data
from .activation import Activation, as_activation
from .loss import AnyLoss, Loss, as_loss

Kept: TypeAlias = str | dict[str, Any]


def keep_activation(activation: Activation) -> Kept:
    """Return an activation as plain data."""
    if activation.is_built_in:
        return activation.name
    formula = activation.formula
    return {
        "name": activation.name,
        "value": to_data(formula.value),
        "slope": to_data(formula.slope),
        "low": activation.low,
        "high": activation.high,
        **_text_of(activation),
    }


def keep_loss(loss: AnyLoss) -> Kept:
    """Return a loss as plain data."""
    if not isinstance(loss, Loss) or loss.is_built_in:
        return loss.name
    finite = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in loss.options.items()
        if value not in (inf, -inf) and value is not None
    }
    formula = loss.formula
    return {
        "name": loss.name,
        "term": to_data(formula.term),
        "slope": to_data(formula.slope),
        **finite,
        **_text_of(loss),
    }


def _text_of(formula: Activation | Loss) -> dict[str, Any]:
    return {} if formula.given_text is None else {"text": formula.given_text}


def activation_kept(data: object) -> Activation:
    """Return the activation that `keep_activation` made data of. Raises ValueError for anything else."""
    if isinstance(data, str):
        return as_activation(data)
    entries = _entries("activation", data, {"name": str, "value": list, "slope": list}, _OF_ACTIVATION)
    slope = entries["slope"]
    names = {"y"} if "y" in slope else {"z"}
    formula = ActivationFormula(from_data(entries["value"], {"z"}), from_data(slope, names, MAX_SLOPE))
    low, high = entries.get("low", 0.0), entries.get("high", 1.0)
    return Activation.of_formula(entries["name"], formula, low, high, entries.get("text"))


def loss_kept(data: object) -> AnyLoss:
    """Return the loss that `keep_loss` made data of. Raises ValueError for anything else."""
    if isinstance(data, str):
        return as_loss(data)
    entries = _entries("loss", data, {"name": str, "term": list, "slope": list}, _OF_LOSS)
    term, slope = from_data(entries["term"], {"y", "t"}), from_data(entries["slope"], {"y", "t"}, MAX_SLOPE)
    options = {name: entries[name] for name in _OF_LOSS if name in entries}
    return Loss.of_formula(entries["name"], LossFormula(term, slope), **options)


_OF_ACTIVATION: dict[str, tuple[type, ...]] = {"low": (int, float), "high": (int, float), "text": (str,)}

_OF_LOSS: dict[str, tuple[type, ...]] = {
    "link": (str,),
    "low": (int, float),
    "high": (int, float),
    "coding": (list,),
    "mean": (bool,),
    "metric": (str,),
    "constant": (str, float),
    "text": (str,),
}


def _entries(
    what: str, data: object, needed: Mapping[str, type], allowed: Mapping[str, tuple[type, ...]]
) -> dict[str, Any]:
    """Return an object's entries; raise ValueError where one is missing, unknown, or of another type."""
    if not isinstance(data, dict):
        raise ValueError(f"a kept {what} is a name or an object, got {type(data).__name__}.")
    types: dict[str, tuple[type, ...]] = {**{name: (kind,) for name, kind in needed.items()}, **allowed}
    wrong = [name for name in data if name not in types or type(data[name]) not in types[name]]
    missing = [name for name in needed if name not in data]
    if wrong or missing:
        raise ValueError(
            f"a kept {what} is an object with {', '.join(needed)} and perhaps {', '.join(allowed)}; "
            f"{', '.join(map(repr, (*missing, *wrong)))[:100]} is missing or not as it should be."
        )
    return data

"""Configuration: everything about a model but its weights, as plain data that a model file keeps as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from math import isfinite
from typing import Any

import numpy as np

from ..checks.quoting import literal
from ..data.encoder import Encoder
from ..data.errors import repeated
from ..data.scaling import Standardizer
from ..data.seen import Seen
from ..data.table_data import numbered
from ..formulas.activation import Activation
from ..formulas.kept import Kept, activation_kept, loss_kept
from ..storage.tensorfile import ModelFileError
from .encodings import encoder_kept, keep_columns

MOST_ACTIVATIONS = 100
"""How many different activations one file may have: of each, the slope is compared with the values."""


@dataclass(frozen=True)
class Configuration:
    """Everything about a model but its weights, in types that JSON has.

    A field that a later version adds needs a default, for files that were written before.

    Attributes
    ----------
    activations : list of str or dict
        One per layer: a name, or the formula of one of a user's own, see `fuseprop.formulas.kept`.
    loss : str or dict
        The same of the loss.
    metric, dtype, task : str
        Names; the metric is "" for a network without one.
    classes : list of str or numbers
        Those of a binary or exclusive task, in ascending order; empty otherwise.
    feature_names, target_names : list of str
    named : bool
        Whether the features had names in training; False if they were numbered x1, x2, ...
    input_mean, input_scale : list of float
        The standardization of the features: see `Encoder.scaling`.
    target_mean, target_scale : list of float
        That of a regression's targets; empty otherwise.
    input_low, input_high : list of float
        The range of each feature in training; empty if it is not known, as in old files.
    raw_inputs : bool
        Whether the features are a table's own columns, not transformed before: see `Seen`.
    monitor, score : str, list of float
        The name of the score that the model was saved for, and a list of its value; both empty without one.
    encodings : list of dict
        The features that are more than plain numbers, none of them missing: one object each, see `encodings`.
    missing : str
        What becomes of missing values of features: see `Encoder`.
    """

    activations: list[Kept]
    loss: Kept
    metric: str
    dtype: str
    task: str
    classes: list[str | int | float]
    feature_names: list[str]
    target_names: list[str]
    input_mean: list[float]
    input_scale: list[float]
    target_mean: list[float]
    target_scale: list[float]
    input_low: list[float] = field(default_factory=list)
    input_high: list[float] = field(default_factory=list)
    raw_inputs: bool = True
    monitor: str = ""
    score: list[float] = field(default_factory=list)
    named: bool = True
    encodings: list[dict[str, Any]] = field(default_factory=list)
    missing: str = "encode"


KINDS: dict[str, set[type]] = {
    "str": {str},
    "bool": {bool},
    "Kept": {str, dict},
    "list[Kept]": {str, dict},
    "list[str]": {str},
    "list[float]": {int, float},
    "list[dict[str, Any]]": {dict},
    "list[str | int | float]": {str, int, float, bool},  # estimators have classes False and True
}
"""The types of JSON values, or of a list's items, for each type of a field."""


def parse_configuration(place: str, about: dict[str, Any]) -> Configuration:
    """Return the configuration in a file's JSON object `about`.

    Raises ModelFileError, in which `place` names the file, for missing fields, other types, and values that
    contradict each other.
    """
    values: dict[str, Any] = {}
    for entry in fields(Configuration):
        if entry.name not in about and (entry.default is not MISSING or entry.default_factory is not MISSING):
            continue  # the file was written by an earlier version
        value = about.get(entry.name)
        is_list = str(entry.type).startswith("list")
        items = value if isinstance(value, list) else [value]
        # Types are compared exactly: `isinstance(True, int)` holds.
        if isinstance(value, list) != is_list or not {*map(type, items)} <= KINDS[str(entry.type)]:
            raise ModelFileError(
                f"{place}: its configuration has no valid {entry.name!r}, got {literal(value)}."
            )
        values[entry.name] = value
    if "named" not in about:  # earlier versions numbered features without names, and said no more
        names = values["feature_names"]
        values["named"] = tuple(names) != numbered("x", len(names))
    configuration = Configuration(**values)
    wrong = contradictions(configuration)
    if wrong:
        raise ModelFileError(f"{place}: its configuration is damaged or unknown: {'; '.join(wrong)}.")
    return configuration


def contradictions(configuration: Configuration) -> list[str]:
    """Return the rules that a configuration breaks, as clauses of a message; empty for a consistent one."""
    c = configuration
    inputs = len(c.feature_names)
    problems = {
        "activations must have an entry for each of at least one layer": not c.activations,
        f"dtype must be float32 or float64, got {literal(c.dtype)}": c.dtype not in ("float32", "float64"),
        f"input_mean and input_scale must have an entry for each of at least one feature, got "
        f"{len(c.input_mean)} and {len(c.input_scale)} for {inputs}": not inputs
        == len(c.input_mean)
        == len(c.input_scale)
        > 0,
        "target_mean and target_scale must be equally long": len(c.target_mean) != len(c.target_scale),
        "a mean must be a finite number": not _are_finite_above([*c.input_mean, *c.target_mean], -np.inf),
        "a scale must be a finite number above 0": not _are_finite_above(
            [*c.input_scale, *c.target_scale], 0.0
        ),
        "input_low and input_high must be finite numbers in order, one a feature or none": len(c.input_low)
        not in (0, inputs)
        or len(c.input_low) != len(c.input_high)
        or not _are_finite_above([*c.input_low, *c.input_high], -np.inf)
        or any(low > high for low, high in zip(c.input_low, c.input_high, strict=False)),
        "score must be one finite number where there is a monitor, else none": len(c.score) != bool(c.monitor)
        or not _are_finite_above(c.score, -np.inf),
        "classes must be text, or numbers that NumPy holds": not _are_classes(c.classes),
    }
    for what, parsed in (
        ("an activation", lambda: activations_in(c)),
        ("the loss", lambda: loss_kept(c.loss)),
    ):
        try:
            parsed()
        except ValueError as error:
            problems[f"{what} is none that this version has: {str(error).rstrip('.')}"] = True
    for what, names in (
        ("feature_names", c.feature_names),
        ("target_names", c.target_names),
        ("classes", [str(name) for name in c.classes]),
    ):
        twice = repeated(names)
        if twice:
            problems[f"{what} must differ from each other, but {literal(twice[0])} is there twice"] = True
        problems[f"{what} must be text that UTF-8 holds"] = not _are_texts(names)
    found = [problem for problem, is_there in problems.items() if is_there]
    if not found:
        try:
            encoder_in(c)
        except ValueError as error:
            found.append(f"the encoding is none that this version has: {str(error).rstrip('.')}")
    return found


def activations_in(configuration: Configuration) -> list[Activation]:
    """Return the activation of each layer. Raises ValueError for what is none, and for too many of them."""
    keys = [json.dumps(kept) for kept in configuration.activations]
    different = dict(zip(keys, configuration.activations, strict=True))
    if len(different) > MOST_ACTIVATIONS:
        raise ValueError(
            f"a model file holds at most {MOST_ACTIVATIONS} different activations, got {len(different)}."
        )
    made = {key: activation_kept(kept) for key, kept in different.items()}
    return [made[key] for key in keys]


def _are_finite_above(numbers: Sequence[Any], lowest: float) -> bool:
    try:
        return all(map(isfinite, numbers)) and min(numbers, default=np.inf) > lowest
    except OverflowError:  # whole numbers in JSON may be beyond float64
        return False


def _are_classes(classes: list[str | int | float]) -> bool:
    if any(isinstance(name, str) for name in classes):
        return all(isinstance(name, str) for name in classes)
    return np.array(classes, ndmin=1).dtype.kind in "biuf" and _are_finite_above(classes, -np.inf)


def _are_texts(names: list[str]) -> bool:
    """Whether UTF-8 can encode all names: it cannot encode a lone surrogate."""
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        return False
    return True


def standardizer_in(mean: list[float], scale: list[float]) -> Standardizer:
    """Return the standardizer with these fields of a `Configuration`."""
    return Standardizer(np.array(mean, np.float64), np.array(scale, np.float64))


def encoder_entries(encoder: Encoder) -> dict[str, Any]:
    """Return the fields of a `Configuration` that keep an encoder."""
    return {
        "feature_names": list(encoder.column_names),
        "input_mean": encoder.scaling.mean.tolist(),
        "input_scale": encoder.scaling.scale.tolist(),
        "encodings": keep_columns(encoder),
        "missing": encoder.missing,
    }


def encoder_in(c: Configuration) -> Encoder:
    """Return the encoder of a configuration. Raises ValueError for entries that contradict each other."""
    return encoder_kept(c.feature_names, standardizer_in(c.input_mean, c.input_scale), c.encodings, c.missing)


def seen_entries(seen: Seen | None) -> dict[str, Any]:
    """Return the fields of a `Configuration` that keep the ranges seen in training; none if not known."""
    if seen is None:
        return {}
    return {"input_low": seen.low.tolist(), "input_high": seen.high.tolist(), "raw_inputs": seen.raw}


def seen_in(c: Configuration) -> Seen | None:
    """Return the ranges of the features in training, or None if the file has none and is no estimator's."""
    if not c.input_low and c.raw_inputs:
        return None
    return Seen(np.array(c.input_low, np.float64), np.array(c.input_high, np.float64), c.raw_inputs)

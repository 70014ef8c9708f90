"""Model files: one .safetensors file with every weight, and in its metadata what the weights mean.

Tensors are ``layers.0.weight`` (inputs, outputs) and ``layers.0.bias`` (outputs,) for each layer. The
metadata have a single key, "fuseprop", whose value is JSON. What is written is checked as what is read is, so
that every file that was written can be read. Reading never unpickles.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import HostArray
from ..checks.quoting import literal, shown
from ..checks.settings import as_path
from ..formulas.activations import ACTIVATIONS
from ..formulas.losses import LOSSES
from ..storage.atomic import write_atomically
from ..storage.reading import file_errors_as, open_file
from ..storage.tensorfile import ModelFileError, pack, parse_json, unpack

__all__ = ["FORMAT", "SUFFIX", "Configuration", "Layers", "ModelFileError", "read_model", "write_model"]

FORMAT = 1
"""The newest format that this version reads and writes. Files of the first versions have no digest."""

SMALL = 100_000
"""A mask of fewer numbers than this costs nothing."""

KEY = "fuseprop"
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Configuration:
    """Everything about a model but its weights, in types that JSON knows.

    A field that is added gets a default, which files of versions before it are read with.

    Attributes
    ----------
    activations : list of str
        One a layer.
    loss, metric, dtype, task : str
    classes : list of str or numbers
    feature_names, target_names : list of str
    named : bool
        Whether the features had names in training; False where x1, x2, ... only number them.
    input_mean, input_scale : list of float
        The standardization of the features.
    target_mean, target_scale : list of float
        That of the targets of a regression; empty otherwise.
    input_low, input_high : list of float
        Between which values each feature lay in training; empty where nobody looked, as in old files.
    raw_inputs : bool
        Whether the features are a table's own columns, with nothing to be done to them before: see `Seen`.
    monitor, score : str, list of float
        What the model was judged by when it was saved, and its value alone; empty where nobody said.
    """

    activations: list[str]
    loss: str
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


KINDS: dict[str, set[type]] = {
    "str": {str},
    "bool": {bool},
    "list[str]": {str},
    "list[float]": {int, float},
    "list[str | int | float]": {str, int, float, bool},  # estimators have classes False and True
}
"""The types that JSON may hold, by those of the fields."""

Layers = Sequence[tuple[HostArray, HostArray]]
"""Weights (d, m) and bias (m,) of each layer."""


def write_model(path: str | Path, layers: Layers, configuration: Configuration) -> None:
    """Write a model file, atomically; the same model gives the same bytes.

    Raises OSError where that fails, ValueError for what no model file may hold, such as weights that are not
    finite and names that repeat; nothing is written then.
    """
    from .. import __version__

    path = as_path(path, "model.safetensors")
    place = shown(path, None)
    tensors = {}
    for i, (weights, bias) in enumerate(layers):
        tensors[f"layers.{i}.weight"] = weights
        tensors[f"layers.{i}.bias"] = bias
    if not all(_are_finite(tensor) for tensor in tensors.values()):
        raise ValueError(f"the weights hold nan or inf: {place} is not written. Try a smaller learning rate.")
    wrong = _contradictions(configuration)
    if wrong:
        raise ValueError(f"{place} is not written: {'; '.join(wrong)}.")
    about = {"format": FORMAT, "version": __version__, **asdict(configuration)}
    write_atomically(path, pack(tensors, {KEY: json.dumps(about, allow_nan=False, ensure_ascii=False)}))


def read_model(path: str | Path) -> tuple[list[tuple[HostArray, HostArray]], Configuration]:
    """Return the layers' weights and biases, read-only, and the configuration of a model file.

    Raises ModelFileError for anything that is not a whole, consistent model file of a known format.
    """
    path = as_path(path, "model.safetensors")
    place = shown(path, None)
    with file_errors_as(ModelFileError, path, "a whole model file", "Copy or train it again."):
        with open_file(path) as file:
            tensors, texts = unpack(file, place)
        if KEY not in texts:
            raise ModelFileError(
                f"{place} is a .safetensors file, but was not written by fuseprop: its metadata lack {KEY!r}."
            )
        configuration = _configuration(place, _parse(place, texts[KEY]))
        return _layers(place, tensors, configuration), configuration


def _layers(
    place: str, tensors: dict[str, HostArray], configuration: Configuration
) -> list[tuple[HostArray, HostArray]]:
    layers = []
    inputs = len(configuration.feature_names)
    for i in range(len(configuration.activations)):
        weights, bias = (
            _tensor(place, tensors, f"layers.{i}.{name}", configuration) for name in ("weight", "bias")
        )
        if weights.ndim != 2 or weights.shape[0] != inputs or bias.shape != weights.shape[1:]:
            raise ModelFileError(
                f"{place}: layer {i} needs a weight of shape ({inputs}, outputs) and a bias of shape "
                f"(outputs,), got {weights.shape} and {bias.shape}."
            )
        layers.append((weights, bias))
        inputs = weights.shape[1]
    if tensors:
        more = literal(next(iter(tensors)))
        raise ModelFileError(f"{place} has the tensor {more}, which is none of its {len(layers)} layers'.")
    return layers


def _tensor(place: str, tensors: dict[str, HostArray], name: str, configuration: Configuration) -> HostArray:
    if name not in tensors:
        raise ModelFileError(
            f"{place} lacks the tensor {name!r} of its {len(configuration.activations)} layers."
        )
    tensor = tensors.pop(name)
    if tensor.dtype != configuration.dtype:
        raise ModelFileError(f"{place}: {name!r} is {tensor.dtype}, expected {configuration.dtype}.")
    if not _are_finite(tensor):
        raise ModelFileError(
            f"{place}: {name!r} contains nan or inf; the file is damaged. Train the model again."
        )
    return tensor


def _are_finite(tensor: HostArray) -> bool:
    # A sum is finite only if all its parts are, and needs no mask; it may also overflow.
    if tensor.size < SMALL:
        return bool(np.isfinite(tensor).all())
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(tensor.sum()) or np.isfinite(tensor).all())


def _parse(place: str, text: str) -> dict[str, Any]:
    about = parse_json(text)
    version = about.get("format")
    if type(version) is not int or version < 1:
        raise ModelFileError(f"{place}: the configuration in its metadata lacks a format version.")
    if version > FORMAT:
        raise ModelFileError(
            f"{place} was written by format {literal(version)}, this fuseprop reads up to {FORMAT}: "
            f"a newer fuseprop is needed."
        )
    return about


def _configuration(place: str, about: dict[str, Any]) -> Configuration:
    values: dict[str, Any] = {}
    for entry in fields(Configuration):
        if entry.name not in about and (entry.default is not MISSING or entry.default_factory is not MISSING):
            continue  # a file of an earlier version
        value = about.get(entry.name)
        several = str(entry.type).startswith("list")
        items = value if isinstance(value, list) else [value]
        # An exact comparison of types: True is an int to isinstance.
        if isinstance(value, list) != several or not {*map(type, items)} <= KINDS[str(entry.type)]:
            raise ModelFileError(
                f"{place}: its configuration has no valid {entry.name!r}, got {literal(value)}."
            )
        values[entry.name] = value
    if "named" not in about:  # a file of an earlier version, which numbered features that nobody had named
        names = values["feature_names"]
        values["named"] = names != [f"x{i}" for i in range(1, len(names) + 1)]
    made = Configuration(**values)
    wrong = _contradictions(made)
    if wrong:
        raise ModelFileError(f"{place}: its configuration is damaged or unknown: {'; '.join(wrong)}.")
    return made


def _contradictions(made: Configuration) -> list[str]:
    """Return in words what no model file may say, whoever wrote it."""
    inputs = len(made.feature_names)
    problems = {
        f"activations must be among {', '.join(ACTIVATIONS)}": not made.activations
        or not set(made.activations) <= set(ACTIVATIONS),
        f"loss must be among {', '.join(LOSSES)}, got {literal(made.loss)}": made.loss not in LOSSES,
        f"dtype must be float32 or float64, got {literal(made.dtype)}": made.dtype
        not in ("float32", "float64"),
        f"input_mean and input_scale must have an entry for each of at least one feature, got "
        f"{len(made.input_mean)} and {len(made.input_scale)} for {inputs}": not inputs
        == len(made.input_mean)
        == len(made.input_scale)
        > 0,
        "target_mean and target_scale must be equally long": len(made.target_mean) != len(made.target_scale),
        "a mean must be a finite number": not _are_within([*made.input_mean, *made.target_mean], -np.inf),
        "a scale must be a finite number above 0": not _are_within(
            [*made.input_scale, *made.target_scale], 0.0
        ),
        "input_low and input_high must be finite numbers in order, one a feature or none": len(made.input_low)
        not in (0, inputs)
        or len(made.input_low) != len(made.input_high)
        or not _are_within([*made.input_low, *made.input_high], -np.inf)
        or any(low > high for low, high in zip(made.input_low, made.input_high, strict=False)),
        "score must be one finite number where there is a monitor, else none": len(made.score)
        != bool(made.monitor)
        or not _are_within(made.score, -np.inf),
        "classes must be text, or numbers that NumPy holds": not _are_classes(made.classes),
    }
    for what, names in (
        ("feature_names", made.feature_names),
        ("target_names", made.target_names),
        ("classes", [str(name) for name in made.classes]),
    ):
        if len(set(names)) < len(names):
            repeated = [name for name, count in Counter(names).items() if count > 1]
            problems[f"{what} must differ from each other, but {literal(repeated[0])} is there twice"] = True
        problems[f"{what} must be text that UTF-8 holds"] = not _are_texts(names)
    return [problem for problem, is_there in problems.items() if is_there]


def _are_within(numbers: Sequence[Any], lowest: float) -> bool:
    try:
        return all(map(isfinite, numbers)) and min(numbers, default=np.inf) > lowest
    except OverflowError:  # whole numbers in JSON have no limit
        return False


def _are_classes(classes: list[str | int | float]) -> bool:
    if any(isinstance(name, str) for name in classes):
        return all(isinstance(name, str) for name in classes)
    return np.array(classes, ndmin=1).dtype.kind in "biuf" and _are_within(classes, -np.inf)


def _are_texts(names: list[str]) -> bool:
    """Whether no name has half a surrogate pair, which cannot be printed or written."""
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        return False
    return True

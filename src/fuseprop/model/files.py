"""Model files: one .safetensors file with all weights, and the `Configuration` in its metadata.

The tensors are ``layers.0.weight`` (inputs, outputs) and ``layers.0.bias`` (outputs,) for each layer. The
metadata have one key, "fuseprop", whose value is JSON. Writing checks all that reading checks, so that every
file that was written can be read. Reading never unpickles.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..backend import HostArray
from ..checks.arrays import all_finite
from ..checks.quoting import literal, shown
from ..checks.settings import as_path
from ..data.tasks import Task
from ..formulas.kept import loss_kept
from ..storage.atomic import write_atomically
from ..storage.reading import file_errors_as, open_file
from ..storage.tensorfile import ModelFileError, pack, parse_json, unpack
from .configuration import Configuration, contradictions, encoder_in, parse_configuration
from .encodings import has_more

__all__ = ["FORMAT", "SUFFIX", "Layers", "ModelFileError", "read_model", "task_in_file", "write_model"]

FORMAT = 4
"""The newest format that this version reads and writes. Files of the first versions have no digest.

Format 2 may have activations and losses that the first format lacks: more names, parameters, and formulas of
a user's own. Format 3 may have features that are not plain numbers. Format 4 may have numbers that are
clipped smoothly or have bins. What an earlier format can say is written in it, so that earlier versions read
it, and refuse the rest by its number.
"""

WITH_ENCODINGS = 3
"""The first format that has encodings of features."""

FIRST_ACTIVATIONS = {"identity", "sigmoid", "tanh", "relu"}
FIRST_LOSSES = {
    "half_squared_error",
    "mean_squared_error",
    "mean_absolute_error",
    "sigmoid_cross_entropy",
    "softmax_cross_entropy",
    "half_poisson_deviance",
}
"""The names of format 1, which stay what they are."""

KEY = "fuseprop"
"""The key of the metadata."""

SUFFIX = ".safetensors"
"""The suffix of a model file's name."""

Layers = Sequence[tuple[HostArray, HostArray]]
"""Weights (d, m) and bias (m,) of each layer."""


def write_model(path: str | Path, layers: Layers, configuration: Configuration) -> None:
    """Write a model file, atomically; the same model gives the same bytes.

    Raises OSError if the file cannot be written; ValueError for what a model file may not hold, such as nan
    or inf among the weights, or repeated names; TypeError if `path` is no path. Nothing is written then.
    """
    from .. import __version__

    path = as_path(path, "model.safetensors")
    place = shown(path, None)
    tensors = {}
    for i, (weights, bias) in enumerate(layers):
        tensors[f"layers.{i}.weight"] = weights
        tensors[f"layers.{i}.bias"] = bias
    if not all(map(all_finite, tensors.values())):
        raise ValueError(f"the weights hold nan or inf: {place} is not written. Try a smaller learning rate.")
    wrong = contradictions(configuration)
    if wrong:
        raise ValueError(f"{place} is not written: {'; '.join(wrong)}.")
    version = _format_of(configuration)
    about = {"format": version, "version": __version__, **asdict(configuration)}
    if version < WITH_ENCODINGS:
        del about["encodings"], about["missing"]
    write_atomically(path, *pack(tensors, {KEY: json.dumps(about, allow_nan=False, ensure_ascii=False)}))


def _format_of(c: Configuration) -> int:
    if has_more(c.encodings):
        return FORMAT
    if c.encodings or c.missing != "encode":
        return WITH_ENCODINGS
    kept = [*c.activations, c.loss]
    is_first = all(isinstance(entry, str) and entry in FIRST_ACTIVATIONS | FIRST_LOSSES for entry in kept)
    return 1 if is_first else 2


def read_model(path: str | Path) -> tuple[list[tuple[HostArray, HostArray]], Configuration]:
    """Return each layer's weights (d, m) and bias (m,), read-only, and the configuration of a model file.

    Raises ModelFileError if the file is no whole, consistent model file of a known format; TypeError if
    `path` is no path.
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
        configuration = parse_configuration(place, _known_format(place, texts[KEY]))
        return _layers(place, tensors, configuration), configuration


def _layers(
    place: str, tensors: dict[str, HostArray], configuration: Configuration
) -> list[tuple[HostArray, HostArray]]:
    layers = []
    inputs = encoder_in(configuration).width
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
    if not all_finite(tensor):
        raise ModelFileError(
            f"{place}: {name!r} contains nan or inf; the file is damaged. Train the model again."
        )
    return tensor


def _known_format(place: str, text: str) -> dict[str, Any]:
    """Return the JSON object in the metadata; raise ModelFileError if its format is of a later version."""
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


def task_in_file(path: str | Path, layers: Layers, c: Configuration) -> Task:
    """Return the task in a model file's configuration; raise ModelFileError if the rest contradicts it."""
    place = shown(path, None)
    try:
        task = Task(c.task, tuple(c.target_names), tuple(c.classes))
        loss = loss_kept(c.loss)
        outputs = task.outputs(loss)
    except ValueError as error:
        raise ModelFileError(f"{place}: its configuration contradicts itself: {error}") from error
    last = len(layers[-1][1])
    if last != outputs:
        raise ModelFileError(
            f"{place}: the last layer has {last} outputs, but the task {task.name} needs {outputs}."
        )
    standardized = outputs if task.standardizes(loss) else 0
    if len(c.target_mean) != standardized:
        raise ModelFileError(
            f"{place}: target_mean has {len(c.target_mean)} entries, expected {standardized} for the task "
            f"{task.name} with the loss {loss}."
        )
    if task.classes and len(task.targets) != 1 and task.targets != tuple(map(str, task.classes)):
        raise ModelFileError(
            f"{place}: the task {task.name} needs one target, or one of each class, got {len(task.targets)}."
        )
    return task

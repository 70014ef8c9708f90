"""Model files: one .safetensors file with all weights, and the `Configuration` in its metadata.

The tensors are ``layers.0.weight`` (inputs, outputs) and ``layers.0.bias`` (outputs,) for each layer. The
metadata have the key "fuseprop", whose value is JSON. An estimator's file may also have what training goes on
from: arrays as tensors whose names begin with "training.", and the rest as JSON under "fuseprop.training".
Writing checks all that reading checks, so that every file that was written can be read. Reading never
unpickles.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
from ..storage.state_file import join_state, split_state
from ..storage.tensorfile import ModelFileError, pack, parse_json, unpack
from .configuration import Configuration, contradictions, encoder_in, parse_configuration
from .encodings import has_more

__all__ = [
    "FORMAT",
    "SUFFIX",
    "Layers",
    "ModelFileError",
    "read_model",
    "read_with_training",
    "task_in_file",
    "write_model",
]

FORMAT = 5
"""The newest format that this version reads and writes. Files of the first versions have no digest.

Format 2 may have activations and losses that the first format lacks: more names, parameters, and formulas of
a user's own. Format 3 may have features that are not plain numbers. Format 4 may have numbers that are
clipped smoothly or have bins. Format 5 has what the training of an estimator goes on from. What an earlier
format can say is written in it, so that earlier versions read it, and refuse the rest by its number.
"""

WITH_ENCODINGS, WITH_BINS, WITH_TRAINING = 3, 4, 5
"""The first formats that have encodings of features, clipped numbers and bins, what training goes on from."""

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

KEY, TRAINING_KEY = "fuseprop", "fuseprop.training"
"""The keys of the metadata."""

TRAINING = "training"
"""The first part of the names of tensors that are no layer's."""

SUFFIX = ".safetensors"
"""The suffix of a model file's name."""

Layers = Sequence[tuple[HostArray, HostArray]]
"""Weights (d, m) and bias (m,) of each layer."""


def write_model(
    path: str | Path, layers: Layers, configuration: Configuration, training: Mapping[str, Any] | None = None
) -> None:
    """Write a model file, atomically; the same model gives the same bytes.

    `training` is what an estimator's training goes on from, as plain data; arrays are of float32 or float64.

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
    version = _format_of(configuration) if training is None else WITH_TRAINING
    about = {"format": version, "version": __version__, **asdict(configuration)}
    if version < WITH_ENCODINGS:
        del about["encodings"], about["missing"]
    texts = {KEY: json.dumps(about, allow_nan=False, ensure_ascii=False)}
    if training is not None:
        arrays, texts[TRAINING_KEY] = split_state({TRAINING: training})
        tensors |= arrays
    write_atomically(path, *pack(tensors, texts))


def _format_of(c: Configuration) -> int:
    if has_more(c.encodings):
        return WITH_BINS
    if c.encodings or c.missing != "encode":
        return WITH_ENCODINGS
    kept = [*c.activations, c.loss]
    is_first = all(isinstance(entry, str) and entry in FIRST_ACTIVATIONS | FIRST_LOSSES for entry in kept)
    return 1 if is_first else 2


def read_model(path: str | Path) -> tuple[list[tuple[HostArray, HostArray]], Configuration]:
    """Return each layer's weights (d, m) and bias (m,), read-only, and the configuration of a model file.

    Raises as `read_with_training`.
    """
    layers, configuration, _ = read_with_training(path)
    return layers, configuration


def read_with_training(
    path: str | Path,
) -> tuple[list[tuple[HostArray, HostArray]], Configuration, object | None]:
    """Return layers and configuration as `read_model`, and what training goes on from, None without it.

    The last is what `write_model` was given, as far as this can be known: whoever asks for it, checks it. Its
    arrays are read-only.

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
        about = _known_format(place, texts[KEY])
        training = None
        if about["format"] >= WITH_TRAINING and TRAINING_KEY in texts:
            training = _training(place, tensors, texts[TRAINING_KEY])
        configuration = parse_configuration(place, about)
        return _layers(place, tensors, configuration), configuration, training


def _training(place: str, tensors: dict[str, HostArray], text: str) -> object:
    """Take out of `tensors` those of the training; return what it goes on from."""
    arrays = {name: tensors.pop(name) for name in list(tensors) if name.startswith(f"{TRAINING}.")}
    state = join_state(arrays, text)
    if state.keys() != {TRAINING} or split_state(state)[0].keys() != arrays.keys():
        raise ModelFileError(
            f"{place} is damaged: what its training goes on from is not in its tensors. Train it again."
        )
    return state[TRAINING]


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

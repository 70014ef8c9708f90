"""Model files: one .safetensors file with every weight, and in its metadata what the weights mean.

Tensors are ``layers.0.weight`` (inputs, outputs) and ``layers.0.bias`` (outputs,) for each layer. The
metadata have a single key, "fuseprop", whose value is JSON: with several keys the safetensors library writes
them in any order, and the same model would not give the same bytes. Reading never unpickles.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from .activations import ACTIVATIONS
from .atomic import write_atomically
from .backend import HostArray
from .losses import LOSSES

FORMAT = 1
"""The newest format that this version reads and writes."""

KEY = "fuseprop"
SUFFIX = ".safetensors"


class ModelFileError(ValueError):
    """A model file that cannot be read; the text says why and what to do."""


@dataclass(frozen=True)
class Configuration:
    """Everything about a model but its weights, in types that JSON knows.

    Attributes
    ----------
    activations : list of str
        One a layer.
    loss, metric, dtype, task : str
    classes : list of str or numbers
    feature_names, target_names : list of str
    input_mean, input_scale : list of float
        The standardization of the features.
    target_mean, target_scale : list of float
        That of the targets of a regression; empty otherwise.
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
    monitor: str = ""
    score: list[float] = field(default_factory=list)


Layers = Sequence[tuple[HostArray, HostArray]]
"""Weights (d, m) and bias (m,) of each layer."""


def write_model(path: str | Path, layers: Layers, configuration: Configuration) -> None:
    """Write a model file, atomically; the same model gives the same bytes.

    Raises OSError where that fails, ValueError for weights that are not finite; nothing is written then.
    """
    from safetensors.numpy import save  # loaded with the first file: `import fuseprop` needs NumPy alone

    from . import __version__

    tensors = {}
    for i, (weights, bias) in enumerate(layers):
        tensors[f"layers.{i}.weight"] = np.ascontiguousarray(weights)
        tensors[f"layers.{i}.bias"] = np.ascontiguousarray(bias)
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise ValueError(f"the weights hold nan or inf: {path} is not written. Try a smaller learning rate.")
    about = {"format": FORMAT, "version": __version__, **asdict(configuration)}
    write_atomically(path, save(tensors, {KEY: json.dumps(about, allow_nan=False, ensure_ascii=False)}))


def read_model(path: str | Path) -> tuple[list[tuple[HostArray, HostArray]], Configuration]:
    """Return the layers' weights and biases, and the configuration, of a model file.

    Raises ModelFileError for anything that is not a whole, consistent model file of a known format.
    """
    path = Path(path)
    tensors, about = _open(path)
    configuration = _configuration(path, about)
    layers = []
    inputs = len(configuration.feature_names)
    for i in range(len(configuration.activations)):
        weights, bias = (
            _tensor(path, tensors, f"layers.{i}.{name}", configuration) for name in ("weight", "bias")
        )
        if (
            weights.ndim != 2
            or weights.shape[0] != inputs
            or bias.shape != weights.shape[1:]
            or not bias.size
        ):
            raise ModelFileError(
                f"{path}: layer {i} needs a weight of shape ({inputs}, outputs) and a bias of shape "
                f"(outputs,), got {weights.shape} and {bias.shape}."
            )
        layers.append((weights, bias))
        inputs = weights.shape[1]
    return layers, configuration


def _open(path: Path) -> tuple[dict[str, HostArray], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if KEY not in metadata:
                raise ModelFileError(
                    f"{path} is a .safetensors file, but was not written by fuseprop: "
                    f"its metadata lack {KEY!r}."
                )
            about = _parse(path, metadata[KEY])
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118 (no mapping)
    except FileNotFoundError as error:
        if path.exists():  # the safetensors library says so of a file that it may not read
            raise ModelFileError(f"{path} cannot be read. Check its permissions.") from error
        raise ModelFileError(f"{path}: there is no such file.") from None
    except (SafetensorError, TypeError) as error:
        raise ModelFileError(_diagnose(path, error)) from error
    except OSError as error:
        what = "is a directory; expected a model file" if path.is_dir() else f"cannot be read: {error}"
        raise ModelFileError(f"{path} {what}.") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        about: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: the configuration in its metadata is not JSON ({error}).") from error
    version = about.get("format") if isinstance(about, dict) else None
    if not isinstance(version, int) or version < 1:
        raise ModelFileError(f"{path}: the configuration in its metadata lacks a format version.")
    if version > FORMAT:
        raise ModelFileError(
            f"{path} was written by format {version}, this fuseprop reads up to {FORMAT}: "
            f"pip install -U fuseprop."
        )
    return about


def _configuration(path: Path, about: dict[str, Any]) -> Configuration:
    kinds: dict[str, tuple[type, ...]] = {
        "str": (str,),
        "list[str]": (str,),
        "list[float]": (int, float),
        "list[str | int | float]": (str, int, float),
    }
    values: dict[str, Any] = {}
    for entry in fields(Configuration):
        if entry.name not in about and (entry.default is not MISSING or entry.default_factory is not MISSING):
            continue  # a file of an earlier version
        value = about.get(entry.name)
        several = str(entry.type).startswith("list")
        items = value if isinstance(value, list) else [value]
        if isinstance(value, list) != several or not all(
            isinstance(v, kinds[str(entry.type)]) for v in items
        ):
            raise ModelFileError(f"{path}: its configuration has no valid {entry.name!r}, got {value!r:.60}.")
        values[entry.name] = value
    made = Configuration(**values)
    problems = {
        "activations": not made.activations or not set(made.activations) <= set(ACTIVATIONS),
        "loss": made.loss not in LOSSES,
        "dtype": made.dtype not in ("float32", "float64"),
        "input_mean": not len(made.feature_names) == len(made.input_mean) == len(made.input_scale) > 0,
        "target_mean": len(made.target_mean) != len(made.target_scale),
        "score": len(made.score) != bool(made.monitor) or not _all_within(made.score, -np.inf),
        "mean": not _all_within([*made.input_mean, *made.target_mean], -np.inf),
        "scale": not _all_within([*made.input_scale, *made.target_scale], 0.0),
    }
    wrong = [name for name, problem in problems.items() if problem]
    if wrong:
        raise ModelFileError(
            f"{path}: its configuration contradicts itself or is unknown in {', '.join(wrong)}."
        )
    return made


def _all_within(numbers: list[float], lowest: float) -> bool:
    # Whole numbers in JSON have no limit, and NaN compares as false.
    return all(lowest < number < np.inf and abs(number) <= sys.float_info.max for number in numbers)


def _tensor(path: Path, tensors: dict[str, HostArray], name: str, configuration: Configuration) -> HostArray:
    if name not in tensors:
        raise ModelFileError(
            f"{path} lacks the tensor {name!r} of its {len(configuration.activations)} layers."
        )
    tensor = tensors[name]
    if tensor.dtype != configuration.dtype:
        raise ModelFileError(f"{path}: {name!r} is {tensor.dtype}, expected {configuration.dtype}.")
    if not np.isfinite(tensor).all():
        raise ModelFileError(
            f"{path}: {name!r} contains nan or inf; the file is damaged. Train the model again."
        )
    return tensor


def _diagnose(path: Path, error: Exception) -> str:
    """Return in words why the safetensors library refused a file."""
    with path.open("rb") as file:
        start = file.read(9)
    size = path.stat().st_size
    if start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5") and start[8:] != b"{":
        return f"{path} is a pickle; fuseprop never unpickles. Expected a model file that `save` wrote."
    header = int.from_bytes(start[:8], "little")
    if size == 0:
        return f"{path} is empty; expected a model file that `save` wrote."
    if start[8:] == b"{" or (len(start) < 9 and size < 9):
        needed = f"its header alone needs {header + 8:,} bytes, " if size < header + 8 else ""
        has = f"{needed}it has {size:,} bytes"
        return f"{path} is truncated or damaged: {has} ({error}). Copy or train it again."
    return f"{path} is not a model file ({error}). Expected a {SUFFIX} file that `save` wrote."

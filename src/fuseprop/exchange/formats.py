"""Files of all formats, told by the ends of their names: what reads and writes each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from ..checks.choices import suggestion
from ..checks.quoting import literal, shown
from ..model.configuration import encoder_entries
from ..model.files import SUFFIX
from ..model.model import Model
from ..network import Network
from ..storage.atomic import write_atomically
from .as_model import as_model
from .errors import NotConvertible
from .keras_network import from_keras, to_keras
from .onnx import from_onnx, to_onnx
from .onnx.writing import notes_of
from .torch_network import from_torch, save_torch


class Format(NamedTuple):
    """A format of files.

    Attributes
    ----------
    name : str
        What messages call it.
    read : callable
        Returns the network, model or estimator in the file at a path.
    write : callable
        Writes one of these to a path, replacing the file there whole.
    notes : callable
        Returns what whoever takes such a file of one of these must know, a line each.
    """

    name: str
    read: Callable[[Path], Any]
    write: Callable[[Any, Path], None]
    notes: Callable[[Any], Sequence[str]] = lambda _: ()


def _load(path: Path) -> Model:
    return Model.load(path, "cpu")


def _save(model: Any, path: Path) -> None:
    """Write a model file; of a network as the model of its columns that its loss says."""
    (as_model(model) if isinstance(model, Network) else model).save(path)


def _lost_dropout(found: Any) -> Sequence[str]:
    dropped = isinstance(found, Network) and any(layer.dropout for layer in found.layers)
    return ["dropout is not kept, which changes no prediction"] if dropped else []


def _bare(found: Any, format_: str) -> Network:
    """Return a network, or that of a model which takes columns as they are and knows no names."""
    if isinstance(found, Network):
        return found
    if isinstance(found, Model):
        bare, entries = as_model(found.network), [encoder_entries(found.encoder)]
        undone = found.targets is None or bool(
            (found.targets.mean == 0).all() and (found.targets.scale == 1).all()
        )
        if entries == [encoder_entries(bare.encoder)] and undone and found.task == bare.task:
            return found.network
    raise NotConvertible(
        f"{format_} holds a network alone, and this is a {type(found).__name__} that encodes its columns or "
        f"names its classes. Write it as .onnx, which holds these too; or in Python convert `model.network`, "
        f"which takes `model.encode_inputs(rows)`."
    )


def _save_keras(found: Any, path: Path) -> None:
    """Write a .keras file beside the one at the path first, so that this is replaced whole."""
    sequential = to_keras(_bare(found, "a .keras file"))
    with TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder, f"net{KERAS}")
        sequential.save(made)
        write_atomically(path, made.read_bytes())


def _read_keras(path: Path) -> Network:
    return from_keras(path, device="cpu")


TORCH, KERAS = ".torch.safetensors", ".keras"

FORMATS: dict[str, Format] = {
    SUFFIX: Format("fuseprop's model file", _load, _save, _lost_dropout),
    TORCH: Format(
        "a state dict of PyTorch",
        lambda path: from_torch(path, device="cpu"),
        lambda found, path: save_torch(_bare(found, "a state dict"), path),
    ),
    KERAS: Format("Keras", _read_keras, _save_keras),
    ".onnx": Format("ONNX", lambda path: from_onnx(path, device="cpu"), to_onnx, notes_of),
}
"""The formats, by the ends of the names of their files; another one is one line more."""


def format_of(path: Path) -> Format:
    """Return the format of a file, by its name. Raises NotConvertible, which lists the formats."""
    name = path.name.lower()
    fitting = [end for end in FORMATS if name.endswith(end)]
    if not fitting:
        listed = ", ".join(f"{end} ({each.name})" for end, each in FORMATS.items())
        raise NotConvertible(
            f"{shown(path, None)}: {literal(path.suffix)} is the end of no format that can be converted. "
            f"Choose from: {listed}.{suggestion(path.suffix, FORMATS)}"
        )
    return FORMATS[max(fitting, key=len)]

"""Files of all formats, told by the ends of their names: what reads and writes each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ..checks.choices import suggestion
from ..checks.quoting import literal, shown
from ..model.files import SUFFIX
from ..model.model import Model
from ..network import Network
from .as_model import as_model
from .errors import NotConvertible
from .onnx import from_onnx, to_onnx


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
    """

    name: str
    read: Callable[[Path], Any]
    write: Callable[[Any, Path], None]


def _load(path: Path) -> Model:
    return Model.load(path, "cpu")


def _save(model: Any, path: Path) -> None:
    """Write a model file; of a network as the model of its columns that its loss says."""
    (as_model(model) if isinstance(model, Network) else model).save(path)


FORMATS: dict[str, Format] = {
    SUFFIX: Format("fuseprop's model file", _load, _save),
    ".onnx": Format("ONNX", lambda path: from_onnx(path, device="cpu"), to_onnx),
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

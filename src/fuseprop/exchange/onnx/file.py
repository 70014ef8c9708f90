"""The bytes of an ONNX file: written whole with a digest, read with their size checked.

A file of ours ends with the SHA-256 of all bytes before it, as one more text among its metadata: protobuf
takes what is appended to a message as a part of it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...checks.quoting import shown
from ...storage.atomic import write_atomically
from ...storage.reading import open_file
from ..errors import NotConvertible
from .library import onnx_library

KEY, DIGEST = "fuseprop", "fuseprop.digest"
"""The metadata by which a file of ours is read again: JSON, and the digest."""

LARGEST = 2**31 - 1
"""Protobuf's limit of a message, in bytes."""

OVERHEAD = 2**24
"""What is taken to be enough for all but the weights."""

EXAMPLE = "network.onnx"


@dataclass(frozen=True)
class Contents:
    """What an ONNX file holds.

    Attributes
    ----------
    model : ModelProto
    texts : dict of str
        The metadata.
    is_ours : bool
        Whether fuseprop wrote the file, and nothing has changed since.
    """

    model: Any
    texts: Mapping[str, str]
    is_ours: bool


def write(path: Path, model: Any) -> None:
    """Write a ModelProto to a file, atomically. Raises NotConvertible where it is too large, OSError."""
    size = sum(len(tensor.raw_data) for tensor in model.graph.initializer) + OVERHEAD
    if size > LARGEST:
        raise NotConvertible(
            f"{shown(path, None)} is not written: the network has {size:,} bytes, and an ONNX file holds "
            f"{LARGEST:,} at most. Keep it as a .safetensors file."
        )
    body = model.SerializeToString()
    write_atomically(path, body, _signature(body))


def read(path: Path) -> Contents:
    """Return what a file holds. Raises OSError, and what protobuf raises, for a bad one; NotConvertible."""
    place = shown(path, None)
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > LARGEST:
            raise NotConvertible(
                f"{place} has {size:,} bytes, and an ONNX file {LARGEST:,} at most. Check that it is one."
            )
        data = file.read(size)
    model = onnx_library().ModelProto.FromString(data)
    if not model.graph.node and not model.graph.input:
        raise NotConvertible(
            f"{place} holds no graph of ONNX operators: it is empty, damaged or of another format. Export it "
            f"again."
        )
    texts = {entry.key: entry.value for entry in model.metadata_props}
    if not {KEY, DIGEST} & texts.keys():
        return Contents(model, texts, is_ours=False)
    end = len(data) - len(_signature(b""))
    if end < 0 or data[end:] != _signature(data[:end]):
        raise NotConvertible(
            f"{place} was written by fuseprop and has been changed or damaged since: its digest is not that "
            f"of its content. Convert the model again; or take {KEY!r} and {DIGEST!r} out of its metadata to "
            f"read it by its operators alone."
        )
    return Contents(model, texts, is_ours=True)


def _signature(body: bytes) -> bytes:
    """Return the last bytes of a file that begins with these."""
    onnx = onnx_library()
    digest = hashlib.sha256(body).hexdigest()
    entry = onnx.StringStringEntryProto(key=DIGEST, value=digest)
    return bytes(onnx.ModelProto(metadata_props=[entry]).SerializeToString())

"""The .safetensors format: a header in JSON, then the tensors without gaps; ours end with a digest.

========  ============================================================================================
bytes     content
========  ============================================================================================
8         the length of the header, little-endian
header    JSON: for each tensor dtype, shape and offsets; texts under "__metadata__"; padded by spaces
tensors   little-endian, in C order
========  ============================================================================================

The last tensor of a file that `pack` makes is "digest": the SHA-256 of all bytes before it, so that every
byte of the file is checked. On processors that compute it (SHA-NI) it takes 1.5 times as long as a CRC-32.
`unpack` reads the whole file into memory: a memory-mapped file kills its reader if it shrinks meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from math import prod
from typing import Any, BinaryIO

import numpy as np

from ..backend import HostArray
from ..checks.quoting import literal

DTYPES = {"F32": "<f4", "F64": "<f8", "U8": "u1"}
"""NumPy's dtypes by the format's names, for those that `pack` and `unpack` know."""

METADATA, DIGEST = "__metadata__", "digest"
DIGEST_BYTES = 32

LONGEST_HEADER = 100_000_000
"""The format's limit, in bytes: longer headers are neither written nor read."""


class ModelFileError(ValueError):
    """A model file that cannot be read; the text says why and what to do."""


def pack(tensors: Mapping[str, HostArray], texts: Mapping[str, str]) -> bytes:
    """Return the bytes of a file with these tensors (float32 or float64), these metadata and a digest.

    The same content gives the same bytes. Raises ValueError for texts that UTF-8 cannot encode, and for a
    header beyond the format's limit.
    """
    names = {np.dtype(dtype): name for name, dtype in DTYPES.items()}
    header: dict[str, Any] = {METADATA: dict(texts)}
    parts: list[memoryview] = []
    offset = 0
    digest = np.zeros(DIGEST_BYTES, np.uint8)
    for name, tensor in {**tensors, DIGEST: digest}.items():
        little = np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<"))
        header[name] = {
            "dtype": names[little.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + little.nbytes],
        }
        offset += little.nbytes
        parts.append(little.reshape(-1).view(np.uint8).data)
    encoded = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    if len(encoded) > LONGEST_HEADER:
        raise ValueError(
            f"the names and scales of this model need {len(encoded):,} bytes, and a model file holds "
            f"{LONGEST_HEADER:,} of them at most. Give features, targets and classes shorter names."
        )
    begin = len(encoded).to_bytes(8, "little") + encoded
    sha256 = hashlib.sha256(begin)
    for part in parts[:-1]:
        sha256.update(part)
    return b"".join([begin, *parts[:-1], sha256.digest()])


def unpack(file: BinaryIO, place: str) -> tuple[dict[str, HostArray], dict[str, str]]:
    """Return the tensors by name, read-only, and the texts of the metadata; check the digest if there is one.

    `place` names the file in messages.

    Raises ModelFileError if the file is no .safetensors file or not whole, ValueError for a header that is no
    valid JSON object. Takes no more memory than the file has bytes, whatever its header declares.
    """
    size = os.fstat(file.fileno()).st_size
    begin = file.read(9)
    length = int.from_bytes(begin[:8], "little")
    _check_beginning(place, begin, length, size)
    room = size - 8 - length
    if length > LONGEST_HEADER:
        raise ModelFileError(
            f"{place} is no model file that `save` wrote: its header has {length:,} bytes, and "
            f"{LONGEST_HEADER:,} is the most."
        )
    file.seek(0)
    # Everything is read at once: if another process writes to the file meanwhile, the digest is wrong.
    data = file.read(size + 1)
    if len(data) != size:
        raise ModelFileError(f"{place} was changed while it was read. Read it again.")
    header = parse_json(data[8 : 8 + length].decode())
    texts = header.pop(METADATA, {})
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise ModelFileError(f"{place} is truncated or damaged: its metadata are no texts.")
    tensors: dict[str, HostArray] = {}
    end = 0
    for name, start, shape, dtype in sorted(_entries(place, header), key=lambda entry: entry[1]):
        used = prod(shape) * np.dtype(dtype).itemsize
        if start != end or start + used > room:
            raise ModelFileError(
                f"{place} is truncated or damaged: its {room:,} bytes of tensors are not the ones that its "
                f"header declares, it has {size:,} bytes. Copy or train it again."
            )
        tensors[name] = np.frombuffer(data, dtype, prod(shape), 8 + length + start).reshape(shape)
        end = start + used
    if end != room:
        raise ModelFileError(
            f"{place} is truncated or damaged: its header declares {end:,} bytes of tensors, there are "
            f"{room:,}; it has {size:,} bytes. Copy or train it again."
        )
    digest = tensors.pop(DIGEST, None)
    if digest is not None and digest.tobytes() != hashlib.sha256(memoryview(data)[:-DIGEST_BYTES]).digest():
        raise ModelFileError(
            f"{place} is damaged, or was changed while it was read: its digest is not that of its content. "
            f"Read it again; if that does not help, copy or train it again."
        )
    return tensors, texts


def parse_json(text: str) -> dict[str, Any]:
    """Return a JSON object; raise ValueError for other JSON, repeated keys, NaN and Infinity."""
    parsed = DECODER.decode(text)
    if not isinstance(parsed, dict):
        raise ValueError(f"expected a JSON object, got {type(parsed).__name__}")
    return parsed


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands there twice")
    return made


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


DECODER = json.JSONDecoder(object_pairs_hook=_object_of, parse_constant=_no_number)


def _entries(place: str, header: dict[str, Any]) -> list[tuple[str, int, tuple[int, ...], str]]:
    """Return name, first byte, shape and dtype of each tensor."""
    entries = []
    for name, about in header.items():
        if not isinstance(about, dict) or about.keys() != {"dtype", "shape", "data_offsets"}:
            raise ModelFileError(f"{place} is truncated or damaged: its header has no valid {literal(name)}.")
        shape, offsets = about["shape"], about["data_offsets"]
        if about["dtype"] not in DTYPES:
            raise ModelFileError(
                f"{place}: the tensor {literal(name)} is {literal(about['dtype'])}, expected F32 or F64. "
                f"fuseprop reads what its own `save` wrote."
            )
        dtype = DTYPES[about["dtype"]]
        if (
            not _are_sizes(shape)
            or not 1 <= len(shape) <= 2
            or not _are_sizes(offsets)
            or len(offsets) != 2
            or offsets[1] - offsets[0] != prod(shape) * np.dtype(dtype).itemsize
            or 0 in shape
            or (name == DIGEST and (shape, dtype) != ([DIGEST_BYTES], "u1"))
        ):
            raise ModelFileError(
                f"{place} is truncated or damaged: the tensor {literal(name)} has no valid shape and "
                f"offsets, got {literal(shape)} and {literal(offsets)}."
            )
        entries.append((name, offsets[0], tuple(shape), dtype))
    return entries


def _are_sizes(value: object) -> bool:
    return isinstance(value, list) and all(type(size) is int and 0 <= size < 2**63 for size in value)


def _check_beginning(place: str, begin: bytes, length: int, size: int) -> None:
    """Raise ModelFileError, with what the file is instead, if 9 bytes show it is no .safetensors file."""
    expected = "Expected a .safetensors file that `save` wrote"
    if size == 0:
        raise ModelFileError(f"{place} is empty. {expected}.")
    # A header of 0x0480 bytes begins like a pickle too; then zeros follow.
    if (
        begin[:1] == b"\x80"
        and begin[1:2] in (b"\2", b"\3", b"\4", b"\5")
        and any(begin[2:8])
        and begin[8:] != b"{"
    ):
        raise ModelFileError(f"{place} is a pickle; fuseprop never unpickles. {expected}.")
    if size > 8 and begin[8:] != b"{":
        raise ModelFileError(f"{place} is not a model file. {expected}.")
    if size < 8 + length or size < 9:
        needed = f"its header alone needs {length + 8:,} bytes, " if size >= 9 else ""
        raise ModelFileError(
            f"{place} is truncated or damaged: {needed}it has {size:,} bytes. Copy or train it again."
        )

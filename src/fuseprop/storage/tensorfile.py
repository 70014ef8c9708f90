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
from dataclasses import dataclass
from math import prod
from typing import Any, BinaryIO

import numpy as np

from ..backend import HostArray
from ..checks.quoting import literal

DTYPES = {
    "F64": "<f8",
    "I64": "<i8",
    "U64": "<u8",
    "F32": "<f4",
    "I32": "<i4",
    "U32": "<u4",
    "U8": "|u1",
    "BOOL": "|b1",
}
"""NumPy's dtypes by the format's names, for those that `pack` and `unpack` know."""

METADATA, DIGEST = "__metadata__", "digest"
DIGEST_BYTES = 32

LONGEST_HEADER = 100_000_000
"""The format's limit, in bytes: longer headers are neither written nor read."""


class ModelFileError(ValueError):
    """A model file that cannot be read; the text says why and what to do."""


@dataclass(frozen=True)
class Kind:
    """What a file is for: which tensors it may hold, and how messages speak of it.

    Attributes
    ----------
    error : type of ValueError
        Raised for a file that is not of this kind, or not whole.
    name, writer : str
        Such as "model file", and what writes one.
    again : str
        How to get another one in the place of a damaged one.
    dtypes : tuple of str
        Those that its tensors may have.
    dimensions : range
        How many its tensors may have.
    holds_empty : bool
        Whether tensors may have no elements.
    is_signed : bool
        Whether a file without a digest is refused.
    others : dict
        What a file is instead, by the keys of its metadata.
    crowded, shorter : str
        What makes a header long, and a sentence: how to make it shorter.
    signs : bool
        Whether a file that is written ends with a digest.
    """

    error: type[ValueError]
    name: str
    writer: str
    again: str
    dtypes: tuple[str, ...]
    dimensions: range
    holds_empty: bool
    is_signed: bool
    others: Mapping[str, str]
    crowded: str
    shorter: str
    signs: bool = True


MODEL_FILE = Kind(
    error=ModelFileError,
    name="model file",
    writer="`save`",
    again="copy or train it again",
    dtypes=("F32", "F64"),
    dimensions=range(1, 3),
    holds_empty=False,
    is_signed=False,  # those of the first versions are not
    others={
        "fuseprop.checkpoint": "the checkpoint of a training: `fuseprop train --resume FILE` or "
        "fit(resume=...) goes on from it",
        "fuseprop.torch": "a network for PyTorch: `fuseprop.from_torch` reads it",
    },
    crowded="the names and scales of this model",
    shorter="Give features, targets and classes shorter names.",
)


def pack(
    tensors: Mapping[str, HostArray], texts: Mapping[str, str], kind: Kind = MODEL_FILE
) -> list[bytes | memoryview]:
    """Return the bytes of a file with these tensors, metadata and its kind's digest, in parts without a copy.

    Parts are views of the tensors, where these are little-endian and in C order: they may change after the
    parts are written. The same content gives the same bytes. Raises KeyError for a dtype that is not in
    `DTYPES`, ValueError for texts that UTF-8 cannot encode, and for a header beyond the format's limit.
    """
    names = {np.dtype(dtype): name for name, dtype in DTYPES.items()}
    header: dict[str, Any] = {METADATA: dict(texts)}
    parts: list[memoryview] = []
    offset = 0
    digest = np.zeros(DIGEST_BYTES, np.uint8)
    for name, tensor in {**tensors, **({DIGEST: digest} if kind.signs else {})}.items():
        little = np.asarray(tensor, tensor.dtype.newbyteorder("<"), order="C")
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
            f"{kind.crowded} need {len(encoded):,} bytes, and a {kind.name} holds "
            f"{LONGEST_HEADER:,} of them at most. {kind.shorter}"
        )
    begin = len(encoded).to_bytes(8, "little") + encoded
    if not kind.signs:
        return [begin, *parts]
    sha256 = hashlib.sha256(begin)
    for part in parts[:-1]:
        sha256.update(part)
    return [begin, *parts[:-1], sha256.digest()]


def unpack(
    file: BinaryIO, place: str, kind: Kind = MODEL_FILE
) -> tuple[dict[str, HostArray], dict[str, str]]:
    """Return the tensors by name, read-only, and the texts of the metadata; check the digest if there is one.

    `place` names the file in messages.

    Raises the error of its kind if the file is no .safetensors file or not whole, ValueError for a header
    that is no valid JSON object. Takes no more memory than the file has bytes, whatever its header declares.
    """
    size = os.fstat(file.fileno()).st_size
    begin = file.read(9)
    length = int.from_bytes(begin[:8], "little")
    _check_beginning(place, kind, begin, length, size)
    room = size - 8 - length
    if length > LONGEST_HEADER:
        raise kind.error(
            f"{place} is no {kind.name} that {kind.writer} wrote: its header has {length:,} bytes, and "
            f"{LONGEST_HEADER:,} is the most."
        )
    file.seek(0)
    # Everything is read at once: if another process writes to the file meanwhile, the digest is wrong.
    data = file.read(size + 1)
    if len(data) != size:
        raise kind.error(f"{place} was changed while it was read. Read it again.")
    header = parse_json(data[8 : 8 + length].decode())
    texts = header.pop(METADATA, {})
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise kind.error(f"{place} is truncated or damaged: its metadata are no texts.")
    for key in kind.others.keys() & texts.keys():
        raise kind.error(f"{place} is no {kind.name}, but {kind.others[key]}.")
    tensors: dict[str, HostArray] = {}
    end = 0
    for name, start, shape, dtype in _entries(place, kind, header):
        used = prod(shape) * np.dtype(dtype).itemsize
        if start != end or start + used > room:
            raise kind.error(
                f"{place} is truncated or damaged: its {room:,} bytes of tensors are not the ones that its "
                f"header declares, it has {size:,} bytes. {kind.again.capitalize()}."
            )
        tensors[name] = np.frombuffer(data, dtype, prod(shape), 8 + length + start).reshape(shape)
        end = start + used
    if end != room:
        raise kind.error(
            f"{place} is truncated or damaged: its header declares {end:,} bytes of tensors, there are "
            f"{room:,}; it has {size:,} bytes. {kind.again.capitalize()}."
        )
    digest = tensors.pop(DIGEST, None)
    if digest is None and kind.is_signed:
        raise kind.error(f"{place} is no {kind.name} that {kind.writer} wrote: it has no digest.")
    if digest is not None and digest.tobytes() != hashlib.sha256(memoryview(data)[:-DIGEST_BYTES]).digest():
        raise kind.error(
            f"{place} is damaged, or was changed while it was read: its digest is not that of its content. "
            f"Read it again; if that does not help, {kind.again}."
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


def _entries(place: str, kind: Kind, header: dict[str, Any]) -> list[tuple[str, int, tuple[int, ...], str]]:
    """Return name, first byte, shape and dtype of each tensor, by their place in the file."""
    entries = []
    for name, about in header.items():
        if not isinstance(about, dict) or about.keys() != {"dtype", "shape", "data_offsets"}:
            raise kind.error(f"{place} is truncated or damaged: its header has no valid {literal(name)}.")
        shape, offsets = about["shape"], about["data_offsets"]
        if about["dtype"] not in ((*kind.dtypes, "U8") if name == DIGEST else kind.dtypes):
            raise kind.error(
                f"{place}: the tensor {literal(name)} is {literal(about['dtype'])}, expected "
                f"{' or '.join(kind.dtypes)}. fuseprop reads what {kind.writer} wrote."
            )
        dtype = DTYPES[about["dtype"]]
        if (
            not _are_sizes(shape)
            or len(shape) not in kind.dimensions
            or not _are_sizes(offsets)
            or len(offsets) != 2
            or offsets[1] - offsets[0] != prod(shape) * np.dtype(dtype).itemsize
            or (0 in shape and not kind.holds_empty)
            or (name == DIGEST and (shape, about["dtype"]) != ([DIGEST_BYTES], "U8"))
        ):
            raise kind.error(
                f"{place} is truncated or damaged: the tensor {literal(name)} has no valid shape and "
                f"offsets, got {literal(shape)} and {literal(offsets)}."
            )
        entries.append((name, offsets[0], tuple(shape), dtype))
    # An empty tensor begins where the next one does.
    return sorted(entries, key=lambda entry: (entry[1], prod(entry[2])))


def _are_sizes(value: object) -> bool:
    return isinstance(value, list) and all(type(size) is int and 0 <= size < 2**63 for size in value)


def _check_beginning(place: str, kind: Kind, begin: bytes, length: int, size: int) -> None:
    """Raise the kind's error, with what the file is instead, if 9 bytes show it is no .safetensors file."""
    expected = f"Expected a .safetensors file that {kind.writer} wrote"
    if size == 0:
        raise kind.error(f"{place} is empty. {expected}.")
    # A header of 0x0480 bytes begins like a pickle too; then zeros follow.
    if (
        begin[:1] == b"\x80"
        and begin[1:2] in (b"\2", b"\3", b"\4", b"\5")
        and any(begin[2:8])
        and begin[8:] != b"{"
    ):
        raise kind.error(f"{place} is a pickle; fuseprop never unpickles. {expected}.")
    if size > 8 and begin[8:] != b"{":
        raise kind.error(f"{place} is not a {kind.name}. {expected}.")
    if size < 8 + length or size < 9:
        needed = f"its header alone needs {length + 8:,} bytes, " if size >= 9 else ""
        raise kind.error(
            f"{place} is truncated or damaged: {needed}it has {size:,} bytes. {kind.again.capitalize()}."
        )

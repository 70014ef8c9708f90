"""Blocks of an Arrow C stream as NumPy arrays, by ctypes: PyArrow is not needed.

The structures are those of the Arrow C data interface, https://arrow.apache.org/docs/format/CDataInterface.html.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


class _Schema(ctypes.Structure):
    pass


class _Array(ctypes.Structure):
    pass


class _Stream(ctypes.Structure):
    pass


_Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_void_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(_Schema))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Schema))),
    ("private_data", ctypes.c_void_p),
]
_Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))),
    ("private_data", ctypes.c_void_p),
]
_Stream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Schema))),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Array))),
    ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.POINTER(_Stream))),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Stream))),
    ("private_data", ctypes.c_void_p),
]

WIDTHS = {b"g": np.float64, b"u": np.int32, b"U": np.int64}
"""What is read: numbers of 64 bits by their dtype, and texts by that of their offsets."""


class StreamError(Exception):
    """What the maker of the stream says is wrong."""


@dataclass(frozen=True)
class Doubles:
    """values (n,) float64, of which those that are not `valid` (n,) are nulls; None where none is."""

    values: NDArray[np.float64]
    valid: NDArray[np.bool_] | None

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Strings:
    """Texts in UTF-8: that of row i is data[offsets[i] : offsets[i + 1]]; nulls as in `Doubles`."""

    offsets: NDArray[np.int32] | NDArray[np.int64]
    data: NDArray[np.uint8]
    valid: NDArray[np.bool_] | None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def texts(self, rows: NDArray[np.intp] | slice) -> list[str]:
        """Return the texts of some rows."""
        starts, ends = self.offsets[:-1][rows].tolist(), self.offsets[1:][rows].tolist()
        if len(starts) * 4 > len(self):
            # Slices of one long text are made three times as fast as texts of slices of bytes.
            whole = self.data.tobytes()
            if whole.isascii():
                text = whole.decode("ascii")
                return [text[start:end] for start, end in zip(starts, ends, strict=True)]
        data = self.data.data
        return [str(data[start:end], "utf-8") for start, end in zip(starts, ends, strict=True)]


def blocks(source: Any) -> Iterator[list[Doubles | Strings]]:
    """Yield the columns of a source with `__arrow_c_stream__`, block by block.

    A column is of float64, or of texts in UTF-8. The arrays are views that are valid until the next block is
    asked for. Raises StreamError for what the source reports, TypeError for other columns.
    """
    capsule = source.__arrow_c_stream__()
    pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
    pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    stream = _Stream.from_address(pointer_of(capsule, b"arrow_array_stream"))
    reference = ctypes.byref(stream)

    def check(code: int) -> None:
        if code:
            said = stream.get_last_error(reference) or b""
            raise StreamError(said.decode(errors="replace"))

    schema, array = _Schema(), _Array()
    try:
        check(stream.get_schema(reference, ctypes.byref(schema)))
        formats = [schema.children[i].contents.format for i in range(schema.n_children)]
        schema.release(ctypes.byref(schema))
        if not set(formats) <= set(WIDTHS):
            raise TypeError(f"expected columns of float64 and texts, got the formats {formats}")
        while True:
            check(stream.get_next(reference, ctypes.byref(array)))
            if not array.release:
                return
            try:
                yield [_column(array.children[i].contents, format_) for i, format_ in enumerate(formats)]
            finally:
                array.release(ctypes.byref(array))
    finally:
        if stream.release:
            stream.release(reference)


def _column(array: Any, format_: bytes) -> Doubles | Strings:
    n, offset = array.length, array.offset
    valid = None
    if array.null_count and array.buffers[0]:
        bits = _view(array.buffers[0], (offset + n + 7) // 8, np.uint8)
        valid = np.unpackbits(bits, bitorder="little", count=offset + n)[offset:].astype(np.bool_)
    if format_ == b"g":
        return Doubles(_view(array.buffers[1], offset + n, np.float64)[offset:], valid)
    if not n:
        return Strings(np.zeros(1, np.int64), np.empty(0, np.uint8), valid)
    offsets = _view(array.buffers[1], offset + n + 1, WIDTHS[format_])[offset:]
    return Strings(offsets, _view(array.buffers[2], int(offsets[-1]), np.uint8), valid)


def _view(address: int | None, count: int, dtype: Any) -> NDArray[Any]:
    """Return `count` items at an address as an array."""
    size = count * np.dtype(dtype).itemsize
    if not size or not address:
        return np.empty(0, dtype)
    return np.frombuffer((ctypes.c_char * size).from_address(address), dtype)

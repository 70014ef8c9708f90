"""The members of an NPZ file: an array each, whose size is checked before memory is taken for it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from math import prod
from typing import IO, BinaryIO

import numpy as np

from ..backend import HostArray
from ..checks.choices import suggestion
from ..checks.quoting import literal, shown
from .errors import DataError, listed

FREE = 1 << 30
"""As many bytes may be unpacked from a file of any size: 100,000 rows of 500 columns of zeros and ones, which
are 200 times smaller in the file, take less than half."""

RATIO = 100
"""As many bytes may be unpacked for each byte of a file beyond that: zeros alone would have 1,000."""

COLUMN = 512
"""As many bytes are counted for each column beside its cells: a name, and what reading a target takes."""

AT_ONCE = 1 << 20
"""As many bytes are read at once: only the directory of more than 20,000 members has more."""

LONGEST_HEADER = 10_000

ENTRY = r"""['"](descr|fortran_order|shape)['"]\s*:\s*(['"][^'"\\]{1,40}['"]|True|False|\([\d,\sL]{0,99}\))"""
HEADER = re.compile(rf"\s*\{{\s*{ENTRY}\s*,\s*{ENTRY}\s*,\s*{ENTRY}\s*,?\s*\}}\s*")
"""The header of plain numbers and text: fields and nested dtypes are refused without being evaluated."""


class Bounded:
    """A file that refuses to be read in large pieces."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, or all; raise ValueError for more than `AT_ONCE`."""
        data = self._file.read(min(size, AT_ONCE + 1) if size >= 0 else AT_ONCE + 1)
        if len(data) > AT_ONCE:
            raise ValueError("it lists more members than any NPZ file has")
        return data


@dataclass
class Members:
    """The arrays in an NPZ file.

    Attributes
    ----------
    archive : zipfile.ZipFile
    place : str
        Names the file in messages.
    room : int or None
        As many bytes may still be unpacked; None for any number.

    Raises DataError for members that are missing or cannot be read, and of other dtypes than were asked for.
    """

    archive: zipfile.ZipFile
    place: str
    room: int | None

    def names(self) -> list[str]:
        """Return the names of all arrays."""
        return [name.removesuffix(".npy") for name in self.archive.namelist()]

    def read(self, key: str, kinds: Collection[str], expected: str) -> HostArray:
        """Return an array, in native byte order, whose dtype is of one of these kinds: `numpy.dtype.kind`."""
        info = self._find(key)
        with self.archive.open(info) as member:
            dtype, in_columns, shape, header = self._header(member, key)
            self._check_kind(key, dtype, kinds, expected)
            if 0 in shape:  # its other sizes take no bytes, and so may be anything
                raise DataError(
                    f"{self.place}: the array {literal(key)} is empty, its shape is {literal(shape)}."
                )
            size = prod(shape) * dtype.itemsize
            there = info.file_size - header
            if size != there:
                raise DataError(
                    f"{self.place} is damaged: the array {literal(key)}, {dtype} of shape "
                    f"{literal(shape)}, needs {size:,} bytes, but has {there:,}."
                )
            columns = shape[1] if len(shape) == 2 else 1
            self._take(key, max(size, 8 * prod(shape)) + COLUMN * columns)  # a table holds float64
            data = bytearray(size)
            for start in range(0, size, AT_ONCE):
                piece = member.read(min(AT_ONCE, size - start))
                if not piece:
                    raise DataError(f"{self.place} is damaged: the array {literal(key)} ends early.")
                data[start : start + len(piece)] = piece
        array = np.frombuffer(data, dtype).reshape(shape, order="F" if in_columns else "C")
        if dtype.kind == "U":
            self._check_text(key, array)
        return array.astype(dtype.newbyteorder("="), copy=False)

    def _find(self, key: str) -> zipfile.ZipInfo:
        found = [info for info in self.archive.infolist() if info.filename.removesuffix(".npy") == key]
        if not found:
            names = [shown(name) for name in self.names()]
            raise DataError(
                f"{self.place} has no array {literal(key)}; it holds {listed(names) or 'nothing'}."
                f"{suggestion(key, names)}"
            )
        if len(found) > 1:
            raise DataError(f"{self.place} has the array {literal(key)} {len(found)} times.")
        if found[0].flag_bits & 1:
            raise DataError(
                f"{self.place}: the array {literal(key)} is encrypted. Save it without a password."
            )
        if found[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(
                f"{self.place}: the array {literal(key)} is compressed by another method than "
                f"numpy.savez_compressed uses. Save it by that."
            )
        return found[0]

    def _header(self, member: IO[bytes], key: str) -> tuple[np.dtype[np.generic], bool, tuple[int, ...], int]:
        """Return dtype, whether the order is Fortran's, shape, and how many bytes come before the data."""
        begin = member.read(8)
        if begin[:6] != b"\x93NUMPY" or begin[6] not in (1, 2, 3):
            raise DataError(f"{self.place} is not an NPZ file: {literal(key)} is no array in it.")
        width = 2 if begin[6] == 1 else 4
        length = int.from_bytes(member.read(width), "little")
        text = member.read(length).decode() if length <= LONGEST_HEADER else ""
        entries = HEADER.fullmatch(text)
        about = dict(zip(entries.groups()[::2], entries.groups()[1::2], strict=True)) if entries else {}
        shape = tuple(
            int(size.rstrip("L")) for size in about.get("shape", "")[1:-1].split(",") if size.strip()
        )
        if len(about) < 3 or about["fortran_order"] not in ("True", "False"):
            raise DataError(
                f"{self.place}: the array {literal(key)} is neither plain numbers nor text; its header says "
                f"{literal(text.strip())}. Save columns of one dtype."
            )
        return np.dtype(about["descr"][1:-1]), about["fortran_order"] == "True", shape, 8 + width + length

    def _check_kind(
        self, key: str, dtype: np.dtype[np.generic], kinds: Collection[str], expected: str
    ) -> None:
        if dtype.kind == "O":
            raise DataError(
                f"{self.place}: the array {literal(key)} holds Python objects, which only unpickling could "
                f"read; expected {expected}. Save it with another dtype."
            )
        if dtype.kind not in kinds:
            hint = {"S": f" Save text by {key}.astype(str).", "M": " Save dates as numbers."}.get(
                dtype.kind, ""
            )
            raise DataError(f"{self.place}: {literal(key)} must hold {expected}, got dtype {dtype}.{hint}")

    def _take(self, key: str, size: int) -> None:
        if self.room is None:
            return
        if size > self.room:
            raise DataError(
                f"{self.place}: the array {literal(key)} would take {size:,} bytes of memory, out of "
                f"proportion to the file, which may have been made to fill it. If you trust it: "
                f"--any-size, or any_size=True in Python."
            )
        self.room -= size

    def _check_text(self, key: str, array: HostArray) -> None:
        codes = np.ascontiguousarray(array).reshape(-1).view(f"{array.dtype.byteorder}u4")
        if codes.size and (codes.max() > 0x10FFFF or ((codes >= 0xD800) & (codes <= 0xDFFF)).any()):
            raise DataError(f"{self.place} is damaged: the array {literal(key)} holds what is no text.")

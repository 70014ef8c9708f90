"""The members of an NPZ file: one array each, whose size is checked before memory is taken for it."""

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

FREE_BYTES = 1 << 30
"""Bytes that a file of any size may unpack to: 100,000 rows of 500 columns of zeros and ones, which are 200
times smaller in the file, take less than half."""

FREE_BYTES_PER_BYTE = 100
"""Bytes that a larger file may unpack to for each of its own: a file of zeros alone has 1,000."""

BYTES_PER_COLUMN = 512
"""Bytes counted for each column beside its cells: for its name, and for reading it as a target."""

LONGEST_READ = 1 << 20
"""The most bytes that are read at once: only a directory of more than 20,000 members is longer."""

LONGEST_HEADER = 10_000
"""The most bytes of an array's header that are parsed, as in NumPy."""

ENTRY = r"""['"](descr|fortran_order|shape)['"]\s*:\s*(['"][^'"\\]{1,40}['"]|True|False|\([\d,\sL]{0,99}\))"""
HEADER = re.compile(rf"\s*\{{\s*{ENTRY}\s*,\s*{ENTRY}\s*,\s*{ENTRY}\s*,?\s*\}}\s*")
"""The header of an array of numbers or text; structured dtypes do not match, and nothing is evaluated."""


class BoundedReads:
    """A file whose reads are bounded, so that `zipfile` takes little memory for a hostile directory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, or all that follow; raise ValueError for more than `LONGEST_READ`."""
        data = self._file.read(min(size, LONGEST_READ + 1) if size >= 0 else LONGEST_READ + 1)
        if len(data) > LONGEST_READ:
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
    allowed : int or None
        How many bytes may still be unpacked; None for no limit.
    """

    archive: zipfile.ZipFile
    place: str
    allowed: int | None

    def names(self) -> list[str]:
        """Return the names of all arrays."""
        return [name.removesuffix(".npy") for name in self.archive.namelist()]

    def read(self, key: str, kinds: Collection[str], expected: str) -> HostArray:
        """Return the array `key`, in native byte order.

        Parameters
        ----------
        key : str
        kinds : collection of str
            The allowed `numpy.dtype.kind`, such as "bifu".
        expected : str
            What these kinds are, for messages.

        Raises DataError if the array is missing, empty, damaged, of another dtype or larger than allowed.
        """
        info = self._find(key)
        with self.archive.open(info) as member:
            dtype, is_fortran, shape, header = self._header(member, key)
            self._check_kind(key, dtype, kinds, expected)
            if 0 in shape:  # it takes no bytes, so its other sizes could be huge
                raise DataError(
                    f"{self.place}: the array {literal(key)} is empty, its shape is {literal(shape)}."
                )
            size = prod(shape) * dtype.itemsize
            present = info.file_size - header
            if size != present:
                raise DataError(
                    f"{self.place} is damaged: the array {literal(key)}, {dtype} of shape "
                    f"{literal(shape)}, needs {size:,} bytes, but has {present:,}."
                )
            columns = shape[1] if len(shape) == 2 else 1
            # A table holds the values as float64, of 8 bytes each.
            self._reserve(key, max(size, 8 * prod(shape)) + BYTES_PER_COLUMN * columns)
            data = bytearray(size)
            for start in range(0, size, LONGEST_READ):
                piece = member.read(min(LONGEST_READ, size - start))
                if not piece:
                    raise DataError(f"{self.place} is damaged: the array {literal(key)} ends early.")
                data[start : start + len(piece)] = piece
        array = np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")
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
        """Return dtype, whether the order is Fortran's, shape, and the number of bytes before the data."""
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

    def _reserve(self, key: str, size: int) -> None:
        """Count `size` bytes as unpacked; raise DataError if they are more than allowed."""
        if self.allowed is None:
            return
        if size > self.allowed:
            raise DataError(
                f"{self.place}: the array {literal(key)} would take {size:,} bytes of memory, out of "
                f"proportion to the file, which may have been made to fill it. If you trust it: "
                f"--any-size, or any_size=True in Python."
            )
        self.allowed -= size

    def _check_text(self, key: str, array: HostArray) -> None:
        """Raise DataError if an array of text holds numbers that are no Unicode characters."""
        codes = np.ascontiguousarray(array).reshape(-1).view(f"{array.dtype.byteorder}u4")
        if codes.size and (codes.max() > 0x10FFFF or ((codes >= 0xD800) & (codes <= 0xDFFF)).any()):
            raise DataError(f"{self.place} is damaged: the array {literal(key)} holds what is no text.")

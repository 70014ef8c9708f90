"""Files as streams of bytes, unpacked where they are compressed; standard input as a file without a name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import sys
import tempfile
import weakref
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from shlex import quote
from typing import IO, Any, BinaryIO, cast

from ...checks.quoting import shown
from ...installing import how_to_install
from ...storage.reading import REASON, file_errors_as, open_file
from ...world import ALONE, Processes, agreeing
from ..errors import DataError
from ..npz_members import FREE_BYTES, FREE_BYTES_PER_BYTE

BLOCK = 1 << 20
STANDARD_INPUT = "-"

_ADDRESS = re.compile("[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
"""How an address begins, as a path too, which has one slash for two; a drive has a single letter."""

DAMAGE = (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error)
"""What is raised for a compressed file that is cut or changed."""

ZSTANDARD = b"\x28\xb5\x2f\xfd"

REFUSED = {
    b"PK\x03\x04": "is a ZIP archive or an Excel workbook. Unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "is an Excel workbook. Save the sheet as CSV",
    b"\x89HDF": "is an HDF5 file. Save the table as CSV or Parquet",
    b"ARROW1": "is an Arrow file. Save the table as Parquet, or read it with a data frame library",
    b"%PDF": "is a PDF file; expected a table",
    b"\x89PNG": "is a picture; expected a table",
}
"""First bytes of files that hold no table that is read here, and what to do."""


class Named:
    """A file, or standard input, that can be read from its beginning as often as needed.

    Parameters
    ----------
    path : str or Path
        "-" is standard input, which is copied to a nameless temporary file, as it is read more than once.
    any_size : bool
        Whether a compressed file may unpack to more than 100 times its size, and more than 1 GiB.

    Attributes
    ----------
    place : str
        The name for messages.
    """

    def __init__(self, path: str | os.PathLike[str], *, any_size: bool = False) -> None:
        self.path = Path(path)
        self.is_input = str(path) == STANDARD_INPUT
        self._is_address = _ADDRESS.match(str(path)) is not None
        name = str(path) if self._is_address else self.path
        self.place = "standard input" if self.is_input else shown(name, None)
        self._any_size = any_size
        self._input: Any = None
        self._beginning: bytes | None = None
        self._first: tuple[int, ...] = ()

    def open(self) -> BinaryIO:
        """Open the file as it is stored.

        Raises OSError for anything but a regular file, DataError if it is not as it was at the first opening.
        """
        if not self.is_input:
            if self._is_address and not self.path.exists():
                raise DataError(
                    f"{self.place}: addresses are not read. Download the file, and give the path it has then."
                )
            file = open_file(self.path)
            try:
                self.check_unchanged(file)
            except BaseException:
                file.close()
                raise
            return file
        if self._input is None:
            self._input = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (closed with this object)
            weakref.finalize(self, self._input.close)
            self._copy(self.beginning())
            while block := sys.stdin.buffer.read(BLOCK):
                self._copy(block)
        file = os.fdopen(os.dup(self._input.fileno()), "rb")
        file.seek(0)
        return file

    def beginning(self) -> bytes:
        """Return the first MiB as it is stored; of standard input no more is taken for it."""
        if not self.is_input:
            with self.open() as file:
                return file.read(BLOCK)
        if self._beginning is None:
            self._beginning = sys.stdin.buffer.read(BLOCK)
        return self._beginning

    def _copy(self, block: bytes) -> None:
        assert self._input is not None
        try:
            rest = memoryview(block)
            while rest:
                rest = rest[self._input.write(rest) :]
        except OSError as error:
            self._input.close()
            raise DataError(
                f"standard input cannot be copied to a temporary file, as it is read more than once "
                f"({error.strerror or error}). Save it to a file, and give its path."
            ) from error

    def size(self) -> int:
        """Return the number of bytes of the file as it is stored. Raises DataError for standard input."""
        if self.is_input:
            raise DataError(
                "standard input cannot be shared by several processes. Save it to a file, and give its path: "
                "cat > table.csv"
            )
        with self.open() as file:
            return os.fstat(file.fileno()).st_size

    def piece(self, begin: int, end: int, block: int = BLOCK) -> Iterator[bytes]:
        """Yield the bytes from `begin` up to `end` as they are stored, and reads no others.

        Raises DataError for a file that changes meanwhile.
        """
        with self.open() as buffered:
            file = cast(io.FileIO, cast(io.BufferedReader, buffered).raw)  # which takes no bytes in advance
            file.seek(begin)
            while begin < end and (bytes_read := file.read(min(block, end - begin))):
                begin += len(bytes_read)
                yield bytes_read
            self.check_unchanged(buffered)

    def check_unchanged(self, file: BinaryIO) -> None:
        """Raise DataError if the open file is not as it was when it was opened first."""
        if self.is_input:
            return
        found = os.fstat(file.fileno())
        state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        self._first = self._first or state
        if state != self._first:
            raise DataError(
                f"{self.place} was changed while it was read. Read it again once nothing writes to it."
            )

    def blocks(self) -> Iterator[bytes]:
        """Yield the unpacked bytes in blocks of at most 1 MiB.

        Raises DataError for files of other kinds, for damaged compressed files, for those that unpack to far
        more than they have, and for one that changes meanwhile.
        """
        with self.open() as file:
            head = file.read(8)
            file.seek(0)
            for start, what in REFUSED.items():
                if head.startswith(start):
                    raise DataError(f"{self.place} {what}.")
            allowed = None if self._any_size else bytes_allowed(file)
            try:
                yield from self._unpacked(file, head, allowed)
            except DataError:
                self.check_unchanged(file)  # which would be why it is damaged
                raise
            self.check_unchanged(file)

    def _unpacked(self, file: BinaryIO, head: bytes, allowed: int | None) -> Iterator[bytes]:
        unpacked = 0
        try:
            with _decompressing(file, head) as stream:
                while block := stream.read(BLOCK):
                    unpacked += len(block)
                    if allowed is not None and unpacked > allowed:
                        raise too_large(self.place)
                    yield block
        except DAMAGE as error:
            raise self._damaged(error) from error
        except Exception as error:
            if type(error).__name__ != "ZstdError":  # of a module that may not be there
                raise
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> DataError:
        return DataError(f"{self.place} is damaged ({shown(error, REASON)}). Compress it again.")


def bytes_allowed(file: BinaryIO) -> int:
    """Return how many bytes a file may unpack to without being asked."""
    return max(FREE_BYTES, FREE_BYTES_PER_BYTE * os.fstat(file.fileno()).st_size)


def too_large(place: str) -> DataError:
    """Return the error for a file that unpacks to more."""
    return DataError(
        f"{place} unpacks to more than {FREE_BYTES_PER_BYTE} times its size. Where that is meant, allow it: "
        f"--any-size, or any_size=True in Python."
    )


PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", ZSTANDARD)
"""First bytes of files that are unpacked."""


UNPACKING = ("gunzip --keep", "bunzip2 --keep", "unxz --keep", "zstd --decompress")
"""The commands that unpack these, each with the path behind it."""


def check_uncompressed(named: Named, head: bytes) -> None:
    """Raise DataError, with the line that unpacks it, for a compressed file that begins so."""
    for start, command in zip(PACKED, UNPACKING, strict=True):
        if head.startswith(start):
            raise DataError(
                f"{named.place} is compressed, so that no process can read a part of it alone. Unpack it, "
                f"and give the path of what is in it: {command} {shown(quote(str(named.path)), None)}"
            )


def _decompressing(file: BinaryIO, head: bytes) -> AbstractContextManager[IO[bytes]]:
    """Return what unpacks a file, which stays open."""
    if head.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    if head.startswith(b"BZh"):
        return cast(IO[bytes], bz2.BZ2File(file))
    if head.startswith(b"\xfd7zXZ\x00"):
        return cast(IO[bytes], lzma.LZMAFile(file))
    if head.startswith(ZSTANDARD):
        return cast(IO[bytes], _zstandard().ZstdFile(file))
    return nullcontext(file)


def _zstandard() -> Any:
    """Return the module of Python 3.14 that unpacks .zst files, or its backport."""
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    try:
        return import_module(name)
    except ImportError as error:
        raise DataError(
            f"reading a .zst file needs {name}, which is not installed. Type: {how_to_install('tables')}."
        ) from error


@contextmanager
def refusing(named: Named, what: str, hint: str, world: Processes = ALONE) -> Iterator[None]:
    """Raise DataError, which names the file, for any exception while it is read.

    The other processes of `world` raise `Elsewhere`; all come to the end of the block: see `agreeing`.
    """
    with agreeing(world), file_errors_as(DataError, named.path, what, hint):
        yield

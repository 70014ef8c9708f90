"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import os
from contextlib import suppress
from errno import EISDIR
from pathlib import Path
from secrets import token_hex


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write `data` to `path`, so that at any moment it holds either the old bytes or the new ones.

    The data go to a new file in the same directory, which reaches the disk before it takes the name. Raises
    OSError where that fails; an old file is then untouched and the new one gone.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(EISDIR, "expected a file, but this is a directory", str(path))
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.tmp")
    try:
        # "x" takes the permissions that the user's umask gives, and never an existing file.
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error  # the name that was asked for
        raise
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    """Make the new name survive a loss of power, on systems where directories can be synchronized."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

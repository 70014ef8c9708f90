"""A lock on a path: one process at a time has it, and it ends with the process, however that ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EACCES, EAGAIN
from pathlib import Path

from .atomic import hidden_stem, with_path

try:
    import fcntl
except ImportError:  # Windows locks bytes of a file, and removes none that is open
    LOCKS = False
else:
    LOCKS = True
if sys.platform == "win32":
    import msvcrt

FAR = 1 << 30
"""The byte that is locked on Windows: nobody reads a locked one, and the process's number is to be read."""

_held: dict[str, tuple[int, object]] = {}
"""The paths that are locked, each by a process's number and an object: a forked child has none of them."""


class LockedError(Exception):
    """Somebody else has the lock; the text says who."""


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the lock of a path: a record lock on a hidden file beside it, which is there while it is held.

    Record locks are not inherited: a forked child that lives on does not keep what its parent had. A file
    that a killed process has left says nothing by being there. On file systems without locks, only this
    process is kept from locking a path twice.

    Raises LockedError where another process, or this one, has the lock; OSError, which names the path,
    where the file cannot be made.
    """
    target = Path(os.path.realpath(path))
    file = target.with_name(f"{hidden_stem(target)}lock")
    # Closing a file ends all record locks on it of this process, so what is locked is not even opened again.
    mine = os.getpid(), object()
    other = _held.setdefault(str(file), mine)
    if other is not mine and other[0] == mine[0]:
        raise LockedError("another training of this process")
    _held[str(file)] = mine
    try:
        try:
            descriptor = _acquire(file)
        except OSError as error:
            raise with_path(path, error) from error
        try:
            yield
        finally:
            if LOCKS and os.getpid() == mine[0]:
                with suppress(OSError):
                    file.unlink()  # before the lock ends: afterwards it may be another process's
            os.close(descriptor)
            if not LOCKS:
                with suppress(OSError):  # another process has it open
                    file.unlink()
    finally:
        if _held.get(str(file)) is mine:
            del _held[str(file)]


def _acquire(file: Path) -> int:
    """Return the descriptor of the locked file, which holds the process's number."""
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            _lock(descriptor)
            if LOCKS and os.fstat(descriptor).st_nlink == 0:
                os.close(descriptor)
                continue  # the process that had the lock has removed the file meanwhile
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def _lock(descriptor: int) -> None:
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, FAR, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            finally:
                os.lseek(descriptor, 0, os.SEEK_SET)
        elif LOCKS:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (EACCES, EAGAIN):
            number = os.read(descriptor, 20).decode("ascii", "replace").strip()
            raise LockedError(f"another process{f' ({number})' if number.isdigit() else ''}") from None

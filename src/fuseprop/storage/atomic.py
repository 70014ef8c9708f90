"""Files that are there whole or not at all, whatever happens while they are written.

The data go to a temporary file beside the one that is asked for, which reaches the disk before it takes the
name. Whoever writes a temporary file holds a lock on it that ends with the process: one without a lock was
left by a process that was killed, and the next write of the same name removes it.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EINVAL, EISDIR, ENAMETOOLONG, ENOENT, EPERM
from hashlib import sha256
from pathlib import Path
from re import fullmatch
from secrets import token_hex
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # not on Windows: what a killed process leaves there, stays
    LOCKS = False
else:
    LOCKS = True

SHORT_NAME = 100
"""Names of fewer bytes leave room for what is added to them wherever there are long names at all."""

LONGEST_NAME = 255
"""Bytes of a name on the file systems that are in use, where the system doesn't say."""


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write `data` to `path`, so that at any moment it holds either the old bytes or the new ones.

    A file that is replaced keeps its permissions and, where the system allows it, its owner; a symbolic link
    stays, and its target is replaced. Raises OSError where writing fails, and as `check_place`; an old file
    is then untouched and the new one gone.
    """
    try:
        target, old = _place(Path(path))
        _remove_abandoned(target)
        with _temporary(target) as (temporary, file):
            if old is not None:
                _take_over(target, old, temporary, file.fileno())  # before there is anything to read in it
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if not LOCKS:
                file.close()  # Windows moves no file that is open
            temporary.replace(target)
    except OSError as error:
        raise _about(path, error) from error
    _sync_directory(target.parent)


def check_place(path: str | Path) -> None:
    """Raise OSError, whose `strerror` says why, where `write_atomically` would fail already.

    That is: for a directory that does not exist or cannot be written to, for what is there and is no regular
    file, may not be written to or is another user's in a sticky directory, and for a name that is too long.
    It tries: a temporary file is made and removed.
    """
    try:
        with _temporary(_place(Path(path))[0]):
            pass
    except OSError as error:
        raise _about(path, error) from error


def _about(path: str | Path, error: OSError) -> OSError:
    """Return the error with the name that was asked for."""
    return error if error.errno is None else OSError(error.errno, error.strerror, str(path))


def _place(path: Path) -> tuple[Path, os.stat_result | None]:
    """Return the file behind symbolic links, and what is known of it if it is there."""
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    try:
        old = target.stat()
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise OSError(ENOENT, f"the directory {target.parent} does not exist. Make it first") from None
        return target, None
    if stat.S_ISDIR(old.st_mode):
        raise OSError(EISDIR, "this is a directory; expected a file")
    if not stat.S_ISREG(old.st_mode):
        raise OSError(EINVAL, "this is no regular file, and would be replaced by one. Name another")
    os.close(os.open(target, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0)))  # a directory lets one replace more
    folder = target.parent.stat()
    is_theirs = hasattr(os, "geteuid") and os.geteuid() not in (0, old.st_uid, folder.st_uid)
    if folder.st_mode & stat.S_ISVTX and is_theirs:
        raise OSError(EPERM, "this file is another user's, which a sticky directory keeps. Name another")
    return target, old


@contextmanager
def _temporary(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Open a new file beside `target`; it is gone afterwards, unless it has been moved."""
    while True:
        temporary = target.with_name(f"{_stem(target)}{token_hex(4)}.tmp")
        # "x" takes the permissions that the user's umask gives, and never an existing file.
        file = temporary.open("xb")
        try:
            with file:
                if _lock(file.fileno()) and os.fstat(file.fileno()).st_nlink == 0:
                    continue  # another process took it for abandoned before it was locked
                yield temporary, file
                return
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _stem(target: Path) -> str:
    """Return how the names of temporary files of `target` begin: with its name, or a hash of a long one."""
    name = os.fsencode(target.name)
    if len(name) < SHORT_NAME:
        return f".{target.name}."
    longest = LONGEST_NAME
    with suppress(AttributeError, OSError, ValueError):
        longest = os.pathconf(target.parent, "PC_NAME_MAX")
    if len(name) > longest:
        raise OSError(ENAMETOOLONG, f"the name has {len(name)} bytes, and {longest} is the most here")
    if len(name) + len("..12345678.tmp") > longest:
        return f".{sha256(name).hexdigest()[:16]}."
    return f".{target.name}."


def _remove_abandoned(target: Path) -> None:
    """Remove the temporary files of `target` that killed processes have left."""
    if not LOCKS:
        return
    stem = _stem(target)
    with suppress(OSError):
        for name in os.listdir(target.parent):  # noqa: PTH208 (a Path for each of many files takes long)
            if not (name.startswith(stem) and fullmatch("[0-9a-f]{8}\\.tmp", name[len(stem) :])):
                continue
            left = target.parent / name
            if left.is_symlink() or not left.is_file():
                continue
            with suppress(OSError), left.open("rb+") as file:
                if _lock(file.fileno(), wait=False):
                    left.unlink()


def _lock(descriptor: int, *, wait: bool = True) -> bool:
    """Lock a file until it is closed, by this process's end at the latest; return whether that worked."""
    if not LOCKS:
        return False
    with suppress(OSError):  # held by another, or a file system without locks
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        return True
    return False


def _take_over(target: Path, old: os.stat_result, temporary: Path, descriptor: int) -> None:
    """Give a new file the owner, the permissions and the attributes of the one that it replaces."""
    new = os.fstat(descriptor)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid) and hasattr(os, "fchown"):
        for owner, group in ((old.st_uid, -1), (-1, old.st_gid)):
            with suppress(OSError):
                os.fchown(descriptor, owner, group)
    # Access lists are among the attributes, and without them the same mode would allow other things. Some
    # file systems have neither, and lose no model for that.
    with suppress(OSError):
        if old.st_mode != new.st_mode or _has_attributes(target):
            shutil.copystat(target, temporary)


def _has_attributes(path: Path) -> bool:
    return bool(os.listxattr(path)) if hasattr(os, "listxattr") else True


def _sync_directory(directory: Path) -> None:
    """Make the new name survive a loss of power, on systems where directories can be synchronized.

    The file has its name by then: what fails here fails no write.
    """
    if not hasattr(os, "O_DIRECTORY"):
        return
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

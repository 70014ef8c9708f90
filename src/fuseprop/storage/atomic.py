"""Atomic writing: a file holds its old bytes or its new ones, even if the process is killed meanwhile.

The data go to a temporary file in the same directory, which is synchronized to disk and then renamed. The
writing process holds a lock on its temporary file, which ends with the process: a temporary file without a
lock was left by a killed process, and the next write to the same name, or check of it, removes it.

The bytes that are replaced may be kept under a second name: that file is whole at any moment too.
"""

from __future__ import annotations

import os
import stat
import sys
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
except ImportError:  # Windows has no fcntl: what a killed process leaves there, stays
    LOCKS = False
else:
    LOCKS = True

SHORT_NAME = 100
"""Names of fewer bytes leave room for the temporary file's suffix, if the file system takes long names."""

LONGEST_NAME = 255
"""The limit of a name, in bytes, that is assumed if the system doesn't tell its own."""


def write_atomically(
    path: str | Path, *parts: bytes | memoryview, previous: str | Path | None = None
) -> None:
    """Write `parts`, one after the other, so that at any moment `path` holds the old bytes or the new ones.

    A file that is replaced keeps its permissions and, where the system allows it, its owner; a symbolic link
    stays, and its target is replaced. `previous`, a name in the same directory, is given to the file that is
    replaced, if there is one: on a file system without hard links, there is no file at `path` for a moment.

    Raises OSError if writing fails, and as `check_place`; the old file is then unchanged and the temporary
    one removed.
    """
    try:
        target, old = _place(Path(path))
        _remove_abandoned(target)
        with _temporary(target) as (temporary, file):
            if old is not None:
                _copy_metadata(target, old, temporary, file.fileno())  # before it holds anything to read
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
            if not LOCKS:
                file.close()  # Windows cannot rename an open file
            if old is not None and previous is not None:
                _keep(target, Path(previous))
            temporary.replace(target)
    except OSError as error:
        raise with_path(path, error) from error
    _sync_directory(target.parent)


def _keep(target: Path, previous: Path) -> None:
    """Give a file a second name, in the place of the file that has it."""
    second = _temporary_name(target)
    try:
        second.hardlink_to(target)
    except OSError:  # FAT has no links, and some network file systems and folders have none
        target.replace(previous)
        return
    try:
        second.replace(previous)
    finally:
        # Where both are names of one file already, as after a kill, renaming leaves them as they are.
        second.unlink(missing_ok=True)


def is_same_place(first: Path, second: Path) -> bool:
    """Whether two paths are of one file, behind symbolic links too, be it there or not."""
    return os.path.realpath(first) == os.path.realpath(second)


def is_same_file(first: Path, second: Path) -> bool:
    """Whether two paths are of one place, as `is_same_place`, or of two names (hard links) of one file."""
    if is_same_place(first, second):
        return True
    try:
        return first.samefile(second)
    except (OSError, ValueError):  # one of them is not there, or is no path at all
        return False


def is_standard_input(path: Path) -> bool:
    """Whether standard input comes from the file at a path."""
    try:
        return os.path.samestat(os.fstat(sys.stdin.fileno()), path.stat())
    except (AttributeError, OSError, ValueError):  # there is no standard input, or no such file
        return False


def check_place(path: str | Path) -> None:
    """Raise OSError, whose `strerror` says why, if `write_atomically` could not write to `path`.

    That is the case if the directory does not exist or cannot be written to, if the name is too long, or if
    the path is taken by something that is no regular file, that may not be written to, or that belongs to
    another user in a sticky directory. The check makes a temporary file there and removes it, with those that
    killed processes left.
    """
    try:
        target, _ = _place(Path(path))
        _remove_abandoned(target)
        with _temporary(target):
            pass
    except OSError as error:
        raise with_path(path, error) from error


def with_path(path: str | Path, error: OSError) -> OSError:
    """Return the error with the caller's path instead of the temporary file's."""
    return error if error.errno is None else OSError(error.errno, error.strerror, str(path))


def _place(path: Path) -> tuple[Path, os.stat_result | None]:
    """Return the file behind symbolic links, and its `stat` if it exists; raise as `check_place`."""
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
    # A rename would replace a read-only file too; opening it fails.
    os.close(os.open(target, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0)))
    folder = target.parent.stat()
    is_theirs = hasattr(os, "geteuid") and os.geteuid() not in (0, old.st_uid, folder.st_uid)
    if folder.st_mode & stat.S_ISVTX and is_theirs:
        raise OSError(EPERM, "this file is another user's, which a sticky directory keeps. Name another")
    return target, old


@contextmanager
def _temporary(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Open a new file in the directory of `target`; remove it at the end, unless it has been renamed."""
    while True:
        temporary = _temporary_name(target)
        # "x" gives the permissions of the user's umask, and never opens an existing file.
        file = temporary.open("xb")
        try:
            with file:
                if _lock(file.fileno()) and os.fstat(file.fileno()).st_nlink == 0:
                    continue  # another process found it unlocked, and removed it as abandoned
                yield temporary, file
                return
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _temporary_name(target: Path) -> Path:
    return target.with_name(f"{hidden_stem(target)}{token_hex(4)}.tmp")


def hidden_stem(target: Path) -> str:
    """Return the beginning of the names of hidden files beside `target`: its name, or a hash of a long one.

    It ends in a dot. Raises OSError for a name that the file system does not take.
    """
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
    """Remove the temporary files of `target` that killed processes left behind."""
    if not LOCKS:
        return
    stem = hidden_stem(target)
    with suppress(OSError):
        for name in os.listdir(target.parent):  # noqa: PTH208 (making a Path of each name is slow)
            if not (name.startswith(stem) and fullmatch("[0-9a-f]{8}\\.tmp", name[len(stem) :])):
                continue
            abandoned = target.parent / name
            if abandoned.is_symlink() or not abandoned.is_file():
                continue
            with suppress(OSError), abandoned.open("rb+") as file:
                if _lock(file.fileno(), wait=False):
                    abandoned.unlink()


def _lock(descriptor: int, *, wait: bool = True) -> bool:
    """Lock a file until it is closed, at the process's end at the latest; return whether that worked."""
    if not LOCKS:
        return False
    with suppress(OSError):  # another process holds the lock, or the file system has none
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        return True
    return False


def _copy_metadata(target: Path, old: os.stat_result, temporary: Path, descriptor: int) -> None:
    """Give the temporary file the owner, permissions and extended attributes of the file it replaces."""
    new = os.fstat(descriptor)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid) and hasattr(os, "fchown"):
        for owner, group in ((old.st_uid, -1), (-1, old.st_gid)):
            with suppress(OSError):
                os.fchown(descriptor, owner, group)
    import shutil  # which brings five kinds of archives

    # Extended attributes include access lists, without which the same mode grants other rights. On a file
    # system without them the write goes on.
    with suppress(OSError):
        if old.st_mode != new.st_mode or _has_attributes(target):
            shutil.copystat(target, temporary)


def _has_attributes(path: Path) -> bool:
    return bool(os.listxattr(path)) if hasattr(os, "listxattr") else True


def _sync_directory(directory: Path) -> None:
    """Make the rename survive a loss of power, on systems where directories can be synchronized.

    The file is written and renamed by then, so a failure here is ignored.
    """
    if not hasattr(os, "O_DIRECTORY"):
        return
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

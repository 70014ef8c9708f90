"""What may be left of files where power is lost: all that POSIX allows after a trace of calls.

Until a file is synchronized, any of its bytes may be missing; until its directory is, any of the names that
were given and taken there. So a loss of power leaves the names of the last synchronization, with any of the
later changes made, each in its turn, and of each file what was synchronized last, or what was written, or
something between.
"""

import os
from dataclasses import dataclass, field
from itertools import combinations, product
from pathlib import Path

MOST = 12
"""Changes of names between two synchronizations of their directory: all their subsets are gone through."""


@dataclass(eq=False)
class File:
    """A file, by whatever names: what a reader finds in it, and what is on the disk for sure."""

    content: bytes = b""
    durable: bytes = b""

    def write(self, offset, data):
        before = self.content[:offset].ljust(offset, b"\0")
        self.content = before + data + self.content[offset + len(data) :]

    def after_a_crash(self):
        """Return what may be left of it."""
        if self.content == self.durable:
            return {self.content}
        half = self.content[: len(self.content) // 2]
        return {self.durable, self.content, half, b"", bytes(len(self.content))}


@dataclass
class Disk:
    """Files below a directory, to which recorded calls are applied.

    Parameters
    ----------
    files : dict of str to bytes
        What was there before, for sure.
    """

    files: dict
    names: dict = field(init=False)
    durable: dict = field(init=False)

    def __post_init__(self):
        self.names = {path: File(data, data) for path, data in self.files.items()}
        self.durable = dict(self.names)
        self._pending = []  # changes of names, each a dict of path to File or None
        self._open = {}  # by inode

    def apply(self, call):
        """Let a call change the files."""
        if call.error:
            return
        if call.kind == "open":
            self._opened(call)
        elif call.kind == "write":
            self._open[call.inode].write(call.offset, call.data)
        elif call.kind == "truncate":
            file = self._open[call.inode]
            file.content = file.content[: call.size].ljust(call.size, b"\0")
        elif call.kind == "sync" and call.inode in self._open:
            file = self._open[call.inode]
            file.durable = file.content
        elif call.kind == "sync":
            self._sync_directory(call.path)
        elif call.kind == "rename":
            self._change({call.path: None, call.other: self.names[call.path]})
        elif call.kind == "link":
            self._change({call.other: self.names[call.path]})
        elif call.kind == "unlink":
            self._change({call.path: None})

    def crashes(self, path, *others):
        """Yield what a loss of power may leave under these paths, bytes or None for each."""
        assert len(self._pending) <= MOST, (
            f"{len(self._pending)} changes of names, and no directory is synchronized"
        )
        for number in range(len(self._pending) + 1):
            for changes in combinations(self._pending, number):
                names = dict(self.durable)
                for change in changes:
                    names |= change
                found = [names.get(one) for one in (path, *others)]
                yield from product(*({None} if file is None else file.after_a_crash() for file in found))

    def contents(self):
        """Return what a reader finds, by path."""
        return {path: file.content for path, file in self.names.items()}

    def _opened(self, call):
        if call.flags & (os.O_WRONLY | os.O_RDWR) == 0 and call.path not in self.names:
            return  # a directory
        if call.path not in self.names:
            self._change({call.path: File()})
        file = self._open[call.inode] = self.names[call.path]
        if call.flags & os.O_TRUNC:
            file.content = b""

    def _change(self, names):
        self._pending.append(names)
        self.names |= names
        self.names = {path: file for path, file in self.names.items() if file is not None}

    def _sync_directory(self, directory):
        made, left = [], []
        for change in self._pending:
            (made if all(str(Path(path).parent) == directory for path in change) else left).append(change)
        for change in made:
            self.durable |= change
        self._pending = left


def snapshot(directory):
    """Return the files of a directory, for `Disk`."""
    files = Path(os.path.realpath(directory)).rglob("*")
    return {str(path): path.read_bytes() for path in files if path.is_file()}


def losses(before, calls, *paths):
    """Yield, after each call, its number from 1, the last mark, and what may be left under the paths.

    Parameters
    ----------
    before : dict of str to bytes
        As `snapshot` returns it.
    calls : sequence of shim.Call
    paths : str

    What was yielded for the same mark is not yielded again.
    """
    disk, mark, seen = Disk(before), "", set()
    for number, call in enumerate(calls, 1):
        if call.kind == "mark":
            mark = call.path
        disk.apply(call)
        for left in disk.crashes(*paths):
            if (mark, left) not in seen:
                seen.add((mark, left))
                yield number, mark, left

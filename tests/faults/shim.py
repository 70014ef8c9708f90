"""Calls of the C library that are recorded and made to fail: the half of `shim.cpp` that speaks Python.

`build` makes the library; in a process that was started with it in LD_PRELOAD, `Shim` commands it.
"""

import ctypes
import os
import platform
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from errno import EACCES, EIO, EMFILE, ENOMEM, ENOSPC, EPERM
from pathlib import Path

import pytest

KINDS = ("open", "write", "sync", "rename", "link", "unlink", "truncate", "allocate")
SHORT, FULL = 0, -1
"""In the place of an errno. SHORT: half of a write is taken, and no error told. FULL: the disk is full."""

ERRORS = {
    "open": (EMFILE, EACCES, ENOSPC),
    "write": (ENOSPC, EIO, SHORT, FULL),
    "sync": (EIO, ENOSPC),
    "rename": (EIO, ENOSPC),
    "link": (EPERM, EIO),
    "unlink": (EIO,),
    "truncate": (EIO,),
    "allocate": (ENOMEM,),
}
"""Of each kind of call, the ways in which it can fail."""

ONCE, ALWAYS = 1, -1

SOURCE = Path(__file__).with_name("shim.cpp")
FLAGS = ("-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")


@dataclass(frozen=True)
class Fault:
    """The `number`-th call of a kind, from 1, fails with an errno, and so do `times` - 1 calls after it."""

    kind: str
    number: int
    error: int
    times: int = ONCE

    def __str__(self):
        how = {SHORT: "short", FULL: "disk full"}.get(self.error) or os.strerror(self.error)
        return f"{self.kind} {self.number}{' and all after it' if self.times == ALWAYS else ''}: {how}"


@dataclass(frozen=True)
class Call:
    """A call that was recorded: see `shim.cpp`. A mark, which is none, has its text as `path`."""

    kind: str
    error: int
    inode: int
    offset: int
    size: int
    flags: int
    path: str
    other: str
    data: bytes = b""


def build(folder):
    """Compile the library into a folder and return its path, or skip the test; in CI it fails instead."""
    found = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    reason = None
    if platform.libc_ver()[0] != "glibc":
        reason = "calls are made to fail before glibc's, and this is another C library"
    elif not found:
        reason = "no C++ compiler for what makes calls fail. Type: apt-get install g++, or set CXX"
    if reason:
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    target = Path(folder) / "shim.so"
    command = [found, *FLAGS, str(SOURCE), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    return target


class Shim:
    """The library of this process, which was loaded before all others."""

    def __init__(self):
        self._functions = ctypes.CDLL(None)
        self._functions.faults_trace.restype = ctypes.c_void_p
        self._functions.faults_count.restype = self._functions.faults_struck.restype = ctypes.c_long

    def watch(self, directory, least=0):
        """Count from now on calls on files below a directory, and allocations of `least` bytes and more."""
        self._functions.faults_watch(os.fsencode(os.path.realpath(directory)), ctypes.c_size_t(least))

    def rest(self):
        """Watch nothing."""
        self._functions.faults_watch(b"", ctypes.c_size_t(0))

    def fail(self, fault):
        """Let calls fail, which are counted from now on."""
        number, times = ctypes.c_long(fault.number), ctypes.c_long(fault.times)
        self._functions.faults_fail(KINDS.index(fault.kind), number, times, fault.error)

    def heal(self):
        """Let nothing fail any more; calls are still counted and recorded."""
        self._functions.faults_heal()

    def mark(self, text):
        """Write a text into the trace."""
        self._functions.faults_mark(text.encode())

    def counts(self):
        """Return how many calls of each kind there were."""
        counts = {kind: self._functions.faults_count(number) for number, kind in enumerate(KINDS)}
        return Counter({kind: count for kind, count in counts.items() if count})

    def struck(self):
        """Return how many calls were made to fail."""
        return self._functions.faults_struck()

    def trace(self):
        """Return the calls that were recorded, first one first."""
        size = ctypes.c_size_t()
        address = self._functions.faults_trace(ctypes.byref(size))
        return parse(ctypes.string_at(address, size.value) if size.value else b"")


def parse(data):
    """Return the calls of a trace."""
    calls, place = [], 0
    while place < len(data):
        end = data.index(b"\n", place)
        kind, *numbers, path, other = data[place:end].decode().split("\t")
        error, inode, offset, size, flags = map(int, numbers)
        place = end + 1
        taken = data[place : place + size] if kind == "write" else b""
        place += len(taken)
        calls.append(Call(kind, error, inode, offset, size, flags, path, other, taken))
    return calls

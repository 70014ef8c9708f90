"""Uploads through page-locked memory, for which the host does not wait.

From pageable memory CUDA may let the host wait for all work of the stream before it copies; a copy from
page-locked memory is only enqueued. That memory must not change until the device has read it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import finalize

import numpy as np

from fuseprop.backend import HostArray

from .shapes import Array

ROOM = 32 * 2**20
"""The most bytes on their way to the device at one time; a larger array is uploaded from where it lies.

What is uploaded while the device has work is small: an epoch's order takes 8 bytes a row, 32 MiB for four
million rows. Data sets may be large, but they are uploaded before the device has work to wait for.
"""


class Sent(NamedTuple):
    """Page-locked memory that the device may still read, its size in bytes, and the event after that."""

    memory: Any
    size: int
    event: Any


class Staging:
    """The uploads on their way to one device, from any number of threads and to any number of streams.

    Parameters
    ----------
    allocate : callable
        ``allocate(size)`` returns page-locked memory of so many bytes, with Python's buffer interface. It may
        return memory again that was freed.
    copy : callable
        ``copy(memory, out)`` enqueues a copy into all of an array, and returns an event after it, with the
        attribute `done` and the method `synchronize`.
    room : int
        The most bytes on their way at one time.
    """

    def __init__(
        self, allocate: Callable[[int], Any], copy: Callable[[Any, Array], Any], room: int = ROOM
    ) -> None:
        self._allocate, self._copy = allocate, copy
        self._lock = threading.Lock()
        self._sent: deque[Sent] = deque()
        self.room = room
        # CuPy's pool hands freed memory out again: before this object frees it, the device must have read it.
        finalize(self, _wait, self._sent).atexit = False

    def upload(self, source: HostArray, out: Array) -> None:
        """Copy a contiguous array of at most `room` bytes; the caller may change it afterwards.

        Where more than `room` bytes would be on their way, this waits until the device has read enough.
        """
        size = source.nbytes
        with self._lock:
            self._make_room(size)
            memory = self._allocate(size)
            np.ndarray(source.shape, source.dtype, memory)[...] = source
            self._sent.append(Sent(memory, size, self._copy(memory, out)))

    def _make_room(self, size: int) -> None:
        """Free memory that the device has read, and wait until it has read enough for `size` bytes more."""
        left = self.room - size - sum(sent.size for sent in self._sent)
        while self._sent and (left < 0 or self._sent[0].event.done):
            sent = self._sent[0]
            sent.event.synchronize()
            left += sent.size
            self._sent.popleft()


def _wait(sent: deque[Sent]) -> None:
    for each in sent:
        each.event.synchronize()

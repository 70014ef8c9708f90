"""Uploads through page-locked memory, so that the host need not wait until the device gets to them.

From ordinary memory CUDA may wait for all that the stream was asked for before it copies; from page-locked
memory a copy is only asked for. That memory must stay as it is until the copy has been made.
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
"""Bytes on their way at most; a larger array is uploaded from where it lies.

What is sent while the device has work is small: an epoch's order takes 8 bytes a row, 32 MiB for four million
rows. Data sets may be large, but they are sent before there is any work to wait for.
"""


class Sent(NamedTuple):
    """Memory that the device may still read from, how many bytes of it, and the event that says it has."""

    memory: Any
    size: int
    event: Any


class Staging:
    """What is on its way to one device; for any number of threads and streams.

    Parameters
    ----------
    allocate : callable
        Returns page-locked memory of so many bytes, which has a buffer. What nobody holds any more may be
        handed out again.
    copy : callable
        ``copy(memory, out)`` asks for a copy into all of an array, and returns an event that is `done` when
        the memory was read, and can `synchronize`.
    room : int
        Bytes on their way at most.
    """

    def __init__(
        self, allocate: Callable[[int], Any], copy: Callable[[Any, Array], Any], room: int = ROOM
    ) -> None:
        self._allocate, self._copy = allocate, copy
        self._lock = threading.Lock()
        self._sent: deque[Sent] = deque()
        self.room = room
        # Who takes the memory next must not write to it too early, even if this is gone by then.
        finalize(self, _wait, self._sent).atexit = False

    def upload(self, source: HostArray, out: Array) -> None:
        """Copy a contiguous array of at most `room` bytes; it may be changed afterwards.

        Waits for the device where there would be too much on its way, until enough has arrived.
        """
        size = source.nbytes
        with self._lock:
            self._make_room(size)
            memory = self._allocate(size)
            np.ndarray(source.shape, source.dtype, memory)[...] = source
            self._sent.append(Sent(memory, size, self._copy(memory, out)))

    def _make_room(self, size: int) -> None:
        """Let go of what has arrived, and wait for more where that is not enough."""
        left = self.room - size - sum(sent.size for sent in self._sent)
        while self._sent and (left < 0 or self._sent[0].event.done):
            sent = self._sent[0]
            sent.event.synchronize()
            left += sent.size
            self._sent.popleft()


def _wait(sent: deque[Sent]) -> None:
    for each in sent:
        each.event.synchronize()

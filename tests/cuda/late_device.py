"""A device far behind its host: its calls happen when a caller waits for them, in their order."""

import ctypes
from collections import deque
from functools import partial

from fuseprop_cupy import CupyBackend
from fuseprop_cupy.device.device import Device
from fuseprop_cupy.device.staging import Staging
from host_device import HostDevice
from page_locked import PageLocked


class LateEvent:
    """It is `done` when the stream gets to it."""

    def __init__(self, stream):
        self.done = False
        self._stream = stream

    def __call__(self):
        self.done = True

    def synchronize(self):
        if not self.done:
            self._stream.waits += 1
            self._stream.catch_up(until=self)


class LateStream:
    """What a device was asked for and has not done yet.

    Attributes
    ----------
    waits : int
        How often the host waited for an event.
    """

    def __init__(self):
        self.waits = 0
        self._asked = deque()

    def ask(self, call, *arguments):
        self._asked.append(partial(call, *arguments))

    def ask_to_copy(self, memory, out, address):
        """Ask for a copy to an array at an address, and return the event after it; `memory` is not held."""
        source = memory.ptr
        self.ask(lambda: ctypes.memmove(address, source, out.nbytes))
        event = LateEvent(self)
        self.ask(event)
        return event

    def catch_up(self, until=None):
        while self._asked and not (until and until.done):
            self._asked.popleft()()


class LateDevice(HostDevice):
    """`HostDevice`, but late, and with the uploads of `Device` itself."""

    def __init__(self, ordinal, dtype):
        super().__init__(ordinal, dtype)
        self.stream = LateStream()
        self._staging = Staging(PageLocked(), self._copy_in_turn)

    def _copy_in_turn(self, memory, out):
        return self.stream.ask_to_copy(memory, out, out.data.ptr)

    def fill_zero(self, array):
        self.stream.ask(super().fill_zero, array)

    def upload(self, source, out):
        Device.upload(self, source, out)

    def copy(self, source, out):
        self.stream.ask(super().copy, source, out)

    def multiply(self, a, b, out):
        self.stream.ask(super().multiply, a, b, out)

    def run(self, kernel, grid, arguments):
        self.stream.ask(super().run, kernel, grid, arguments)

    def download(self, array):
        self.stream.catch_up()
        return super().download(array)

    def synchronize(self):
        self.stream.catch_up()


class LateBackend(CupyBackend):
    """CupyBackend as it is, on a `LateDevice`."""

    def _open(self, ordinal):
        return LateDevice(ordinal, self.dtype)

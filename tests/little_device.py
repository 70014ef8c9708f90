"""A device with little memory: NumPy's backend, whose arrays have room up to a limit."""

import gc
import weakref

from fuseprop_numpy import NumpyBackend

from fuseprop.backend import OutOfMemory


class Little(NumpyBackend):
    """Has room for `limit` bytes, and takes rows chunk by chunk."""

    device = "little"
    by_rows = None
    limit = 1 << 30
    chunk_bytes = 1 << 15

    def __init__(self, dtype="float32"):
        super().__init__(dtype)
        self.living = {}

    @property
    def free(self):
        return self.limit - sum(self.living.values())

    def empty(self, shape, dtype=None):
        array = super().empty(shape, dtype)
        if array.nbytes > self.free:
            raise OutOfMemory(
                f"little has no room for {shape}: {self.free} bytes are free.", array.nbytes, self.room
            )
        key = object()
        self.living[key] = array.nbytes
        weakref.finalize(array, self.living.pop, key)
        return array

    def zeros(self, shape, dtype=None):
        array = self.empty(shape, dtype)
        array[...] = 0
        return array

    def from_host(self, array, *, out=None, dtype=None):
        out = self.empty(array.shape, dtype) if out is None else out
        return super().from_host(array, out=out)

    share = from_host

    def room(self):
        return self.free

    def leave(self, free):
        """Leave so many bytes free."""
        gc.collect()
        self.limit += free - self.free

"""The CuPy backend with no memory behind its arrays: enough to write down a step of any size."""

from math import prod
from types import SimpleNamespace

import cupy
import cupy_private
import numpy as np
from fuseprop_cupy import CupyBackend
from fuseprop_cupy.device.device import Device

ALIGNMENT = 512
"""Bytes, as from CuPy's pool."""


class PaperDevice(Device):
    """`Device` whose arrays are only addresses; what is read from them is zero."""

    def __init__(self, ordinal, dtype):
        self.ordinal = ordinal
        self.array_type = cupy.ndarray
        self._next = ALIGNMENT
        self.current = SimpleNamespace(ptr=0)
        self._dtype = dtype

    def enter(self):
        pass

    def empty(self, shape, dtype):
        address, size = self._next, prod(shape) * dtype.itemsize
        self._next += max(ALIGNMENT, -(-size // ALIGNMENT) * ALIGNMENT)
        return cupy_private.array_over(self, address, tuple(shape), dtype)

    def download(self, array):
        return np.zeros(array.shape, array.dtype)

    def memory(self):
        return 2**40, 2**40

    def adopt(self, array):
        raise NotImplementedError("there is no array on paper that others could share")

    def fill_zero(self, array):
        pass

    def upload(self, source, out):
        pass

    def copy(self, source, out):
        pass

    def multiply(self, a, b, out):
        pass

    def connect(self, world):
        raise NotImplementedError("no processes share a device on paper")

    def reduce(self, array, world):
        self.connect(world)

    def current_stream(self):
        return self.current

    def synchronize(self):
        pass

    def release(self):
        pass

    def run(self, kernel, grid, arguments):
        pass


class PaperBackend(CupyBackend):
    """CupyBackend as it is, on a `PaperDevice`."""

    def _open(self, ordinal):
        return PaperDevice(ordinal, self.dtype)

"""The CuPy backend over host memory: its own code, real `cupy.ndarray` objects, kernels built for the CPU.

Only `fuseprop_cupy.device.device.Device` is replaced. What is checked at each launch, beyond what comes out:
that nothing beside an array is written, that nothing uninitialised is used (new memory is all NaN), and that
the result does not depend on the order in which threads run.
"""

import ctypes
import weakref
from functools import partial
from math import prod
from types import SimpleNamespace

import cupy
import cupy_private
import numpy as np
from fuseprop_cupy import CupyBackend
from fuseprop_cupy.device.device import Device
from fuseprop_cupy.device.nodes import Copy, Multiply, Reduce
from fuseprop_cupy.device.sums import Sums
from host_kernels import Span, host_kernels
from host_streams import HostStreams
from nccl_standin import GRAPH, Nccl

GUARD = 256
"""Bytes on each side of an allocation; with the rest of new memory they are 255: NaN, or -1."""


class HostDevice(Device):
    """`Device` on the CPU."""

    def __init__(self, ordinal, dtype, built=None):
        self.ordinal = ordinal
        self.limit = 2**30
        self.current = SimpleNamespace(ptr=0)
        self._pooled = []  # bytes of arrays that are gone: they stay with the pool, as CuPy's do
        self.array_type = cupy.ndarray
        self.allocations = 0
        self.launched = []
        self.products = 0
        self._dtype = dtype
        self._kernels = built or host_kernels()
        self._streams = None
        self.nccl = Nccl()
        self.bus = None  # by default each process has a GPU of its own
        self._sums = Sums(lambda: self.nccl)
        self._buffers = weakref.WeakValueDictionary()

    def described(self):
        return {"GPU": "host"}

    def provenance(self):
        return self.described()

    def enter(self):
        pass

    def empty(self, shape, dtype):
        self.allocations += 1
        size = prod(shape) * dtype.itemsize
        if self._living() + size > self.limit:
            raise cupy.cuda.memory.OutOfMemoryError(size, self._living(), self.limit)
        buffer = np.full(GUARD + size + GUARD, 255, np.uint8)
        address = buffer.ctypes.data + GUARD
        self._buffers[address] = buffer
        weakref.finalize(buffer, self._pooled.append, size).atexit = False
        return cupy_private.array_over(buffer, address, tuple(shape), dtype)

    def adopt(self, array):
        return array.on_device if hasattr(array, "on_device") else array.values  # the contract's own

    def fill_zero(self, array):
        assert array.flags.c_contiguous
        ctypes.memset(array.data.ptr, 0, array.nbytes)

    def upload(self, source, out):
        assert source.dtype == out.dtype
        assert source.shape == out.shape
        assert out.flags.c_contiguous
        on_host(out)[...] = source

    def download(self, array):
        return on_host(array).copy()

    def copy(self, source, out):
        assert source.flags.c_contiguous
        assert out.flags.c_contiguous
        ctypes.memmove(out.data.ptr, source.data.ptr, source.nbytes)

    def multiply(self, a, b, out):
        self.products += 1
        assert a.dtype == b.dtype == out.dtype
        assert out.flags.c_contiguous
        np.matmul(on_host(a), on_host(b), out=on_host(out))

    def connect(self, world):
        self.nccl.world = world
        self._sums.connect(world, self.ordinal, lambda: self.bus or f"0000:{world.rank:02}:00.0")
        return self._sums

    def reduce(self, array, world):
        stream = self.current.ptr if self.nccl.graph is None else GRAPH
        self.connect(world).add(array, world, self.ordinal, stream)

    def current_stream(self):
        return self.current

    def synchronize(self):
        pass

    def memory(self):
        return self.limit - self._living() - sum(self._pooled), self.limit

    def allocated(self):
        return self._living()

    def release(self):
        self._pooled.clear()

    def _living(self):
        return sum(buffer.nbytes - 2 * GUARD for buffer in list(self._buffers.values()))

    def prepare(self, node):
        if isinstance(node, Multiply):
            return partial(self.multiply, node.a, node.b, node.out)
        if isinstance(node, Copy):
            return partial(self.copy, node.source, node.out)
        if isinstance(node, Reduce):
            return partial(self.reduce, node.array, node.world)
        return partial(self.run, node.kernel, node.grid, node.arguments)

    def streams(self):
        if self._streams is None:
            self._streams = HostStreams(self)
        return self._streams

    def run(self, kernel, grid, arguments):
        self.launched.append(kernel.expression)
        arrays = [
            (argument, not parameter.c_type.startswith("const"))
            for parameter, argument in zip(kernel.parameters, arguments, strict=True)
            if isinstance(argument, cupy.ndarray)
        ]
        self._kernels.run(
            kernel,
            grid,
            [np.uintp(a.data.ptr) if isinstance(a, cupy.ndarray) else a for a in arguments],
            [Span(array.data.ptr, array.nbytes, written) for array, written in arrays],
        )
        for array, written in arrays:
            if written:
                buffer = self._buffers[cupy_private.base_address(array)]
                untouched = (buffer[:GUARD] == 255).all() and (buffer[-GUARD:] == 255).all()
                assert untouched, f"{kernel.expression} wrote outside an array of shape {array.shape}"


class HostRunBackend(CupyBackend):
    """CupyBackend as it is, on a `HostDevice`; `built` are other kernels than the backend's own."""

    def __init__(self, dtype="float32", device="cuda:0", replay="captured", built=None):
        self._built = built
        super().__init__(dtype, device, replay)

    def _open(self, ordinal):
        return HostDevice(ordinal, self.dtype, self._built)


def on_host(array):
    """Return a NumPy view of a cupy.ndarray over host memory, whatever its strides."""
    span = sum((n - 1) * s for n, s in zip(array.shape, array.strides, strict=True)) + array.itemsize
    memory = (ctypes.c_char * span).from_address(array.data.ptr)
    return np.ndarray(array.shape, array.dtype, memory, strides=array.strides)

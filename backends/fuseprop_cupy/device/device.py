"""Everything that needs CUDA: memory, copies, products, launches, sums over GPUs.

This is the seam at which the backend runs without a GPU: the tests replace `Device` by a class with the same
methods over host memory, and run the rest of the backend as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from fuseprop.backend import HostArray, Shape
from fuseprop.world import Processes

from ..formulas import Functor
from .kernel_list import OPTIONS, Kernel, kernels, source
from .nodes import Copy, Multiply, Node, Prepared, Reduce
from .probe import check_not_forked, probe
from .products import Products
from .shapes import Array
from .staging import Staging
from .streams import Streams
from .sums import SUMS, Sums, Watched
from .wheels import NEEDED, driver_version, installed

MOST_MODULES = 256
"""The most formulas whose kernels are kept: a search over a parameter must not keep all that it has tried."""


class Device:
    """One CUDA device, and the kernels compiled for it.

    A caller must `enter` before it calls another method: CUDA acts on the device that is current for the
    thread. Raises BackendUnavailable where the device cannot be used.
    """

    def __init__(self, ordinal: int, dtype: np.dtype[Any]) -> None:
        probe(ordinal)
        import cupy

        self.ordinal = ordinal
        self.array_type: Any = cupy.ndarray
        self._cupy = cupy
        self._dtype = dtype
        self._device = cupy.cuda.Device(ordinal)
        self._current = cupy.cuda.runtime.getDevice
        self._functions: dict[str, Any] = {}
        self._modules: dict[Functor | None, Any] = {}
        self._local = threading.local()
        self._sums = SUMS
        self._products = Products(cupy, ordinal, dtype, self.empty)
        self._staging = Staging(cupy.cuda.alloc_pinned_memory, self._copy_in_turn)

    def described(self) -> dict[str, str]:
        """Return the GPU's name, and the versions of CuPy and CUDA."""
        runtime = self._cupy.cuda.runtime
        name: bytes = runtime.getDeviceProperties(self.ordinal)["name"]
        versions = {"CuPy": self._cupy.__version__, "CUDA": str(runtime.runtimeGetVersion())}
        return {"GPU": name.decode(), **versions}

    def provenance(self) -> dict[str, str]:
        """Return what else tells the device: its capability, driver, and the packages that CUDA is from."""
        properties = self._cupy.cuda.runtime.getDeviceProperties(self.ordinal)
        capability = f"{properties['major']}.{properties['minor']}"
        packages = {name for needed in NEEDED.values() for name in needed}
        return {
            **self.described(),
            "compute capability": capability,
            **driver_version(),
            **installed(packages),
        }

    def enter(self) -> None:
        """Make this the thread's current device; asking CUDA first is cheaper than setting it each time."""
        check_not_forked()
        if self._current() != self.ordinal:
            self._device.use()

    def empty(self, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """Return a new array, uninitialized; raises CuPy's OutOfMemoryError, which is a MemoryError."""
        return self._cupy.empty(shape, dtype)

    def adopt(self, array: Any) -> Array:
        """Return a DLPack array on this device as CuPy's; copied only to cast it or to make it contiguous."""
        return self._cupy.ascontiguousarray(self._cupy.from_dlpack(array), self._dtype)

    def fill_zero(self, array: Array) -> None:
        """Set all bytes to zero."""
        array.data.memset_async(0, array.nbytes)

    def upload(self, source: HostArray, out: Array) -> None:
        """Copy to the device in the order of the current stream; the caller may change `source` afterwards.

        Shape and dtype are equal, and both are contiguous.
        """
        if source.nbytes > self._staging.room:
            out.set(source)
            self.synchronize()  # a GPU that reads pageable memory itself may still read after `set` returns
        else:
            self._staging.upload(source, out)

    def download(self, array: Array) -> HostArray:
        """Wait for the current stream, and return a copy on the host; raises as `synchronize` does."""
        self._sums.watch(self.current_stream())
        host: HostArray = array.get()
        return host

    def copy(self, source: Array, out: Array) -> None:
        """Copy on the device; both are contiguous and of equal size."""
        out.data.copy_from_device_async(source.data, source.nbytes)

    def multiply(self, a: Array, b: Array, out: Array) -> None:
        """out = a b by cuBLAS, in strict float32 or float64."""
        self._products.multiply(a, b, out)

    def connect(self, world: Processes) -> Sums:
        """Make this device one of those over which a world adds up; all processes ask together.

        Raises what `Sums.connect` raises.
        """
        address = self._cupy.cuda.runtime.deviceGetPCIBusId
        self._sums.connect(world, self.ordinal, partial(address, self.ordinal))
        return self._sums

    def reduce(self, array: Array, world: Processes) -> None:
        """Add up an array over the processes of a world, in place, on the current stream."""
        self.connect(world).add(array, world, self.ordinal, self.current_stream().ptr)

    def current_stream(self) -> Any:
        """Return the thread's current stream; its attribute `ptr` is its address."""
        return self._cupy.cuda.get_current_stream()

    def synchronize(self) -> None:
        """Wait until the thread's current stream has done all its work.

        Raises RuntimeError where a sum over processes in it has failed.
        """
        stream = self.current_stream()
        self._sums.watch(stream)
        stream.synchronize()

    def allocated(self) -> int:
        """Return the bytes that living arrays use, of CuPy's memory pool for this device."""
        with self._device:
            used: int = self._cupy.get_default_memory_pool().used_bytes()
        return used

    def memory(self) -> tuple[int, int]:
        """Return free and total bytes: of the device, or of CuPy's memory pool if that has a limit."""
        free, total = self._cupy.cuda.runtime.memGetInfo()
        pool = self._cupy.get_default_memory_pool()
        limit = pool.get_limit()
        return (min(free, limit - pool.total_bytes()), limit) if limit else (free, total)

    def release(self) -> None:
        """Return to CUDA the memory of freed arrays that CuPy's pool still holds."""
        self._cupy.get_default_memory_pool().free_all_blocks()

    def run(self, kernel: Kernel, grid: Sequence[int], arguments: Sequence[Any]) -> None:
        """Launch a kernel; arguments are checked arrays and NumPy scalars."""
        self._function(kernel)(tuple(grid), kernel.block, tuple(arguments))

    def prepare(self, node: Node) -> Prepared:
        """Return a call that runs a node on the stream that is current when it is called.

        All that Python can do beforehand is done here.
        """
        if isinstance(node, Multiply):
            return partial(self.multiply, node.a, node.b, node.out)
        if isinstance(node, Copy):
            return partial(node.out.data.copy_from_device_async, node.source.data, node.source.nbytes)
        if isinstance(node, Reduce):
            return partial(self.reduce, node.array, node.world)
        address = self._cupy.cuda.function.CIntptr
        arguments = tuple(
            address(argument.data.ptr) if isinstance(argument, self.array_type) else argument
            for argument in node.arguments
        )
        return partial(self._function(node.kernel).kernel, node.grid, node.kernel.block, arguments)

    def streams(self) -> Streams:
        """Return this thread's `Streams` for the current stream, the same as long as a caller holds them.

        Raises BackendUnavailable without nvmath-python, and what CUDA raises.
        """
        if not hasattr(self._local, "streams"):
            self._local.streams = WeakValueDictionary()
        current = self.current_stream().ptr
        streams: Streams | None = self._local.streams.get(current)
        if streams is None:
            self._local.streams[current] = streams = Streams(
                self._cupy, self.ordinal, self._dtype, self.empty, self.prepare
            )
        return streams

    def _copy_in_turn(self, memory: Any, out: Array) -> Any:
        """Enqueue a copy from page-locked memory on the current stream; return an event after it."""
        stream = self.current_stream()
        out.data.copy_from_host_async(memory.ptr, out.nbytes, stream)
        return Watched(stream.record(self._cupy.cuda.Event(disable_timing=True)))

    def _function(self, kernel: Kernel) -> Any:
        function = self._functions.get(kernel.expression)
        if function is None:
            function = self._module(kernel.functor).get_function(kernel.expression)
            self._functions[kernel.expression] = function
        return function

    def _module(self, functor: Functor | None) -> Any:
        """Return the kernels of one formula, or all those without one, compiled on first use.

        CuPy caches them on disk for the next process.
        """
        if functor not in self._modules:
            if len(self._modules) >= MOST_MODULES:  # what graphs and prepared launches hold stays loaded
                self._modules.clear()
                self._functions.clear()
            functors = () if functor is None else (functor,)
            listed = kernels(self._dtype, functors)
            self._modules[functor] = self._cupy.RawModule(
                code=source(functors), options=OPTIONS, name_expressions=tuple(listed)
            )
        return self._modules[functor]

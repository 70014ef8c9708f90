"""Everything that only CUDA can do: memory, copies, products, launches. The rest of the backend is above it.

This is the seam at which the backend runs without a GPU: the tests put another class with these methods
here, and everything above is executed as it stands.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from fuseprop.backend import HostArray, Shape

from .kernel_list import OPTIONS, kernels, source
from .nodes import Copy, Multiply, Node, Prepared
from .probe import check_not_forked, probe
from .products import Products
from .shapes import Array
from .staging import Staging
from .streams import Lanes


class Device:
    """One CUDA device, and the kernels compiled for it.

    A caller must `enter` before it uses another method: CUDA calls go to the device that is current for the
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
        self._local = threading.local()
        self._products = Products(cupy, ordinal, dtype, self.empty)
        self._staging = Staging(cupy.cuda.alloc_pinned_memory, self._copy_in_turn)

    def enter(self) -> None:
        """Make this the thread's current device, unless it is already: asking is cheaper than setting."""
        check_not_forked()
        if self._current() != self.ordinal:
            self._device.use()

    def empty(self, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """Return a new array; raises CuPy's MemoryError."""
        return self._cupy.empty(shape, dtype)

    def adopt(self, array: Any) -> Array:
        """Return an array that speaks DLPack on this device as CuPy's, copied only if it must be cast."""
        return self._cupy.ascontiguousarray(self._cupy.from_dlpack(array), self._dtype)

    def fill_zero(self, array: Array) -> None:
        """Set all bytes to zero."""
        array.data.memset_async(0, array.nbytes)

    def upload(self, source: HostArray, out: Array) -> None:
        """Copy to the device when it gets there; `source` may be changed afterwards.

        Shape and dtype are equal, and both are contiguous.
        """
        if source.nbytes > self._staging.room:
            out.set(source)
            self.synchronize()  # a GPU that reads ordinary memory itself need not have done so yet
        else:
            self._staging.upload(source, out)

    def download(self, array: Array) -> HostArray:
        """Wait for everything before, and return a copy."""
        host: HostArray = array.get()
        return host

    def copy(self, source: Array, out: Array) -> None:
        """Copy on the device; both are contiguous and of equal size."""
        out.data.copy_from_device_async(source.data, source.nbytes)

    def multiply(self, a: Array, b: Array, out: Array) -> None:
        """out = a b by cuBLAS, in strict float32 or float64."""
        self._products.multiply(a, b, out)

    def current_stream(self) -> Any:
        """Return the stream that is current, at its address `ptr`."""
        return self._cupy.cuda.get_current_stream()

    def synchronize(self) -> None:
        """Wait until the device is idle for this thread's stream."""
        self.current_stream().synchronize()

    def memory(self) -> tuple[int, int]:
        """Return free and total bytes of the device, or of what CuPy's pool was limited to."""
        free, total = self._cupy.cuda.runtime.memGetInfo()
        pool = self._cupy.get_default_memory_pool()
        limit = pool.get_limit()
        return (min(free, limit - pool.total_bytes()), limit) if limit else (free, total)

    def release(self) -> None:
        """Give back to CUDA what CuPy's pool keeps of arrays that are gone."""
        self._cupy.get_default_memory_pool().free_all_blocks()

    def run(self, name: str, grid: Sequence[int], block: Sequence[int], arguments: Sequence[Any]) -> None:
        """Launch a kernel by its C++ name; arguments are checked arrays and NumPy scalars."""
        self._function(name)(tuple(grid), tuple(block), tuple(arguments))

    def prepare(self, node: Node) -> Prepared:
        """Return what asks for a node on the stream that is current then, with the least of Python."""
        if isinstance(node, Multiply):
            return partial(self.multiply, node.a, node.b, node.out)
        if isinstance(node, Copy):
            return partial(node.out.data.copy_from_device_async, node.source.data, node.source.nbytes)
        address = self._cupy.cuda.function.CIntptr
        arguments = tuple(
            address(argument.data.ptr) if isinstance(argument, self.array_type) else argument
            for argument in node.arguments
        )
        return partial(self._function(node.kernel.expression).kernel, node.grid, node.kernel.block, arguments)

    def lanes(self) -> Lanes:
        """Return this thread's lanes on the current stream, the same as long as somebody keeps them.

        Raises BackendUnavailable without nvmath-python, and what CUDA raises.
        """
        if not hasattr(self._local, "lanes"):
            self._local.lanes = WeakValueDictionary()
        stream = self.current_stream().ptr
        lanes: Lanes | None = self._local.lanes.get(stream)
        if lanes is None:
            self._local.lanes[stream] = lanes = Lanes(
                self._cupy, self.ordinal, self._dtype, self.empty, self.prepare
            )
        return lanes

    def _copy_in_turn(self, memory: Any, out: Array) -> Any:
        """Ask for a copy from page-locked memory; return the event after it."""
        stream = self.current_stream()
        out.data.copy_from_host_async(memory.ptr, out.nbytes, stream)
        return stream.record(self._cupy.cuda.Event(disable_timing=True))

    def _function(self, name: str) -> Any:
        function = self._functions.get(name)
        if function is None:
            self._functions[name] = function = self._module.get_function(name)
        return function

    @cached_property
    def _module(self) -> Any:
        """All kernels, compiled on first use and kept by CuPy on disk for the next process."""
        return self._cupy.RawModule(
            code=source(), options=OPTIONS, name_expressions=tuple(kernels(self._dtype))
        )

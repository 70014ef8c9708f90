"""Arrays in the memory of the device: new ones, copies from and to the host, and temporary ones."""

from __future__ import annotations

import threading
from math import prod
from typing import Any

import numpy as np

from fuseprop.backend import HostArray, OutOfMemory, Shape

from ..device.device import Device
from ..device.shapes import Array, expect

ON_HOST, ON_CUDA = (1, 3), (2, 13)
"""DLPack's numbers of the devices whose memory the host can read (the CPU, and page-locked memory of CUDA),
and of those whose memory a GPU can read (CUDA, and CUDA's managed memory)."""


class ArrayOperations:
    """The memory of one device: every array of the backend is allocated here.

    Attributes
    ----------
    dtype : numpy.dtype
        The dtype of values, gradients and losses.
    device : str
        "cuda:N"
    """

    def __init__(self, ordinal: int, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.device = f"cuda:{ordinal}"
        self._device = self._open(ordinal)
        self._local = threading.local()

    @property
    def seam(self) -> Device:
        """The `Device` through which the backend uses CUDA."""
        return self._device

    def _open(self, ordinal: int) -> Device:
        return Device(ordinal, self.dtype)

    def empty(self, shape: Shape, dtype: np.dtype[Any] | None = None) -> Array:
        self._device.enter()
        kind = np.dtype(dtype or self.dtype)
        try:
            return self._device.empty(shape, kind)
        except MemoryError as error:
            asked = prod(shape) * kind.itemsize
            self._device.release()
            free, total = self._device.memory()
            raise OutOfMemory(
                f"{self.device} has no room for an array of {shape} {kind} ({asked / 2**20:,.1f} MiB): "
                f"{free / 2**20:,.1f} of {total / 2**20:,.1f} MiB are free. Try a smaller batch_size, fewer "
                f"rows at a time or a smaller network, or end other processes on that GPU (nvidia-smi).",
                asked,
                self._room,
            ) from error

    def zeros(self, shape: Shape, dtype: np.dtype[Any] | None = None) -> Array:
        array = self.empty(shape, dtype)
        self._device.fill_zero(array)
        return array

    def from_host(
        self, array: HostArray, *, out: Array | None = None, dtype: np.dtype[Any] | None = None
    ) -> Array:
        if out is None:
            out = self.empty(array.shape, dtype)
            cast = array.astype(out.dtype, copy=False)
        else:
            self._device.enter()
            if out.shape != array.shape:
                raise ValueError(
                    f"out has shape {out.shape}, the host array {array.shape}; they must be equal."
                )
            if not out.flags.c_contiguous:
                raise ValueError("from_host needs a C-contiguous out. Only matmul takes transposed views.")
            cast = array.astype(out.dtype, casting="same_kind", copy=False)
        self._device.upload(np.ascontiguousarray(cast), out)
        return out

    def share(self, array: Any) -> Array:
        if isinstance(array, np.ndarray):
            return self.from_host(array)
        kind, ordinal = array.__dlpack_device__()
        if kind in ON_CUDA and ordinal == self._device.ordinal:
            self._device.enter()
            return self._device.adopt(array)
        if kind in ON_HOST:
            return self.from_host(np.from_dlpack(array))  # NumPy 2.0 has no parameter `device`
        return self.from_host(np.from_dlpack(array, device="cpu"))

    def to_host(self, array: Array) -> HostArray:
        self._device.enter()
        return self._device.download(array)

    def copy(self, source: Array, *, out: Array) -> None:
        self._device.enter()
        expect(out.shape, source=source)
        if source.dtype != out.dtype:
            raise TypeError(f"copy needs equal dtypes, got {source.dtype} and {out.dtype}.")
        if not (source.flags.c_contiguous and out.flags.c_contiguous):
            raise ValueError("copy needs C-contiguous arrays. Only matmul takes transposed views.")
        self._device.copy(source, out)

    def synchronize(self) -> None:
        self._device.enter()
        self._device.synchronize()

    def _room(self) -> int:
        self._device.enter()
        self._device.release()
        return self._device.memory()[0]

    def _scratch(self, size: int) -> Array:
        """Return this thread's temporary array on the current stream; it grows to the largest size seen.

        Another stream gets a new one, because launches on the stream before may still use the old array;
        CuPy's pool reuses that on its own stream only, in order. Hold the stream: a freed stream's address
        may be reused.
        """
        self._device.enter()
        stream = self._device.current_stream()
        array = getattr(self._local, "scratch", None)
        if array is None or len(array) < size or self._local.stream.ptr != stream.ptr:
            array = self.empty((size,))
            self._local.scratch, self._local.stream = array, stream
        return array

"""Launches: the one way from a method of the backend to a CUDA kernel.

A kernel cannot check its arguments. A float64 array read as float32, a transposed view, an array of another
GPU or a Python number of the wrong width would give wrong numbers or a fault that ends the process; here each
raises TypeError or ValueError instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .device import Device
from .kernel_list import BLOCK, Kernel, Parameter

MAX_BLOCKS = 16384
"""The most blocks of a launch; with more items, each thread takes several. 132 SMs run 1,200 to 2,100 blocks
of 128 threads at a time, by the kernels' registers: the last, partial wave is one of eight or more."""

NULL = np.uintp(0)


def lanes_for(columns: int, limit: int) -> int:
    """Return how many neighbouring threads share a row: the first power of two >= columns, or the limit."""
    return min(limit, 1 << (columns - 1).bit_length())


def blocks_for(items: int, lanes: int = 1) -> int:
    """Return how many blocks give every item a group of `lanes` threads, up to MAX_BLOCKS."""
    return min(MAX_BLOCKS, -(-items * lanes // BLOCK))


class Launch:
    """One kernel on one device: ``launch(blocks, *arguments)``."""

    def __init__(self, kernel: Kernel, device: Device) -> None:
        self._kernel = kernel
        self._device = device
        # Looked up once: that halves the time of a backend call before CUDA (measured: 7.4 to 3.6 us).
        self._casts = [
            (parameter, None if parameter.pointer else parameter.dtype.type)
            for parameter in kernel.parameters
        ]
        self._dtypes = {parameter.name: parameter.dtype for parameter in kernel.parameters}

    def __call__(self, blocks: int | tuple[int, int], *arguments: Any) -> None:
        """Check and cast the arguments, and launch; the caller has made the device current.

        Raises TypeError for a wrong number of arguments, or one that is not an array of the right dtype on
        this device; ValueError for an array that is not C-contiguous.
        """
        kernel = self._kernel
        if len(arguments) != len(self._casts):
            raise TypeError(f"{kernel.expression} takes {len(self._casts)} arguments, got {len(arguments)}.")
        checked = [
            self._array(parameter, argument) if cast is None else cast(argument)
            for (parameter, cast), argument in zip(self._casts, arguments, strict=True)
        ]
        grid = blocks if isinstance(blocks, tuple) else (blocks,)
        self._device.run(kernel, grid, checked)

    def _array(self, parameter: Parameter, array: Any) -> Any:
        if array is None and parameter.optional:
            return NULL
        if (
            isinstance(array, self._device.array_type)
            and array.dtype == self._dtypes[parameter.name]
            and array.data.device_id == self._device.ordinal
            and array.flags.c_contiguous
        ):
            return array
        raise refusal(f"{self._kernel.name}: {parameter.name}", array, parameter.dtype, self._device)


def expect_contiguous(what: str, array: Any, dtype: np.dtype[Any], device: Device) -> None:
    """Raise, as `Launch` does, for an array that a library would misread."""
    if not (
        isinstance(array, device.array_type)
        and array.dtype == dtype
        and array.data.device_id == device.ordinal
        and array.flags.c_contiguous
    ):
        raise refusal(what, array, dtype, device)


def expect_factors(a: Any, b: Any, out: Any, dtype: np.dtype[Any], device: Device) -> None:
    """Raise, as `Launch` does, for an array that cuBLAS would misread; a and b may be transposed views."""
    for name, array in (("a", a), ("b", b), ("out", out)):
        if not (
            isinstance(array, device.array_type)
            and array.dtype == dtype
            and array.data.device_id == device.ordinal
            and (array.flags.c_contiguous or (array.flags.f_contiguous and array is not out))
        ):
            raise refusal(f"matmul: {name}", array, dtype, device)


def refusal(what: str, array: Any, dtype: np.dtype[Any], device: Device) -> Exception:
    """Return the error to raise for an array that CUDA would misread."""
    here = f"cuda:{device.ordinal}"
    if not isinstance(array, device.array_type):
        return TypeError(
            f"{what} must be an array on {here}, got {type(array).__name__}. "
            f"Host arrays enter by from_host(array)."
        )
    if array.dtype != dtype:
        return TypeError(
            f"{what} must be {dtype}, got {array.dtype}. "
            f"Convert it on the way in: from_host(array, dtype=...)."
        )
    if array.data.device_id != device.ordinal:
        return TypeError(
            f"{what} must be on {here}, got an array on cuda:{array.data.device_id}. "
            f"Use one backend for all arrays of a network."
        )
    return ValueError(
        f"{what} must be C-contiguous, got shape {array.shape} with strides {array.strides}. "
        f"Only matmul takes transposed views."
    )

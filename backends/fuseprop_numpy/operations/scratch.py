"""What all operations compute with: temporary arrays, allocated once, and formulas that several share."""

from __future__ import annotations

import threading
from math import prod
from typing import Any

import numpy as np

from fuseprop.backend import HostArray, Shape

SHAPES = 1000
"""How many are remembered."""


class Scratch(threading.local):
    """One thread's temporary arrays, each as large as the largest shape asked for.

    A name has one dtype. What an array holds is undefined from one operation to the next.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._buffers: dict[str, HostArray] = {}
        self._cut: dict[tuple[str, Shape], HostArray] = {}  # to ask again costs 0.1 us, to cut 0.6

    def array(self, name: str, shape: Shape, dtype: Any = None) -> HostArray:
        """Return the array of that name, cut to a shape; the backend's dtype by default."""
        cut = self._cut.get((name, shape))
        if cut is None:
            size = prod(shape)
            buffer = self._buffers.get(name)
            if buffer is None or buffer.size < size:
                self._buffers[name] = buffer = np.empty(size, dtype or self._dtype)
                self._cut.clear()  # what is cut from the one before keeps it alive
            elif len(self._cut) >= SHAPES:
                self._cut.clear()
            self._cut[name, shape] = cut = buffer[:size].reshape(shape)
        return cut

    def ones(self, n: int) -> HostArray:
        """Return n ones; they are only read."""
        ones = self._buffers.get("ones")
        if ones is None or len(ones) < n:
            self._buffers["ones"] = ones = np.ones(n, self._dtype)
        return ones[:n]

    def element_numbers(self, n: int) -> HostArray:
        """Return 0 to n - 1 modulo 2^32; they are only read."""
        numbers = self._buffers.get("element_numbers")
        if numbers is None or len(numbers) < n:
            self._buffers["element_numbers"] = numbers = np.arange(n).astype(np.uint32)
        return numbers[:n]

    def row_numbers(self, n: int) -> HostArray:
        """Return 0 to n - 1; they are only read."""
        numbers = self._buffers.get("row_numbers")
        if numbers is None or len(numbers) < n:
            self._buffers["row_numbers"] = numbers = np.arange(n, dtype=np.int64)
        return numbers[:n]


class Operations:
    """What the operations of the backend build on; each family of them is a subclass.

    Ufuncs that mix dtypes or broadcast are avoided on purpose: NumPy then works through a buffer that it
    allocates on every call (33 KiB for float32, measured). Copying a mask to floats, or a bias to all rows,
    before the ufunc allocates nothing and takes no longer (0.85 us against 0.90 at 32 x 32, 2.5 against 2.6
    at 128 x 128, 83 against 80 at 1024 x 512, float32).

    Attributes
    ----------
    dtype : numpy.dtype
        That of values, gradients and losses.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self._scratch = Scratch(dtype)

    def _number(self, x: float) -> HostArray:
        """Return a number as an array of no dimensions."""
        return np.array(x, self.dtype)

"""Temporary arrays that are allocated once: a few for each thread, as large as the largest shape seen."""

from __future__ import annotations

import threading
from math import prod
from typing import Any

import numpy as np

from fuseprop.backend import HostArray, Shape


class Scratch(threading.local):
    """One thread's temporary arrays, by name; a name has one dtype, and undefined contents between calls."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._buffers: dict[str, HostArray] = {}

    def array(self, name: str, shape: Shape, dtype: Any = None) -> HostArray:
        """Return the array of that name, cut to a shape; the backend's dtype by default."""
        size = prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size:
            self._buffers[name] = buffer = np.empty(size, dtype or self._dtype)
        return buffer[:size].reshape(shape)

    def spread(self, values: HostArray, shape: Shape) -> HostArray:
        """Return a row or a column repeated to a shape."""
        spread = self.array("spread", shape)
        np.copyto(spread, values)
        return spread

    def ones(self, n: int) -> HostArray:
        """Return n ones, which nobody writes to."""
        ones = self._buffers.get("ones")
        if ones is None or len(ones) < n:
            self._buffers["ones"] = ones = np.ones(n, self._dtype)
        return ones[:n]

    def element_numbers(self, n: int) -> HostArray:
        """Return 0 to n - 1 modulo 2^32, which nobody writes to."""
        numbers = self._buffers.get("element_numbers")
        if numbers is None or len(numbers) < n:
            self._buffers["element_numbers"] = numbers = np.arange(n).astype(np.uint32)
        return numbers[:n]

    def row_numbers(self, n: int) -> HostArray:
        """Return 0 to n - 1, which nobody writes to."""
        numbers = self._buffers.get("row_numbers")
        if numbers is None or len(numbers) < n:
            self._buffers["row_numbers"] = numbers = np.arange(n, dtype=np.int64)
        return numbers[:n]

"""Arrays in the memory of the CPU: new ones, and copies from and to the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from fuseprop.backend import HostArray, Shape

from .scratch import Operations


class ArrayOperations(Operations):
    """New arrays and copies; no other operation allocates."""

    def empty(self, shape: Shape, dtype: np.dtype[Any] | None = None) -> HostArray:
        return np.empty(shape, dtype or self.dtype)

    def zeros(self, shape: Shape, dtype: np.dtype[Any] | None = None) -> HostArray:
        return np.zeros(shape, dtype or self.dtype)

    def from_host(
        self, array: HostArray, *, out: HostArray | None = None, dtype: np.dtype[Any] | None = None
    ) -> HostArray:
        if out is None:
            return np.array(array, dtype or self.dtype, order="C")
        if out.shape != array.shape:
            raise ValueError(f"out has shape {out.shape}, the host array {array.shape}; they must be equal.")
        np.copyto(out, array, casting="same_kind")
        return out

    def share(self, array: Any) -> HostArray:
        host = array if isinstance(array, np.ndarray) else np.from_dlpack(array)
        return np.ascontiguousarray(host, self.dtype)

    def to_host(self, array: HostArray) -> HostArray:
        return array.copy()

    def copy(self, source: HostArray, *, out: HostArray) -> None:
        np.copyto(out, source)

    def synchronize(self) -> None:
        return None

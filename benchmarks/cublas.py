"""cuBLAS by a handle of one's own, which may be recorded in a CUDA graph: CuPy's refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

WORKSPACE = 32 << 20

Call = Callable[[], object]


class Blas:
    """A cuBLAS handle of our own, which a stream that is being recorded takes; CuPy's does not."""

    def __init__(self, cupy: Any) -> None:
        from nvmath.bindings import cublas

        self._cublas, self._handle = cublas, cublas.create()
        self._workspace = cupy.cuda.alloc(WORKSPACE)
        self._one, self._zero = np.ones(1, np.float32), np.zeros(1, np.float32)

    def use(self, stream: Any) -> None:
        """Go to a stream; that takes the workspace away, which is therefore given again."""
        self._cublas.set_stream(self._handle, stream.ptr)
        self._cublas.set_workspace(self._handle, self._workspace.ptr, WORKSPACE)

    def product(self, a: Any, b: Any, out: Any) -> Call:
        """Return what computes out = a b in strict float32, row-major, arguments prepared."""
        (m, k), n, none = a.shape, b.shape[1], int(self._cublas.Operation.N)
        one, zero = self._one.ctypes.data, self._zero.ctypes.data
        # Column-major, as cuBLAS reads them, these arrays are transposed: out^T = b^T a^T.
        arguments = (
            self._handle,
            none,
            none,
            n,
            m,
            k,
            one,
            b.data.ptr,
            n,
            a.data.ptr,
            k,
            zero,
            out.data.ptr,
            n,
        )
        sgemm = self._cublas.sgemm
        return lambda: sgemm(*arguments)

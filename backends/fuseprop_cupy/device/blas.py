"""Products by a cuBLAS handle of our own, whose calls CUDA can capture: CuPy refuses to capture its own.

NVIDIA's bindings, `nvmath.bindings.cublas`, call the library's functions one to one. Each handle has a
workspace of its own: products on two streams do not share one, and cuBLAS chooses the same algorithms in
every run.
"""

from __future__ import annotations

import weakref
from functools import partial
from typing import Any

import numpy as np

from fuseprop.backend import BackendUnavailable

from .wheels import install

MEBIBYTE = 1 << 20

_spare: dict[int, list[int]] = {}
"""Handles without an owner, by device. No handle is destroyed: cublasDestroy waits for the whole device, and
CUDA refuses that while any stream captures. An owner may be freed at any time, on any thread and while
another device is current."""


def workspace_bytes(capability: int) -> int:
    """Return the bytes that NVIDIA recommends for cublasSetWorkspace, for a compute capability such as 90."""
    return 32 * MEBIBYTE if capability >= 90 else 4 * MEBIBYTE


def import_cublas() -> Any:
    """Import and return the bindings; raises BackendUnavailable."""
    try:
        from nvmath.bindings import cublas
    except ImportError as error:
        raise BackendUnavailable(f"nvmath-python is not installed ({error}). Type: {install()}.") from error
    return cublas


class Blas:
    """A handle and its workspace, on the current device; the handle of a freed `Blas` serves the next one.

    Parameters
    ----------
    dtype : float32 | float64
        The only dtype of factors, products and sums: strict float32, without TF32.
    workspace : array
        An array of bytes on the device. This object holds it, and each product holds this object, so that a
        captured product may use both as long as its call exists.
    """

    def __init__(self, dtype: np.dtype[Any], workspace: Any) -> None:
        self._cublas = cublas = import_cublas()
        self._dtype = dtype
        self._workspace = workspace
        single = dtype == np.float32
        self._compute = int(cublas.ComputeType.COMPUTE_32F if single else cublas.ComputeType.COMPUTE_64F)
        self._type = 0 if single else 1  # CUDA_R_32F, CUDA_R_64F
        self._one, self._zero = np.ones(1, dtype), np.zeros(1, dtype)  # alpha and beta, read at each product
        spare = _spare.setdefault(workspace.data.device_id, [])
        try:
            self._handle: int = spare.pop()
        except IndexError:
            self._handle = cublas.create()
        weakref.finalize(self, spare.append, self._handle).atexit = False

    def use(self, stream: int) -> None:
        """Send the next products to a stream. cublasSetStream resets the workspace, so that comes second."""
        self._cublas.set_stream(self._handle, stream)
        self._cublas.set_workspace(self._handle, self._workspace.data.ptr, self._workspace.nbytes)

    def product(self, a: Any, b: Any, out: Any) -> partial[None]:
        """Return a call that computes out = a b; a (n, d) and b (d, m) are contiguous or transposed views.

        cuBLAS reads matrices by columns, so it is given out^T = b^T a^T, of which our rows are the columns.
        """
        n, m = out.shape
        by_rows = _by_rows(b), _by_rows(a)
        transposed = (int(self._cublas.Operation.N if rows else self._cublas.Operation.T) for rows in by_rows)
        sizes = m, n, a.shape[1]
        algorithm = int(self._cublas.GemmAlgo.DFALT)
        product = partial(
            self._cublas.gemm_ex,
            *(self._handle, *transposed, *sizes, self._one.ctypes.data),
            *(b.data.ptr, self._type, b.shape[1] if by_rows[0] else b.shape[0]),
            *(a.data.ptr, self._type, a.shape[1] if by_rows[1] else a.shape[0]),
            *(self._zero.ctypes.data, out.data.ptr, self._type, m, self._compute, algorithm),
        )
        product.__dict__["keeps"] = self, a, b, out  # cuBLAS has their addresses only
        return product


def _by_rows(array: Any) -> bool:
    return bool(array.flags.c_contiguous)

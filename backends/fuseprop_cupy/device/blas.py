"""Products by a cuBLAS handle of our own, which a CUDA graph may hold: CuPy's refuses to be captured.

NVIDIA's bindings, `nvmath.bindings.cublas`, are the functions of the library by other names. A handle's
workspace is its own too, so that products beside each other do not share one, and the algorithms that cuBLAS
chooses stay the same from run to run.
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
"""Handles without an owner, by device. None is destroyed: that waits for the whole device, which CUDA refuses
while anybody captures, and an owner may end at any time, on any thread and beside any device."""


def workspace_bytes(capability: int) -> int:
    """Return what NVIDIA's documentation of cublasSetWorkspace recommends for an architecture such as 90."""
    return 32 * MEBIBYTE if capability >= 90 else 4 * MEBIBYTE


def import_cublas() -> Any:
    """Import and return the bindings; raises BackendUnavailable."""
    try:
        from nvmath.bindings import cublas
    except ImportError as error:
        raise BackendUnavailable(f"nvmath-python is not installed ({error}). Type: {install()}.") from error
    return cublas


class Blas:
    """A handle and its workspace, on the current device; a handle whose owner is gone serves the next one.

    Parameters
    ----------
    dtype : float32 | float64
        The only dtype of factors, products and sums: strict float32, without TF32.
    workspace : array
        On the device; it lives as long as this, and this as long as any graph with a product of it.
    """

    def __init__(self, dtype: np.dtype[Any], workspace: Any) -> None:
        self._cublas = cublas = import_cublas()
        self._dtype = dtype
        self._workspace = workspace
        single = dtype == np.float32
        self._compute = int(cublas.ComputeType.COMPUTE_32F if single else cublas.ComputeType.COMPUTE_64F)
        self._type = 0 if single else 1  # CUDA_R_32F, CUDA_R_64F
        self._one, self._zero = np.ones(1, dtype), np.zeros(1, dtype)  # read whenever a product is asked for
        spare = _spare.setdefault(workspace.data.device_id, [])
        try:
            self._handle: int = spare.pop()
        except IndexError:
            self._handle = cublas.create()
        weakref.finalize(self, spare.append, self._handle).atexit = False

    def use(self, stream: int) -> None:
        """Send what comes to a stream. In this order: the library forgets the workspace with the stream."""
        self._cublas.set_stream(self._handle, stream)
        self._cublas.set_workspace(self._handle, self._workspace.data.ptr, self._workspace.nbytes)

    def product(self, a: Any, b: Any, out: Any) -> partial[None]:
        """Return what asks for out = a b; a (n, d) and b (d, m) are contiguous or transposed views.

        cuBLAS thinks in columns, to which rows look transposed: out^T = b^T a^T.
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
        product.__dict__["keeps"] = self, a, b, out  # which the library knows by their addresses
        return product


def _by_rows(array: Any) -> bool:
    return bool(array.flags.c_contiguous)

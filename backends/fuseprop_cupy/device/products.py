"""Products outside of CUDA graphs, as exact as those in graphs: strict float32, without TF32.

`cupy.dot` heeds CUPY_TF32, by which predictions would be less exact than the training before them.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from fuseprop.backend import Shape

from .blas import Blas, workspace_bytes
from .shapes import Array

OVERRIDE = "NVIDIA_TF32_OVERRIDE"
"""The variable by which cuBLAS rounds factors to TF32 whatever its caller requests; "0" is off."""

_said = False


class Products:
    """The products of one device, for any number of threads.

    Each thread has a cuBLAS handle of its own, as the streams of captured steps do. Where one cannot be made,
    because nvmath-python, memory for its workspace or anything else is missing, `cupy.cublas.gemm` multiplies
    by CuPy's handle; that heeds no environment variable of CuPy either.

    Parameters
    ----------
    cupy : module
    ordinal : int
        The device's number. The device is current whenever `multiply` is called.
    dtype : float32 | float64
    empty : callable
        ``empty(shape, dtype)`` returns a new array on the device.

    Attributes
    ----------
    without : str or None
        Why CuPy's handle is used from now on; None as long as it is not.
    """

    def __init__(
        self, cupy: Any, ordinal: int, dtype: np.dtype[Any], empty: Callable[[Shape, np.dtype[Any]], Array]
    ) -> None:
        self.without: str | None = None
        self._cupy, self._ordinal, self._dtype, self._empty = cupy, ordinal, dtype, empty
        self._local = threading.local()

    def multiply(self, a: Array, b: Array, out: Array) -> None:
        """Enqueue out = a b on the current stream; a and b may be transposed views."""
        blas = self._handle() if self.without is None else None
        if blas is None:
            _gemm()("N", "N", a, b, out=out)
        else:
            blas.product(a, b, out)()

    def _handle(self) -> Blas | None:
        """Return this thread's handle on the current stream, or None where none can be made.

        Another stream gets a new workspace, because products on the stream before may still use the old one;
        CuPy's pool reuses that on its own stream only, in order. Hold the stream: a freed stream's address
        may be reused.
        """
        stream = self._cupy.cuda.get_current_stream()
        at = getattr(self._local, "stream", None)
        if at is None or at.ptr != stream.ptr:
            try:
                made = self._new_handle()
                made.use(stream.ptr)
            except MemoryError:  # there may be room at the next product
                return None
            except Exception as error:
                # NVIDIA's bindings raise errors of many types of their own.
                self.without = f"{type(error).__name__}: {error}"
                return None
            self._local.blas, self._local.stream = made, stream
        blas: Blas = self._local.blas
        return blas

    def _new_handle(self) -> Blas:
        size = workspace_bytes(int(self._cupy.cuda.Device(self._ordinal).compute_capability))
        return Blas(self._dtype, self._empty((size,), np.dtype(np.uint8)))


def tf32_override() -> str | None:
    """Return the value of `OVERRIDE` if it makes products of float32 inexact, else None."""
    value = os.environ.get(OVERRIDE, "").strip()
    return value if value not in ("", "0") else None


def warn_of_tf32() -> None:
    """Warn, once per process, if `OVERRIDE` makes products of float32 inexact."""
    global _said
    value = tf32_override()
    if value is not None and not _said:
        _said = True
        warnings.warn(
            f"{OVERRIDE} is {value!r}: cuBLAS rounds the factors of float32 products to 10 bits of mantissa "
            f"(TF32), whatever it is asked for. Type: unset {OVERRIDE}",
            RuntimeWarning,
            stacklevel=2,
        )


def _gemm() -> Callable[..., Array]:
    from cupy.cublas import gemm  # loads cuBLAS

    strict: Callable[..., Array] = gemm
    return strict

"""The products of a device outside of graphs: strict, in float32 too, as those in graphs are.

`cupy.dot` would go by CUPY_TF32: predictions would be less exact than the training before them.
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
"""The variable by which cuBLAS rounds factors to TF32 whatever it is asked for, unless it is "0"."""

_said = False


class Products:
    """The products of one device, for any number of threads.

    Each thread has a cuBLAS handle of its own, as the lanes of captured steps do. Where that cannot be had,
    for want of nvmath-python, of room for its workspace or for whatever reason, CuPy's handle is asked by
    `cupy.cublas.gemm`, which goes by no variable either.

    Parameters
    ----------
    cupy : module
    ordinal : int
        Of the device, which is current whenever a product is asked for.
    dtype : float32 | float64
    empty : callable
        ``empty(shape, dtype)`` returns a new array on the device.

    Attributes
    ----------
    without : str or None
        Why CuPy's handle is asked for good; None if it is not.
    """

    def __init__(
        self, cupy: Any, ordinal: int, dtype: np.dtype[Any], empty: Callable[[Shape, np.dtype[Any]], Array]
    ) -> None:
        self.without: str | None = None
        self._cupy, self._ordinal, self._dtype, self._empty = cupy, ordinal, dtype, empty
        self._local = threading.local()

    def multiply(self, a: Array, b: Array, out: Array) -> None:
        """Ask for out = a b on the current stream; a and b may be transposed views."""
        blas = self._handle() if self.without is None else None
        if blas is None:
            _gemm()("N", "N", a, b, out=out)
        else:
            blas.product(a, b, out)()

    def _handle(self) -> Blas | None:
        """Return this thread's handle on the current stream, or None where there can be none.

        A stream gets a new workspace: what another was asked for may still use the old one. That goes back
        to the pool of its own stream, where it waits its turn. The stream is kept: none takes its address.
        """
        stream = self._cupy.cuda.get_current_stream()
        at = getattr(self._local, "stream", None)
        if at is None or at.ptr != stream.ptr:
            try:
                made = self._new_handle()
                made.use(stream.ptr)
            except MemoryError:  # which may have passed by the next time
                return None
            except Exception as error:
                # NVIDIA's bindings report what they miss in their own many types.
                self.without = f"{type(error).__name__}: {error}"
                return None
            self._local.blas, self._local.stream = made, stream
        blas: Blas = self._local.blas
        return blas

    def _new_handle(self) -> Blas:
        size = workspace_bytes(int(self._cupy.cuda.Device(self._ordinal).compute_capability))
        return Blas(self._dtype, self._empty((size,), np.dtype(np.uint8)))


def tf32_override() -> str | None:
    """Return what `OVERRIDE` says where it makes products of float32 inexact, else None."""
    value = os.environ.get(OVERRIDE, "").strip()
    return value if value not in ("", "0") else None


def warn_of_tf32() -> None:
    """Warn, once a process, where `OVERRIDE` makes products of float32 inexact."""
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
    from cupy.cublas import gemm  # which loads cuBLAS

    strict: Callable[..., Array] = gemm
    return strict

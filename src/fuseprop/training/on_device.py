"""Arrays of other libraries, which speak DLPack, and those that stay on a device."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import AnyBackend, Array

HOST = (1, 3)
"""DLPack's numbers for devices whose memory the host reads: the CPU, and page-locked memory of CUDA."""


def is_foreign(values: Any) -> bool:
    """Whether this is an array of another library than NumPy, with a dtype, that speaks DLPack.

    Arrow's arrays have no dtype, and speak DLPack only if they hold numbers without nulls: NumPy reads them.
    """
    is_array = hasattr(values, "__dlpack__") and hasattr(values, "dtype")
    return is_array and not isinstance(values, np.ndarray | np.generic)


def is_on_device(values: Any) -> bool:
    """Whether this is an array in memory that the host cannot read."""
    return is_foreign(values) and int(values.__dlpack_device__()[0]) not in HOST


def check_on_device(backend: AnyBackend, X: Any) -> Array:
    """Return a device array for the backend. Raises ValueError, in scikit-learn's words, for nan and inf."""
    if len(X.shape) != 2:
        raise ValueError(f"Expected 2D array, got {len(X.shape)}D array instead. Reshape your data.")
    if 0 in X.shape:
        raise ValueError(f"Found array with {X.shape[0]} sample(s) (shape={tuple(X.shape)}).")
    shared = backend.share(X)
    if not is_finite(backend, shared):
        raise ValueError("Input X contains NaN, infinity or a value too large.")
    return shared


def is_finite(backend: AnyBackend, array: Array) -> bool:
    """Whether an array (n, k) of the backend holds neither nan nor inf; one number comes to the host."""
    squares = backend.zeros((1,))
    backend.sum_squares(array.reshape((array.shape[0] * array.shape[1],)), out=squares)
    # The sum may overflow where every element is finite: only then the elements themselves are checked.
    return bool(np.isfinite(backend.to_host(squares)[0]) or np.isfinite(backend.to_host(array)).all())

"""Any array in, the same kind of array out.

Lists, NumPy, pandas and sparse matrices go to scikit-learn's checks as they are. Arrays of other libraries
are read through DLPack: those in host memory as NumPy arrays over the same memory; those on a GPU stay there
if the estimator computes there too, and are copied to the host otherwise.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..training.on_device import is_foreign, is_on_device


def to_numpy(values: Any) -> Any:
    """Return arrays of other libraries as NumPy arrays, copied only from another device; all else as it is.

    Raises TypeError for arrays on a device from which DLPack cannot copy.
    """
    if not is_foreign(values):
        return values
    if not is_on_device(values):
        return np.from_dlpack(values)
    for copy in ("get", "cpu"):  # the methods of CuPy and of PyTorch
        if hasattr(values, copy):
            return to_numpy(getattr(values, copy)())
    try:
        return np.from_dlpack(values, device="cpu", copy=True)
    except (TypeError, BufferError, RuntimeError) as error:
        kind = f"{type(values).__module__.partition('.')[0]}.{type(values).__name__}"
        raise TypeError(
            f"a {kind} on a device cannot be copied to the host here ({error}). Copy it first, or "
            f'take device="cuda", where it need not be copied.'
        ) from error


def as_kind_of(example: Any, result: Any) -> Any:
    """Return a NumPy `result` as an array of the library that `example` is from, on the same device.

    Results that are not numbers, such as class names, stay NumPy arrays: other libraries hold numbers alone.
    """
    if not is_foreign(example) or not isinstance(result, np.ndarray) or result.dtype.kind not in "biuf":
        return result
    library = _library(example)
    if library is None or not hasattr(library, "from_dlpack"):
        return result
    if is_on_device(example) and hasattr(library, "asarray"):
        if not hasattr(example, "to"):
            return library.asarray(result)
        return library.from_dlpack(np.ascontiguousarray(result)).to(example.device)
    return library.from_dlpack(np.ascontiguousarray(result))


def _library(example: Any) -> Any:
    namespace = getattr(example, "__array_namespace__", None)
    return namespace() if namespace is not None else sys.modules.get(type(example).__module__.split(".")[0])

"""Checks at the door: what users hand over, as NumPy arrays, or an error that says what to do."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backend import HostArray


def as_host(name: str, values: object) -> HostArray:
    """Return `values` as a NumPy array without copying where that is possible.

    Raises TypeError for arrays that live on a GPU or belong to a backend: no hidden transfer; and ValueError
    for rows of different lengths.
    """
    check_on_host(name, values)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} is no array of numbers: {error} Make rows equally long.") from error
    if array.dtype == object:
        try:
            return array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{name} must hold numbers, got {type(values).__name__} that NumPy can only keep as objects. "
                f"Encode text as numbers, make rows equally long, and copy arrays of a backend by `to_host`."
            ) from error
    if array.dtype.kind not in "bifu":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}. Encode or cast it first.")
    return array


def check_on_host(name: str, values: object) -> None:
    """Raise TypeError for an array that lives on a GPU or belongs to a backend: no hidden transfer."""
    if _on_another_device(values):
        kind = f"{type(values).__module__.partition('.')[0]}.{type(values).__name__}"
        raise TypeError(
            f"{name} is a {kind} on a device; expected an array in host memory. "
            f"Copy it to the host first: `.get()` for CuPy, `.cpu()` for torch, `backend.to_host` here."
        )


def as_rows(X: object, features: int | None = None, *, name: str = "X") -> HostArray:
    """Return X as an array (rows, features) of finite real numbers.

    Raises TypeError as `as_host`; ValueError for other than two axes, no rows, no features, another number
    of `features`, nan or inf.
    """
    array = as_host(name, X)
    if array.ndim != 2:
        hint = ""
        if array.ndim == 1:
            hint = f" One row: {name}.reshape(1, -1). One feature: {name}.reshape(-1, 1)."
        raise ValueError(f"{name} must have shape (rows, features), got {array.shape}.{hint}")
    if 0 in array.shape:
        raise ValueError(
            f"{name} is empty: shape {array.shape}. At least one row and one feature are needed."
        )
    if features is not None and array.shape[1] != features:
        raise ValueError(f"{name} has {array.shape[1]} features, but the network takes {features}.")
    check_finite(name, array)
    return array


def as_sample_weights(values: object, rows: int) -> NDArray[np.float64]:
    """Return weights (rows,) in float64, none negative, not all zero.

    Raises TypeError as `as_host`, ValueError for anything else.
    """
    weights = as_host("sample_weight", values).astype(np.float64)
    if weights.shape != (rows,):
        raise ValueError(f"sample_weight must have shape ({rows},), one a row, got {weights.shape}.")
    check_finite("sample_weight", weights)
    if (weights < 0).any() or not weights.any():
        raise ValueError("sample_weight must not be negative and not all zero.")
    return weights


def check_finite(name: str, array: NDArray[Any]) -> None:
    """Raise ValueError where `array` holds nan or inf, with the first position."""
    # The sum is not finite if any element is not, and costs one pass without a mask of the array's size;
    # it may also overflow, so that only then the elements are looked at.
    with np.errstate(over="ignore", invalid="ignore"):
        if array.dtype.kind != "f" or np.isfinite(array.sum()):
            return
    bad = ~np.isfinite(array)
    if bad.any():
        position = tuple(int(i) for i in np.argwhere(bad)[0])
        where = ", ".join(f"{axis} {i}" for axis, i in zip(("row", "column"), position, strict=False))
        raise ValueError(
            f"{name} contains {array[position]} in {where} (counted from 0), {int(bad.sum())} such values in "
            f"all; numbers must be finite. Remove or fill them first."
        )


def check_range(name: str, array: NDArray[Any], dtype: np.dtype[Any]) -> None:
    """Raise ValueError where a finite number of `array` (n, d) is too large for `dtype`."""
    if array.dtype.kind != "f" or array.dtype.itemsize <= dtype.itemsize:
        return
    limit = np.finfo(dtype).max
    if array.max() <= limit and array.min() >= -limit:  # two passes without a mask of the array's size
        return
    row, column = np.argwhere(np.abs(array) > limit)[0]
    raise ValueError(
        f"{name} contains {array[row, column]:g} in row {row}, column {column} (counted from 0), which "
        f'{dtype} cannot hold. Standardize {name}, or compute in dtype="float64".'
    )


def check_methods(name: str, value: object, methods: Sequence[str], expected: str) -> None:
    """Raise TypeError for what lacks one of these methods, and for a class where its object is meant."""
    is_class = isinstance(value, type)
    if is_class or not all(callable(getattr(value, method, None)) for method in methods):
        got = f"the class {value.__name__}" if isinstance(value, type) else repr(value)
        raise TypeError(f"{name} must be {expected}, got {got:.100}.")


def is_finite_number(value: object) -> bool:
    """Whether this is a number, and neither nan nor inf."""
    try:
        return isfinite(value)  # type: ignore[arg-type]
    except TypeError:
        return False


def positive_integer(name: str, value: object) -> int:
    """Return `value` as an int of at least 1, or raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}.")
    return int(value)


def _on_another_device(values: object) -> bool:
    if hasattr(values, "__cuda_array_interface__"):
        return True
    dlpack_device = getattr(values, "__dlpack_device__", None)
    if dlpack_device is None:
        return False
    return int(dlpack_device()[0]) not in (1, 3)  # DLPack: kDLCPU, kDLCUDAHost

"""Checks of arrays that users pass in: each returns a NumPy array of numbers, or raises an error."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .nonnumeric import check_plain, first_stranger, read_list
from .quoting import counted, position_text
from .warning import warn_user


def as_host(name: str, values: object) -> NDArray[Any]:
    """Return `values` as a NumPy array without copying where that is possible.

    Returns any real dtype (bool, integer or float) and any shape. Raises TypeError for arrays on a device,
    which are never copied to the host unasked, and for values that are no real numbers; ValueError for rows
    of different lengths; and as `check_plain` for dates, masked values and repeated column names.
    """
    check_on_host(name, values)
    if type(values) is not np.ndarray:
        values = read_list(values)
    check_plain(name, values)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} is no array of numbers: {error} Make rows equally long.") from error
    if array.dtype == object:
        return _numbers(name, array)
    if array.dtype.kind not in "bifu":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}. Encode or cast it first.")
    return array


def check_on_host(name: str, values: object) -> None:
    """Raise TypeError for an array on a device: it is never copied to the host unasked."""
    if _on_another_device(values):
        kind = f"{type(values).__module__.partition('.')[0]}.{type(values).__name__}"
        raise TypeError(
            f"{name} is a {kind} on a device; expected an array in host memory. "
            f"Copy it to the host first: `.get()` for CuPy, `.cpu()` for torch, `backend.to_host` here."
        )


def as_rows(X: object, features: int | None = None, *, name: str = "X") -> NDArray[Any]:
    """Return X as an array (rows, features) of finite real numbers, in the dtype that it has.

    Raises TypeError as `as_host`; ValueError if X has not two axes, no rows, no features, or not as many
    features as `features` says, and if it holds nan or inf.
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
        has = counted(array.shape[1], "feature")
        raise ValueError(f"{name} has {has}, but the network takes {features}.")
    check_finite(name, array)
    return array


def as_sample_weights(values: object, rows: int, *, may_be_zero: bool = False) -> NDArray[np.float64]:
    """Return sample weights (rows,) in float64; all of them may be 0 where others have more.

    Raises TypeError as `as_host`; ValueError for another shape, nan or inf, a negative weight, weights that
    are all zero, and a sum that overflows float64.
    """
    weights = as_host("sample_weight", values).astype(np.float64)
    if weights.shape != (rows,):
        raise ValueError(f"sample_weight must have shape ({rows},), one a row, got {weights.shape}.")
    check_finite("sample_weight", weights)
    if (weights < 0).any() or not (may_be_zero or weights.any()):
        raise ValueError("sample_weight must not be negative and not all zero.")
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not np.isfinite(total):
        raise ValueError(
            f"sample_weight adds up to more than float64 can hold: its largest number is {weights.max():g}. "
            f"Divide it by that; only the proportions count."
        )
    return weights


def check_finite(name: str, array: NDArray[Any]) -> None:
    """Raise ValueError, with the first position, if `array` holds nan or inf."""
    if all_finite(array):
        return
    bad = ~np.isfinite(array)
    raise ValueError(
        f"{name} contains {array[bad][0]} in {_first(bad)} (counted from 0), "
        f"{counted(int(bad.sum()), 'such value')} in all; numbers must be finite. Remove or fill them first."
    )


def all_finite(array: NDArray[Any]) -> bool:
    """Whether an array of real numbers, of any shape, holds neither nan nor inf."""
    if array.dtype.kind != "f":
        return True
    # If any element is not finite, neither is the sum, which takes one pass and no mask of the array's size.
    # A sum of finite elements may overflow, so then the elements are examined.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def first_not_finite(array: NDArray[Any]) -> tuple[int, ...] | None:
    """Return the index of the first nan or inf in an array, or None if all its elements are finite."""
    finite = np.isfinite(array)
    return None if finite.all() else tuple(np.argwhere(~finite)[0].tolist())


def check_range(name: str, array: NDArray[Any], dtype: np.dtype[Any]) -> None:
    """Raise ValueError, with the first position, if a number in `array` is beyond the range of `dtype`."""
    if array.dtype.kind != "f" or array.dtype.itemsize <= dtype.itemsize:
        return
    limit = np.finfo(dtype).max
    if array.max() <= limit and array.min() >= -limit:  # two passes without a mask of the array's size
        return
    beyond = np.abs(array) > limit
    raise ValueError(
        f"{name} contains {array[beyond][0]:g} in {_first(beyond)} (counted from 0), which "
        f"{dtype} cannot hold. Give smaller numbers, such as standardized ones, or compute in "
        f'dtype="float64".'
    )


def warn_of_overflow(predictions: NDArray[Any]) -> None:
    """Warn with RuntimeWarning if predictions are nan or inf: sums overflowed, as the weights are finite."""
    finite = np.isfinite(predictions)
    if not finite.all():
        bad = int((~finite).sum())
        warn_user(
            f"{bad} of {counted(predictions.size, 'prediction')} {'is' if bad == 1 else 'are'} nan or inf: "
            f"on the way to them numbers became too large for {predictions.dtype}. Either the weights or "
            f"these rows are too large: standardize the rows, and train again with a smaller learning rate.",
            RuntimeWarning,
        )


def _first(wanted: NDArray[np.bool_]) -> str:
    """Return the position of the first True, such as ``row 2, column 1``."""
    return position_text(np.argwhere(wanted)[0])


def _numbers(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return an array of Python objects in float64; raise, and name the first that is no number."""
    try:
        return array.astype(np.float64)
    except OverflowError as error:
        raise ValueError(
            f"{name} holds a whole number that no float64 can hold, which ends at 1.8e308."
        ) from error
    except (TypeError, ValueError) as error:
        stranger = first_stranger(array)
        raise TypeError(
            f"{name} must hold numbers, got {stranger!r:.60} ({type(stranger).__name__}) that NumPy can only "
            f"keep as an object. Encode text as numbers, fill what is missing, make rows equally long, and "
            f"copy arrays of a backend by `to_host`."
        ) from error


def _on_another_device(values: object) -> bool:
    if hasattr(values, "__cuda_array_interface__"):
        return True
    dlpack_device = getattr(values, "__dlpack_device__", None)
    if dlpack_device is None:
        return False
    return int(dlpack_device()[0]) not in (1, 3)  # DLPack: kDLCPU, kDLCUDAHost

"""Checks of X, y and sample weights: scikit-learn's own, and the same messages for arrays on a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sparse
from sklearn.utils.validation import _check_sample_weight, column_or_1d, validate_data

from ..backend import AnyBackend, HostArray
from ..backend.registry import named_device
from ..checks.arrays import all_finite
from ..checks.nonnumeric import check_plain, first_stranger, read_list
from ..data.seen import Seen
from ..training.on_device import check_on_device, is_on_device
from .arrays import to_numpy
from .plain import plain, plain_classes

FLOATS = (np.float64, np.float32)
"""The dtypes that X keeps; all others become float64, as in scikit-learn."""


@dataclass(frozen=True, eq=False)
class Checked:
    """Checked rows, with y and weights.

    Attributes
    ----------
    X : (n, d)
        A host array or sparse matrix of `dtype`; an array on a device as it was given.
    y : array, or None
    weights : (n,), or None
    dtype : float32 | float64
    """

    X: Any
    y: Any
    weights: HostArray | None
    dtype: np.dtype[Any]

    @property
    def features(self) -> int:
        """How many features a row has, d."""
        return int(self.X.shape[1])

    @property
    def is_on_device(self) -> bool:
        """Whether X is an array on a device."""
        return is_on_device(self.X)

    def on(self, backend: AnyBackend) -> Any:
        """Return X for a backend: an array on a device, checked, as one of the backend's; else X as it is."""
        return check_on_device(backend, self.X) if self.is_on_device else self.X

    def described(self) -> dict[str, Any]:
        """Return X, y and metadata, as the callbacks of `sklearn.callback` take them."""
        metadata = None if self.weights is None else {"sample_weight": self.weights}
        return {"X": self.X, "y": self.y, "metadata": metadata}


def seen(data: Checked, earlier: Seen | None, *, first: bool) -> Seen | None:
    """Return the range of each feature in these rows, and in earlier ones unless these are the `first`.

    None where it is not known: for rows on a device, and after earlier rows whose range is not known.
    """
    if data.is_on_device or not (first or (earlier is not None and earlier.low.size)):
        return None
    if sparse.issparse(data.X):
        low, high = (np.asarray(end.todense()).ravel() for end in (data.X.min(axis=0), data.X.max(axis=0)))
        rows = Seen.of(np.stack([low, high]), raw=False)
    else:
        rows = Seen.of(data.X, raw=False)
    return rows if first or earlier is None else rows.joined(earlier)


NOT_ASKED = "no_validation"
"""Stands for y where only X is checked, as in scikit-learn."""


def check_rows(
    estimator: Any,
    X: Any,
    y: Any = NOT_ASKED,
    sample_weight: Any = None,
    *,
    reset: bool,
    names: tuple[str, str] = ("X", "y"),
) -> Checked:
    """Return checked rows, with y and weights where they are given.

    Raises ValueError and TypeError in scikit-learn's words, and in those of `check_plain` for values that
    scikit-learn would take for numbers; sets `n_features_in_` and `feature_names_in_` if `reset`.
    """
    if isinstance(X, list | tuple):
        read = read_list(X)  # here, so that scikit-learn does not read the list a second time
        X = X if read is X or read.dtype.kind == "c" else read.astype(np.float64, copy=False)
    check_plain(names[0], X)
    has_y = not (isinstance(y, str) and y == NOT_ASKED)
    wanted = FLOATS if estimator.dtype is None else (np.dtype(estimator.dtype).type,)
    if not (has_y or reset) and sample_weight is None and _passes(estimator, X, wanted):
        return Checked(X, None, None, X.dtype)
    if has_y:
        y = (plain if estimator._y_is_numeric else plain_classes)(names[1], y)
    sample_weight = plain("sample_weight", sample_weight)
    stays = is_on_device(X) and named_device(estimator.device, "cpu") != "cpu"
    # A broadcast zero, which takes no memory, stands for X on a device: here its shape and y are checked.
    host = np.broadcast_to(np.zeros((), wanted[0]), tuple(X.shape)) if stays else to_numpy(X)
    options: dict[str, Any] = {"accept_sparse": ["csr", "csc"], "dtype": wanted, "reset": reset}
    try:
        if not has_y:
            host, y = validate_data(estimator, host, **options), None
        else:
            options |= {"multi_output": True, "y_numeric": estimator._y_is_numeric}
            host, y = validate_data(estimator, host, y, **options)
    except (TypeError, ValueError, OverflowError) as error:
        _raise_clearer(error, dict(zip(names, (host, y) if has_y else (host,), strict=False)))
        if has_y and estimator._y_is_numeric:
            check_numeric(names[1], y)
        raise
    if y is not None and y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    dtype = host.dtype
    if stays and len(wanted) > 1:
        dtype = np.dtype(np.float32 if str(X.dtype).endswith("float32") else np.float64)
    weights = None if sample_weight is None else check_weights(sample_weight, host)
    return Checked(X if stays else host, y, weights, dtype)


def _passes(estimator: Any, X: Any, wanted: tuple[type, ...]) -> bool:
    """Whether scikit-learn's checks would return X itself and say nothing, by a look that takes 10 us."""
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and len(X) > 0
        and X.shape[1] == getattr(estimator, "n_features_in_", None)
        and X.dtype.type in wanted
        and X.dtype.isnative
        and not hasattr(estimator, "feature_names_in_")
        and all_finite(X)
    )


def check_weights(sample_weight: Any, X: Any) -> HostArray:
    """Return finite sample weights (n,) as floats, whose sum is finite."""
    try:
        weights: HostArray = _check_sample_weight(sample_weight, X)
    except (TypeError, ValueError, OverflowError) as error:
        _raise_clearer(error, {"sample_weight": sample_weight})
        raise
    if weights.dtype.kind not in "biuf":
        raise TypeError(f"sample_weight must hold real numbers, got dtype {weights.dtype}.")
    if weights.dtype.kind != "f":
        weights = weights.astype(np.float64)
    check_sum(weights)
    return weights


def check_sum(weights: HostArray) -> None:
    """Raise ValueError for weights whose sum overflows float64."""
    with np.errstate(over="ignore"):
        total = weights.sum(dtype=np.float64)
    if not np.isfinite(total):
        raise ValueError(
            f"sample_weight adds up to more than float64 can hold: one of its numbers is "
            f"{weights[np.argmax(np.abs(weights))]:g}. Divide it by that; only the proportions count."
        )


def check_numeric(name: str, y: Any) -> None:
    """Raise ValueError where y holds anything but numbers; the message names the first such row."""
    array = np.asarray(y)
    if array.dtype.kind not in "OSU":
        return
    if array.dtype == object:
        is_number = np.array([not isinstance(value, str | bytes) for value in array.flat])
        if is_number.all():
            return
        row = int(np.argmin(is_number.reshape(len(array), -1).all(axis=1)))
        value = array.reshape(-1)[int(np.argmin(is_number))]
    else:
        row, value = 0, array.reshape(-1)[0].item() if array.size else ""
    raise ValueError(
        f"{name} holds {value!r:.60} in row {row} (counted from 0): a regressor learns numbers. Convert "
        f"{name}, such as by {name}.astype(float), or take a classifier where these are classes."
    )


def _raise_clearer(error: Exception, given: dict[str, Any]) -> None:
    """Raise an error that names the argument and the value that is no number, if `error` does not."""
    names = " or ".join(given)
    if isinstance(error, OverflowError):
        raise ValueError(
            f"{names} holds a whole number that no float64 can hold: that ends at 1.8e308."
        ) from error
    if "inhomogeneous" in str(error):
        raise ValueError(f"{names} has rows of different lengths: {error} Make them equally long.") from error
    if isinstance(error, TypeError) and str(error).startswith("float() argument"):
        for name, values in given.items():
            stranger = None if sparse.issparse(values) else first_stranger(np.asarray(values, object))
            if stranger is not None:
                raise TypeError(
                    f"{name} must hold numbers, got {stranger!r:.60}: {error}. Encode it as numbers, or "
                    f"leave it out."
                ) from error

"""Predictions, as arrays or, for a data frame, as columns of its library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..backend import HostArray
from ..data.frames import is_library_frame
from ..data.target_columns import Class
from ..data.typed import library_of, load_narwhals


@dataclass(frozen=True)
class Predictions:
    """Predictions for n rows.

    For a data frame of pandas, Polars or PyArrow, `values` and `probabilities` are a series and a data frame
    of the same library, with the index of a pandas frame; for all else, NumPy arrays.

    Attributes
    ----------
    values : (n,) or (n, t)
        Classes; 0 or 1 for each label of a multi-label task; or numbers in the target's own units. One axis
        if there is one prediction per row.
    labels : tuple
        The class or label of each column of the probabilities; empty without them.
    probabilities : (n, len(labels)), or None
        None for regression, and for a loss whose outputs are no probabilities, such as hinge. The columns of
        a data frame are called as the labels, as texts.
    """

    values: Any
    labels: tuple[Class, ...] = ()
    probabilities: Any = None


def like(data: Any, predictions: Predictions, targets: Sequence[str]) -> Predictions:
    """Return predictions (arrays) in the kind of `data`; `targets` names the target columns."""
    if not is_library_frame(data):
        return predictions
    values, labels = predictions.values, predictions.labels
    # Classes over several columns are one column, of which none of the targets is the name.
    names = targets if values.ndim == 2 or len(targets) == 1 else ("class",)
    probabilities = probabilities_like(data, predictions)
    return Predictions(columns_like(data, values, names), labels, probabilities)


def probabilities_like(data: Any, predictions: Predictions) -> Any:
    """Return the probabilities of predictions (arrays) in the kind of `data`; None without them."""
    if predictions.probabilities is None or not is_library_frame(data):
        return predictions.probabilities
    return columns_like(data, predictions.probabilities, [str(label) for label in predictions.labels])


def columns_like(data: Any, values: HostArray, names: Sequence[str]) -> Any:
    """Return values (n,) as a series, (n, k) as a frame with these names, of a frame's library."""
    nw = load_narwhals()
    native = nw.to_native(data, pass_through=True)
    kind: Any = type(native)
    library = library_of(kind)
    if values.ndim == 1:
        made = nw.new_series(names[0], values, backend=library)
    else:
        made = nw.from_numpy(values, [*names], backend=library)
    answer = nw.to_native(made)
    if hasattr(native, "index"):  # of pandas
        answer.index = native.index
    return answer if native is data else made

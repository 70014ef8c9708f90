"""Targets: what the last layer should output, checked, and in the form that the loss needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backend import INTEGER, HostArray
from ..checks.arrays import as_host, check_finite
from ..checks.quoting import counted
from ..formulas.loss import AnyLoss
from .dense import Dense


@dataclass(frozen=True)
class Targets:
    """Checked targets of n rows, on the host.

    Attributes
    ----------
    values : (n, k) floats, or the labels themselves where the loss takes labels
        What the loss compares with.
    labels : (n,) int64, or None
        The class of each row where classes are exclusive.
    """

    values: HostArray
    labels: HostArray | None

    def take(self, rows: HostArray) -> Targets:
        """Return the targets of some rows, by their numbers."""
        labels = None if self.labels is None else self.labels[rows]
        if labels is not None and self.values is self.labels:
            return Targets(labels, labels)
        return Targets(self.values[rows], labels)

    def classes(self, loss: AnyLoss) -> HostArray | None:
        """Return the class (n,) of each row, where classes are exclusive or there are two; else None."""
        is_of_two = loss.link == "sigmoid" or loss.coding is not None
        if self.labels is None and is_of_two and self.values.shape[1] == 1:
            binary: HostArray = self.values[:, 0]
            return binary
        return self.labels


def encode_targets(target: object, loss: AnyLoss, last: Dense, rows: int) -> Targets:
    """Check targets against the loss and the last layer, and encode them.

    Whole numbers (n,) for k > 1 outputs are labels of exclusive classes: softmax cross-entropy takes them as
    they are, for other losses they become rows with "yes" at the label, in the coding of the last layer's
    activation (0 and 1, or -1 and 1 for tanh), or in the loss's own. Everything else is values (n, k), or
    (n,) for one output.

    Raises TypeError for targets that are no numbers on the host; ValueError for wrong shapes, nan, labels out
    of range, targets that the loss does not take, such as those outside [0, 1] for a cross-entropy, and
    labels that are not exclusive for the softmax loss.
    """
    array = as_host("target", target)
    k = last.outputs
    if len(array.shape) == 0 or len(array) != rows:
        raise ValueError(
            f"target must have one entry for each row of X, {counted(rows, 'row')}, got shape {array.shape}."
        )
    check_finite("target", array)
    if array.ndim == 1 and (k > 1 or loss.takes_labels):
        labels = _labels(array, k)
        return Targets(labels if loss.takes_labels else _one_hot(labels, loss, last), labels)
    if array.ndim == 1:
        array = array.reshape(-1, 1)
    if array.shape != (rows, k):
        raise ValueError(
            f"target has shape {array.shape}, but the network has {counted(k, 'output')}: ({rows}, {k})."
        )
    if loss.takes_labels:
        labels = _labels_of_one_hot(array, loss)
        return Targets(labels, labels)
    _check_interval(array, loss)
    return Targets(array, None)


def _labels(array: HostArray, k: int) -> HostArray:
    with np.errstate(invalid="ignore"):  # what int64 cannot hold becomes another number, refused below
        labels = array.astype(INTEGER)
    if (labels != array).any():
        raise ValueError(
            f"with {counted(k, 'output')}, a target of shape ({len(array)},) holds class numbers, which must "
            f"be whole; got {array[labels != array][0]:g}. For values give shape ({len(array)}, {k})."
        )
    if labels.min() < 0 or labels.max() >= k:
        raise ValueError(
            f"class numbers must be 0 to {k - 1} for {counted(k, 'output')}, got {labels.min()} to "
            f"{labels.max()}."
        )
    return labels


def _labels_of_one_hot(array: HostArray, loss: AnyLoss) -> HostArray:
    ones = (array == 1).sum(axis=1)
    wrong = (ones != 1) | ((array == 0).sum(axis=1) != array.shape[1] - 1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{loss.name} needs exclusive classes: one 1 a row, otherwise 0; "
            f"row {row} is {array[row].tolist()}. "
            f'For labels that are not exclusive use "sigmoid_cross_entropy".'
        )
    labels: HostArray = np.argmax(array, axis=1).astype(INTEGER)
    return labels


def coding_of(loss: AnyLoss, last: Dense) -> tuple[float, float]:
    """Return the targets that stand for "no" and "yes": the loss's, or else the last activation's."""
    return loss.coding or (last.function.low, last.function.high)


def _check_interval(array: HostArray, loss: AnyLoss) -> None:
    """Raise ValueError for targets outside of the interval that a loss takes."""
    low, high = loss.low, loss.high
    if not ((array < low) | (array > high)).any():
        # 0 and 1 lie in the interval from -1 to 1, where 0 would say neither "no" nor "yes".
        if loss.coding and 0 not in loss.coding and (array == 0).any() and np.isin(array, (0, 1)).all():
            no, yes = loss.coding
            raise ValueError(
                f'{loss.name} codes "no" as {no:g} and "yes" as {yes:g}, but these targets are 0 and 1. Give '
                f"{no:g} + {yes - no:g} * target, or use sigmoid_cross_entropy."
            )
        return
    if high == np.inf:
        raise ValueError(
            f"{loss.name} needs targets of at least {low:g}, such as counts, got {array.min():g}. "
            f"Use a squared error for targets of both signs."
        )
    interval = f"in [{low:g}, {high:g}]" if low > -np.inf else f"of at most {high:g}"
    no, yes = loss.coding or (low, high)
    coded = f'Code "no" as {no:g} and "yes" as {yes:g}, or use' if low > -np.inf else "Use"
    raise ValueError(
        f"{loss.name} needs targets {interval}, got {array.min():g} to {array.max():g}. {coded} a squared "
        f"error."
    )


def _one_hot(labels: HostArray, loss: AnyLoss, last: Dense) -> HostArray:
    no, yes = coding_of(loss, last)
    values = np.full((len(labels), last.outputs), no)
    values[np.arange(len(labels)), labels] = yes
    return values

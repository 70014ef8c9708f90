"""Rows to learn from or to evaluate, with their targets and weights: checked, split, sent to the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backend import INTEGER, AnyBackend, Array, HostArray
from ..checks.arrays import as_rows, as_sample_weights, check_range
from ..checks.quoting import counted
from ..checks.settings import is_finite_number
from ..formulas.loss import AnyLoss
from ..layers.stack import Stack
from ..layers.targets import Targets, encode_targets
from .features import Features

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Examples:
    """N rows on the device.

    Attributes
    ----------
    x : Array, (N, d), or None
        None where the rows of a batch are written to `Batch.x` before its step.
    target : Array, (N, k) or (N,)
    labels : Array, (N,), or None
        Class numbers, where classes are exclusive.
    features : Features
        Where x is from, and what sends the rows of a batch where it is None.
    """

    x: Array | None
    target: Array
    labels: Array | None
    features: Features

    @property
    def rows(self) -> int:
        """How many rows there are, N."""
        return self.target.shape[0]


@dataclass(frozen=True, eq=False)
class Rows:
    """Checked rows with their targets and weights; ``len(rows)`` is their number, n.

    Attributes
    ----------
    X : (N, d)
        A host array, a sparse matrix, or an array of the backend's own.
    targets : Targets
        Of all N rows.
    weights : (N,), or None
        Sample weights.
    numbers : (n,), or None
        The selected rows of the N, in their order; all by default. So rows are split without a copy.
    shares : bool
        Whether X stays unchanged while these rows are used: a backend that can read it then copies nothing.
    """

    X: Any
    targets: Targets
    weights: HostArray | None
    numbers: HostArray | None = None
    shares: bool = False

    def __len__(self) -> int:
        return len(self.targets.values) if self.numbers is None else len(self.numbers)

    @property
    def order(self) -> HostArray:
        """The numbers of the selected rows, (n,)."""
        return np.arange(len(self)) if self.numbers is None else self.numbers

    @property
    def own_targets(self) -> Targets:
        """The targets of the selected rows."""
        return self.targets if self.numbers is None else self.targets.take(self.numbers)

    @property
    def own_weights(self) -> HostArray | None:
        """The weights of the selected rows, (n,)."""
        return self.weights if self.weights is None or self.numbers is None else self.weights[self.numbers]

    def take(self, part: HostArray) -> Rows:
        """Return copies of some of the rows, by their numbers."""
        weights = None if self.weights is None else self.weights[part]
        return Rows(self.X[part], self.targets.take(part), weights)

    def split(self, rng: np.random.Generator, fraction: float, loss: AnyLoss) -> tuple[Rows, Rows]:
        """Return the rows to learn from and those to hold out: see `split_rows`."""
        return self.divided(*split_rows(rng, len(self), fraction, self.own_targets.classes(loss)))

    def divided(self, kept: HostArray, held_out: HostArray) -> tuple[Rows, Rows]:
        """Return two parts of the selected rows, each by its numbers among them."""
        return self.take(self.order[kept]), self.take(self.order[held_out])

    def upload(self, backend: AnyBackend, *, may_stay: bool = False) -> Examples:
        """Copy all N rows and their targets to the device; X as `Features` does."""
        target, labels = upload_targets(backend, self.targets)
        features = Features(backend, self.X, shares=self.shares, may_stay=may_stay)
        return Examples(features.x, target, labels, features)


def upload_targets(backend: AnyBackend, targets: Targets) -> tuple[Array, Array | None]:
    """Copy targets to the device; return what the loss compares with, and the labels (n,) or None."""
    values, labels = targets.values, targets.labels
    on_device = None if labels is None else backend.from_host(labels, dtype=INTEGER)
    target = on_device if on_device is not None and values is labels else backend.from_host(values)
    return target, on_device


def check_rows(
    stack: Stack, X: object, target: object, sample_weight: object = None, *, others: bool = False
) -> Rows:
    """Return a user's rows for a stack, checked; raises ValueError and TypeError as `Network` says.

    Where `others` have rows too, the weights of these may all be 0.
    """
    host = check_inputs(stack, X)
    targets = encode_targets(target, stack.loss, stack.layers[-1], len(host))
    check_range("target", targets.values, stack.parameters.backend.dtype)
    weights = None
    if sample_weight is not None:
        weights = as_sample_weights(sample_weight, len(host), may_be_zero=others)
    nobody_writes = host.flags.owndata and not host.flags.writeable
    return Rows(host, targets, weights, shares=nobody_writes)


def no_rows(stack: Stack, *, labelled: bool, weighted: bool) -> Rows:
    """Return rows of which none is selected; there is one on the device, whose weight is 0.

    `labelled` says whether the targets of others have labels.
    """
    labels = np.zeros(1, np.int64) if labelled else None
    takes_labels = labels is not None and stack.loss.takes_labels
    values = labels if labels is not None and takes_labels else np.zeros((1, stack.layers[-1].outputs))
    X = np.zeros((1, stack.layers[0].inputs), stack.parameters.backend.dtype)
    weights = np.zeros(1) if weighted else None
    return Rows(X, Targets(values, labels), weights, numbers=np.arange(0))


def check_inputs(stack: Stack, X: object) -> HostArray:
    """Return X (N, d), checked for a stack: as many features as the first layer has, numbers in range."""
    rows = as_rows(X, stack.layers[0].inputs)
    check_range("X", rows, stack.parameters.backend.dtype)
    return rows


def check_validation(validation: object) -> None:
    """Raise TypeError for what is neither None, nor a share of rows, nor a tuple of arrays."""
    if validation is None or is_finite_number(validation):
        return
    if not isinstance(validation, tuple) or len(validation) not in (2, 3):
        size = f" of {len(validation)}" if isinstance(validation, tuple | list) else ""
        raise TypeError(
            f"validation must be a share of rows such as 0.2, or a tuple (X, target) or (X, target, "
            f"sample_weight), got {type(validation).__name__}{size}."
        )


def split_rows(
    rng: np.random.Generator, rows: int, fraction: float, classes: HostArray | None = None
) -> tuple[Index, Index]:
    """Return ascending row numbers of the kept and of the held-out part.

    `fraction` of the rows, rounded, are held out at random. With `classes` (rows,), each class gives its
    share (largest remainders first) but keeps at least one row, so that no class is unknown in training.

    Raises ValueError for a fraction outside (0, 1), and where either part would be empty.
    """
    if classes is None:
        [wanted] = shares_of_classes(np.array([rows]), fraction, by_class=False)
        shuffled = rng.permutation(rows)
        return np.sort(shuffled[wanted:]), np.sort(shuffled[:wanted])

    _, of_row, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    take = shares_of_classes(sizes, fraction, by_class=True)
    held_out = np.zeros(rows, np.bool_)
    for c, count in enumerate(take):
        held_out[rng.permutation(np.flatnonzero(of_row == c))[:count]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def shares_of_classes(sizes: HostArray, fraction: float, *, by_class: bool) -> Index:
    """Return how many rows to hold out of each class (classes,), of which there are so many.

    Raises as `split_rows`; where rows are not told apart `by_class`, there is one class, as to which no row
    need be kept.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"the share of rows to hold out must be between 0 and 1, got {fraction!r}.")
    rows = int(sizes.sum())
    wanted = round(fraction * rows)
    if not 0 < wanted < rows:
        raise cannot_hold_out(rows, fraction, wanted)
    share = sizes * (wanted / rows)
    take = np.floor(share).astype(np.int64)
    for c in np.argsort(take - share, kind="stable"):
        take[c] += int(take.sum() < wanted)
    if by_class:
        take = np.minimum(take, sizes - 1)
    if not take.any():
        raise ValueError(
            f"{counted(rows, 'row')} in {counted(len(sizes), 'class', 'classes')} are too few to hold out a "
            f"share of {fraction:g} of each. "
            f"Give more rows or another share."
        )
    return take


def cannot_hold_out(rows: int, fraction: float, wanted: int) -> ValueError:
    """Return the error for a share of which nothing is held out, or nothing kept."""
    return ValueError(
        f"{counted(rows, 'row')} {'is' if rows == 1 else 'are'} too few to hold out a share of {fraction:g}: "
        f"that is {wanted} of them. Give more rows or another share."
    )


def rotate(
    rng: np.random.Generator, rows: int, fraction: float, turns: int, classes: HostArray | None = None
) -> list[Index]:
    """Return the row numbers held out in each of several turns, in ascending order.

    Rows are shuffled in a circle, and each turn holds out the `fraction` of them, rounded, that follows what
    the turn before it held out. Rows are held out again only after all others. With `classes` (rows,), those
    of each class lie evenly around the circle, so that every turn has its share of each, within one row.

    Raises ValueError for a fraction of which nothing is held out, or nothing kept.
    """
    wanted = round(fraction * rows)
    if not 0 < wanted < rows:
        raise cannot_hold_out(rows, fraction, wanted)
    order = rng.permutation(rows)
    if classes is not None:
        place = np.empty(rows)
        for name in np.unique(classes):
            of_class = np.flatnonzero(classes[order] == name)
            place[of_class] = (np.arange(of_class.size) + rng.random()) / of_class.size
        order = order[np.argsort(place, kind="stable")]
    starts = range(0, turns * wanted, wanted)
    return [np.sort(order.take(range(start, start + wanted), mode="wrap")) for start in starts]


def deal(rng: np.random.Generator, rows: int, folds: int, classes: HostArray | None = None) -> list[Index]:
    """Return the row numbers of each fold, in ascending order: rows are shuffled, and dealt in turn.

    With `classes` (rows,), they are dealt class by class, so that neither the sizes of folds nor the numbers
    of rows that they have of a class differ by more than one.
    """
    order = rng.permutation(rows)
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    return [np.sort(order[fold::folds]) for fold in range(folds)]

"""Tasks: what a network predicts, how targets are encoded for it, and how its outputs are decoded.

==============  =====================================================  ==============================
task            target                                                 outputs of a network
==============  =====================================================  ==============================
regression      one or many columns of numbers                         one per column
binary          one column with two classes                            one: the second class
exclusive       one column with classes, or one 0/1 column per class   one per class
multi-label     0/1 columns, any number of them 1 in a row             one per column
==============  =====================================================  ==============================
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..checks.choices import choose
from ..checks.quoting import counted, literal, shown
from ..formulas.loss import AnyLoss, as_loss
from .errors import DataError, listed
from .table import Table
from .target_cells import Reading
from .target_columns import (
    Class,
    are_whole,
    as_texts,
    classes_of,
    one_hot_labels,
    require_numbers,
    require_zero_one,
    text_columns,
)

DEFAULT_LOSS = {
    "regression": "mean_squared_error",
    "binary": "sigmoid_cross_entropy",
    "exclusive": "softmax_cross_entropy",
    "multi-label": "sigmoid_cross_entropy",
}
"""The tasks, each with its default loss."""

MOST_NUMERIC_CLASSES = 20
"""A column of at most this many different whole numbers is taken for classes, if they repeat often enough."""


@dataclass(frozen=True)
class Task:
    """One of the tasks above, for certain target columns and classes.

    Attributes
    ----------
    name : "regression" | "binary" | "exclusive" | "multi-label"
    targets : tuple of str
        The names of the target columns.
    classes : tuple of str or numbers
        The classes of binary and exclusive tasks, in ascending order; none otherwise.

    Raises ValueError for an unknown task, and for a number of classes that the task cannot have.
    """

    name: str
    targets: tuple[str, ...]
    classes: tuple[Class, ...] = ()

    def __post_init__(self) -> None:
        choose("task", self.name, DEFAULT_LOSS)
        wanted = {"binary": len(self.classes) == 2, "exclusive": len(self.classes) >= 2}
        if not wanted.get(self.name, not self.classes):
            raise ValueError(
                f"the task {self.name} does not go with {counted(len(self.classes), 'class', 'classes')}."
            )

    @property
    def labels(self) -> tuple[Class, ...]:
        """The events that probabilities belong to: the classes, or the columns of a multi-label task."""
        return self.targets if self.name == "multi-label" else self.classes

    def outputs(self, loss: object) -> int:
        """Return the number of outputs of a network with this loss.

        Raises ValueError for an unknown loss, and for one that does not fit the task.
        """
        chosen = as_loss(loss)
        if self.name == "regression" and is_for_classes(chosen):
            raise ValueError(
                f'loss "{chosen}" needs classes, but the task is regression. Use "mean_squared_error" or '
                f'"half_squared_error", or another task.'
            )
        if self.name != "regression" and chosen.link == "exponential":
            raise ValueError(
                f'loss "{chosen}" needs counts or amounts, but the task is {self.name}. '
                f'Use "{DEFAULT_LOSS[self.name]}", or the task regression.'
            )
        if self.name == "multi-label" and chosen.takes_labels:
            raise ValueError(
                f'loss "{chosen}" needs classes that exclude each other, but the task is multi-label. '
                f'Use "sigmoid_cross_entropy", or the task exclusive if each row has exactly one label.'
            )
        if self.name != "regression" and not chosen.low <= 0 < 1 <= chosen.high and chosen.coding is None:
            raise ValueError(
                f'loss "{chosen}" takes targets from {chosen.low:g} to {chosen.high:g}, but classes are '
                f"coded as 0 and 1. Give it a coding, the two targets that stand for no and yes, or use "
                f'"{DEFAULT_LOSS[self.name]}".'
            )
        if self.name == "binary":
            return 2 if chosen.takes_labels else 1
        return len(self.classes) or len(self.targets)

    def standardizes(self, loss: object) -> bool:
        """Whether targets are standardized: a regression's, if the loss takes all numbers as they are."""
        chosen = as_loss(loss)
        takes_all = chosen.link == "identity" and (chosen.low, chosen.high) == (-np.inf, np.inf)
        return self.name == "regression" and takes_all

    def encode(self, table: Table) -> HostArray:
        """Return a network's targets: class indices (N,) int64, or values (N, t) float64.

        All processes of the table call it, each for its own rows, and raise alike: DataError for unknown
        classes, another number of target columns, and values that do not fit.
        """
        targets = table.require_targets()
        if targets.shape[1] != len(self.targets):
            raise DataError(
                f"{table.source} has {counted(targets.shape[1], 'target column')}, expected "
                f"{len(self.targets)}: {listed(self.targets)}."
            )
        if not self.classes:
            if self.name == "multi-label":
                require_zero_one(targets, table)
            return require_numbers(targets, table)
        if len(self.targets) > 1:
            return one_hot_labels(targets, table)
        given = as_texts(targets[:, 0], table.share)
        known = np.array([str(name) for name in self.classes])
        order = np.argsort(known)
        index: NDArray[np.int64] = order[np.searchsorted(known, given, sorter=order).clip(max=len(known) - 1)]
        unknown = table.first_where(known[index] != given, given)
        if unknown is not None:
            row, text = unknown
            raise DataError(
                f"{table.source}: row {row} has the class {literal(str(text))}, which is not among the known "
                f"ones: {listed([str(name) for name in self.classes])}."
            )
        return index

    def reading(self) -> Reading:
        """Return how to read a target's texts for this task: as numbers, or as classes like its own."""
        texts = tuple(name for name in self.classes if isinstance(name, str))
        if not texts or len(self.targets) > 1:
            return Reading("numbers")
        return Reading("text", texts)

    def baseline(self, encoded: HostArray) -> float:
        """Return the accuracy of always predicting the most frequent target, on targets from `encode`.

        A target is a class, or all labels of a row for a multi-label task; a regression has neither.
        """
        counts = np.unique(encoded, axis=0, return_counts=True)[1]
        return float(counts.max() / len(encoded))

    def coded(self, encoded: HostArray, loss: AnyLoss) -> HostArray:
        """Return targets from `encode` in the loss's own coding of "no" and "yes", where it has one.

        The classes of an exclusive task stay numbers: the network codes them.
        """
        if loss.coding is None or self.name in ("regression", "exclusive"):
            return encoded
        no, yes = loss.coding
        return np.where(encoded > 0.5, yes, no)

    def uncoded(self, coded: HostArray, loss: AnyLoss) -> NDArray[np.int64]:
        """Return class numbers (n,), or labels (n, t), for what `coded` returned."""
        if loss.coding is None or self.name == "exclusive":
            return coded.astype(np.int64, copy=False)
        return (coded > sum(loss.coding) / 2).astype(np.int64)

    def has_probabilities(self, loss: AnyLoss) -> bool:
        """Whether a network's predictions are probabilities of `labels`.

        They are not where the last layer's outputs are compared with a loss's own coding, as by hinge.
        """
        return bool(self.labels) and (loss.coding is None or loss.link != "identity")

    def probabilities(self, outputs: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the probabilities (n, len(labels)) of `labels` from a network's predictions (n, k)."""
        if self.name == "binary" and outputs.shape[1] == 1:
            return np.hstack([1.0 - outputs, outputs])
        return outputs

    def decide(self, outputs: NDArray[np.floating], loss: AnyLoss | None = None) -> HostArray:
        """Decode a network's predictions (n, k); without a loss, those are probabilities or values.

        Returns classes (n,); 0 and 1 (n, t) for a multi-label task; the predictions for a regression.
        """
        if self.name == "regression":
            return outputs
        numbers = self.decided_numbers(outputs, loss)
        return np.array(self.classes)[numbers] if self.classes else numbers

    def threshold(self, loss: AnyLoss | None = None) -> float:
        """Return the output of a network with this loss above which it says yes; of probabilities 0.5."""
        if loss is None or loss.coding is None or self.has_probabilities(loss):
            return 0.5
        return sum(loss.coding) / 2

    def decided_numbers(
        self, outputs: NDArray[np.floating], loss: AnyLoss | None = None
    ) -> NDArray[np.int64]:
        """Return what `decide` does with the numbers of classes, from 0, in their place.

        For tasks with classes or labels: (n,), or 0 and 1 (n, t).
        """
        says_yes = (outputs > self.threshold(loss)).astype(np.int64)
        if not self.classes:
            return says_yes
        return says_yes[:, 0] if outputs.shape[1] == 1 else np.argmax(outputs, axis=1)


def is_for_classes(loss: AnyLoss) -> bool:
    """Whether a loss is one of classes and not of numbers: its targets code "no" and "yes"."""
    return loss.takes_labels or loss.coding is not None or loss.metric == "accuracy"


def make_task(table: Table, name: str | None = None) -> Task:
    """Return the task of predicting a table's targets: one for all processes, by the rows of all.

    Without a name it is inferred: text is classes; a column of few whole numbers that repeat is classes; two
    classes are binary; several columns of 0 and 1 are multi-label; everything else is regression.

    Raises DataError if the table has no targets, or the target has a single value or does not fit the task;
    ValueError, which lists the choices, for an unknown task.
    """
    targets = table.require_targets()
    if name is None:
        name = _infer(targets, table)
    choose("task", name, DEFAULT_LOSS)
    if name == "regression":
        require_numbers(targets, table)
        return Task(name, table.target_names)
    if name == "multi-label":
        require_zero_one(targets, table)
        return Task(name, table.target_names)
    if targets.shape[1] > 1:
        if name == "binary":
            raise DataError(f"the task binary needs one target column, got {targets.shape[1]}.")
        one_hot_labels(targets, table)
        return Task(name, table.target_names, table.target_names)
    classes = classes_of(targets[:, 0], table.share)
    if len(classes) < 2:
        raise _one_value(targets, table)
    if name == "binary" and len(classes) != 2:
        raise DataError(
            f"the task binary needs two classes, but the target {literal(table.target_names[0])} of "
            f"{table.source} has {len(classes)}: {listed([str(c) for c in classes])}. Use the task exclusive."
        )
    return Task(name, table.target_names, classes)


def _infer(targets: HostArray, table: Table) -> str:
    """Return the name of the task, by the rules of `make_task`."""
    is_text = targets.dtype.kind == "U"
    if targets.shape[1] > 1:
        if is_text:
            raise DataError(
                f"{table.source}: several target columns must hold numbers, but there is text in "
                f"{listed(list(text_columns(targets, table)))}. Give one column of text."
            )
        return "multi-label" if table.share.all(np.isin(targets, (0, 1)).all()) else "regression"
    rows = table.share.total(len(targets))
    different = table.share.few_of(targets[:, 0], MOST_NUMERIC_CLASSES)
    if len(different) < 2:
        raise _one_value(targets, table)
    if len(different) == 2 and (is_text or are_whole(different)):
        return "binary"
    if is_text or (are_whole(different) and len(different) <= min(MOST_NUMERIC_CLASSES, rows // 5)):
        return "exclusive"
    return "regression"


def _one_value(targets: HostArray, table: Table) -> DataError:
    name, first = literal(table.target_names[0]), table.first_where(np.ones(len(targets), bool), targets)
    assert first is not None
    return DataError(
        f"{table.source}: the target {name} is {shown(first[1][0])} in every row, so there is nothing to "
        f"learn: at least two classes or values are needed."
    )

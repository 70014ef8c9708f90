"""Tasks: what is asked of a target, how a network is told, and what its answer means.

==============  ===================================================  =======================
task            target                                               a network's outputs
==============  ===================================================  =======================
regression      one or many columns of numbers                       one a column
binary          one column with two classes                          one: the second class
exclusive       one column with classes, or one 0/1 column a class   one a class
multi-label     0/1 columns, any number of them 1 in a row           one a column
==============  ===================================================  =======================
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..checks.choices import choose
from ..checks.quoting import counted, literal, shown
from ..formulas.losses import LOSSES
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
)

DEFAULT_LOSS = {
    "regression": "mean_squared_error",
    "binary": "sigmoid_cross_entropy",
    "exclusive": "softmax_cross_entropy",
    "multi-label": "sigmoid_cross_entropy",
}
"""The tasks, and the loss that each is trained with if no other is chosen."""

FEW = 20
"""Up to so many different whole numbers are taken for classes, if they also repeat often enough."""


@dataclass(frozen=True)
class Task:
    """One of the tasks above, over the targets that it is about.

    Attributes
    ----------
    name : "regression" | "binary" | "exclusive" | "multi-label"
    targets : tuple of str
        The names of the target columns.
    classes : tuple of str or numbers
        The classes of binary and exclusive tasks, in ascending order; none otherwise.

    Raises ValueError for an unknown task, and classes that it cannot have.
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
        """What probabilities are about: the classes, or the columns of a multi-label task."""
        return self.targets if self.name == "multi-label" else self.classes

    def outputs(self, loss: str) -> int:
        """Return how many outputs a network with this loss needs.

        Raises ValueError for an unknown loss, and one that does not fit the task.
        """
        chosen = choose("loss", loss, LOSSES)
        if self.name == "regression" and chosen.link in ("sigmoid", "softmax"):
            raise ValueError(
                f'loss "{loss}" needs classes, but the task is regression. Use "mean_squared_error" or '
                f'"half_squared_error", or another task.'
            )
        if self.name != "regression" and chosen.link == "exponential":
            raise ValueError(
                f'loss "{loss}" needs counts or amounts, but the task is {self.name}. '
                f'Use "{DEFAULT_LOSS[self.name]}", or the task regression.'
            )
        if self.name == "multi-label" and chosen.takes_labels:
            raise ValueError(
                f'loss "{loss}" needs classes that exclude each other, but the task is multi-label. '
                f'Use "sigmoid_cross_entropy", or the task exclusive if each row has exactly one label.'
            )
        if self.name == "binary":
            return 2 if chosen.takes_labels else 1
        return len(self.classes) or len(self.targets)

    def standardizes(self, loss: str) -> bool:
        """Whether targets are standardized: those of a regression, where no link wants them as they are."""
        return self.name == "regression" and LOSSES[loss].link == "identity"

    def encode(self, table: Table) -> HostArray:
        """Return what the network should say: class numbers (N,) int64, or values (N, t) float64.

        Raises DataError for a class that is not known, and values that do not fit.
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
        given = as_texts(targets[:, 0])
        known = np.array([str(name) for name in self.classes])
        order = np.argsort(known)
        number: NDArray[np.int64] = order[
            np.searchsorted(known, given, sorter=order).clip(max=len(known) - 1)
        ]
        unknown = known[number] != given
        if unknown.any():
            row = int(np.argmax(unknown))
            raise DataError(
                f"{table.source}: row {row + 1} has the class {literal(str(given[row]))}, which is not "
                f"among the known ones: {listed([str(name) for name in self.classes])}."
            )
        return number

    def reading(self) -> Reading:
        """Return how the texts of a target of this task are to be read: as the classes that it knows are."""
        texts = tuple(name for name in self.classes if isinstance(name, str))
        if not texts or len(self.targets) > 1:
            return Reading("numbers")
        return Reading("text", texts)

    def baseline(self, encoded: HostArray) -> float | None:
        """Return the share of rows, encoded by `encode`, that the most frequent answer alone gets right.

        An answer is a class, or for a multi-label task all labels of a row. None for a regression.
        """
        if self.name == "regression":
            return None
        counts = np.unique(encoded, axis=0, return_counts=True)[1]
        return float(counts.max() / len(encoded))

    def probabilities(self, outputs: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the probability of each of `labels`, (n, labels), from a network's predictions (n, k)."""
        if self.name == "binary" and outputs.shape[1] == 1:
            return np.hstack([1.0 - outputs, outputs])
        return outputs

    def decide(self, outputs: NDArray[np.floating]) -> HostArray:
        """Return answers from a network's predictions (n, k): classes (n,), or 0 and 1 (n, t), or values."""
        if self.classes:
            answers: HostArray = np.array(self.classes)[np.argmax(self.probabilities(outputs), axis=1)]
            return answers
        return (outputs > 0.5).astype(np.int64) if self.name == "multi-label" else outputs


def make_task(table: Table, name: str | None = None) -> Task:
    """Return the task that a table poses.

    Without a name it is inferred: text is classes; a column of few whole numbers that repeat is classes; two
    classes are binary; several columns of 0 and 1 are multi-label; everything else is regression.

    Raises DataError where the target has a single value or does not fit the task; ValueError for an unknown
    task, with the choices.
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
    classes = classes_of(targets[:, 0])
    if len(classes) < 2:
        raise _one_value(targets, table)
    if name == "binary" and len(classes) != 2:
        raise DataError(
            f"the task binary needs two classes, but the target {literal(table.target_names[0])} of "
            f"{table.source} has {len(classes)}: {listed([str(c) for c in classes])}. Use the task exclusive."
        )
    return Task(name, table.target_names, classes)


def _infer(targets: HostArray, table: Table) -> str:
    text = targets.dtype.kind == "U"
    if targets.shape[1] > 1:
        if text:
            raise DataError(
                f"{table.source}: several target columns must hold numbers, but there is text in "
                f"{listed(table.target_names)}. Give one column of text."
            )
        return "multi-label" if np.isin(targets, (0, 1)).all() else "regression"
    different = np.unique(targets[:, 0])
    if len(different) < 2:
        raise _one_value(targets, table)
    if len(different) == 2 and (text or are_whole(different)):
        return "binary"
    if text or (are_whole(different) and len(different) <= min(FEW, len(targets) // 5)):
        return "exclusive"
    return "regression"


def _one_value(targets: HostArray, table: Table) -> DataError:
    name, value = literal(table.target_names[0]), shown(targets[0, 0])
    return DataError(
        f"{table.source}: the target {name} is {value} in every row, so there is nothing to learn: "
        f"at least two classes or values are needed."
    )

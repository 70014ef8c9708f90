"""Model: a network together with what its inputs and outputs mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .backend import Activation, HostArray
from .data.scaling import Standardizer
from .data.table import DataError, Table
from .data.target_columns import Class
from .data.tasks import Task
from .layers import Dense
from .modelfile import Configuration, Layers, ModelFileError, read_model, write_model
from .network import Network


@dataclass(frozen=True)
class Predictions:
    """Answers for n rows.

    Attributes
    ----------
    values : (n,) or (n, t)
        Classes by their names; 0 and 1 for each label of a multi-label task; or numbers in the target's own
        units. One axis where there is one answer a row.
    labels : tuple
        What the probabilities are about; empty for regression.
    probabilities : (n, labels), or None for regression
    """

    values: HostArray
    labels: tuple[Class, ...] = ()
    probabilities: NDArray[np.floating] | None = None


@dataclass(frozen=True)
class Model:
    """A network, and the way from a table to its inputs and from its outputs to answers.

    `fuseprop.train` makes one, `fuseprop.load` reads one from a file.

    Attributes
    ----------
    network : Network
    task : Task
        The task, with the names of targets and classes.
    feature_names : tuple of str
    inputs : Standardizer
        Of the features, from the training rows alone.
    targets : Standardizer or None
        Of the targets of a regression, unless its loss takes them as they are.
    """

    network: Network
    task: Task
    feature_names: tuple[str, ...]
    inputs: Standardizer
    targets: Standardizer | None

    def predict(self, table: Table | ArrayLike) -> Predictions:
        """Return answers for a table, whose features are found by name, or for rows X (n, d).

        Raises DataError for missing features and another number of them, nan and inf, and for rows whose
        answer would be one of these.
        """
        if not isinstance(table, Table):
            table = Table.of(table, source="X")
        outputs = self.network.predict(self.encode_inputs(table))
        _require_finite(outputs, table)
        answers = self.task.decide(outputs)
        if self.targets is not None:
            with np.errstate(over="ignore"):
                answers = self.targets.undo(outputs.astype(np.float64))
            _require_finite(answers, table)
        if answers.ndim == 2 and answers.shape[1] == 1:
            answers = answers[:, 0]
        labels = self.task.labels
        return Predictions(answers, labels, self.task.probabilities(outputs) if labels else None)

    def evaluate(self, table: Table) -> dict[str, float]:
        """Return loss and metric over a table with targets, such as ``{"loss": 0.1, "accuracy": 0.97}``.

        The loss is in the network's units: those of standardized targets for a regression. Raises DataError
        as `predict`, and for targets that are missing or of unknown classes.
        """
        return self.network.evaluate(self.encode_inputs(table), self.encode_targets(table))

    def encode_inputs(self, table: Table) -> NDArray[np.float64]:
        """Return the network's inputs (n, d) for a table: the features that it knows, standardized."""
        dtype = self.network.backend.dtype
        with np.errstate(over="ignore", invalid="ignore"):
            X = self.inputs.apply(table.with_features(self.feature_names).X)
            unfit = ~np.isfinite(X.astype(dtype))
        if unfit.any():
            row, column = np.argwhere(unfit)[0]
            raise DataError(
                f"{table.source}: row {row + 1}, column {self.feature_names[column]!r} is so far from the "
                f"rows learned from (mean {self.inputs.mean[column]:g}) that {dtype} cannot hold it. "
                f"Check the value."
            )
        return X

    def encode_targets(self, table: Table) -> HostArray:
        """Return what the network should say for a table: class numbers (n,), or values (n, t)."""
        targets = self.task.encode(table)
        return targets if self.targets is None else self.targets.apply(targets)

    def linear(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Return slopes (d, t) and intercepts (t,) in the units of the table, y = x slopes + intercepts.

        None for a network with hidden layers, for tasks with classes, and behind a link.
        """
        if self.targets is None or len(self.network.layers) > 1:
            return None
        weights, bias = (array.astype(np.float64) for array in self.network.weights()[0])
        slopes = weights / self.inputs.scale[:, None] * self.targets.scale
        return slopes, self.targets.undo(bias) - self.inputs.mean @ slopes

    def save(self, path: str | Path) -> None:
        """Write the model to one .safetensors file, atomically. Raises OSError where that fails."""
        targets = self.targets
        write_model(
            path,
            self.network.weights(),
            Configuration(
                activations=[layer.activation for layer in self.network.layers],
                loss=self.network.loss,
                metric=self.network.metric or "",
                dtype=str(np.dtype(self.network.backend.dtype)),
                task=self.task.name,
                classes=list(self.task.classes),
                feature_names=list(self.feature_names),
                target_names=list(self.task.targets),
                input_mean=self.inputs.mean.tolist(),
                input_scale=self.inputs.scale.tolist(),
                target_mean=[] if targets is None else targets.mean.tolist(),
                target_scale=[] if targets is None else targets.scale.tolist(),
            ),
        )

    @classmethod
    def load(cls, path: str | Path, device: str | None = None) -> Model:
        """Return the model in a file that `save` wrote, on any device.

        Raises ModelFileError for anything else, BackendUnavailable where the device cannot be had.
        """
        layers, c = read_model(path)
        task = task_in_file(path, layers, c)
        try:
            network = Network(
                [
                    Dense(
                        weights.shape[0],
                        weights.shape[1],
                        cast(Activation, activation),
                        weights=weights,
                        bias=bias,
                    )
                    for (weights, bias), activation in zip(layers, c.activations, strict=True)
                ],
                c.loss,
                metric=c.metric or None,
                device=device,
                dtype=c.dtype,
            )
        except ValueError as error:
            raise ModelFileError(f"{path}: its configuration contradicts itself: {error}") from error
        targets = _standardizer(c.target_mean, c.target_scale) if c.target_mean else None
        return cls(network, task, tuple(c.feature_names), _standardizer(c.input_mean, c.input_scale), targets)


def _require_finite(answers: HostArray, table: Table) -> None:
    """Raise DataError where an answer is nan or inf: a class chosen among nans would look like any other."""
    unfit = ~np.isfinite(answers)
    if unfit.any():
        row, column = np.argwhere(unfit)[0]
        raise DataError(
            f"{table.source}: row {row + 1}: the network's answer would be {answers[row, column]}: the "
            f"weights are too large, or the row is too far from those learned from. Train it again with a "
            f"smaller learning rate, or leave the row out."
        )


def task_in_file(path: str | Path, layers: Layers, c: Configuration) -> Task:
    """Return the task of a model file; raise ModelFileError where it does not fit the rest of the file."""
    try:
        task = Task(c.task, tuple(c.target_names), tuple(c.classes))
        outputs = task.outputs(c.loss)
    except ValueError as error:
        raise ModelFileError(f"{path}: its configuration contradicts itself: {error}") from error
    last = len(layers[-1][1])
    if last != outputs:
        raise ModelFileError(
            f"{path}: the last layer has {last} outputs, but the task {task.name} needs {outputs}."
        )
    standardized = outputs if task.standardizes(c.loss) else 0
    if len(c.target_mean) != standardized:
        raise ModelFileError(
            f"{path}: target_mean has {len(c.target_mean)} entries, expected {standardized} for the task "
            f"{task.name} with the loss {c.loss}."
        )
    if task.classes and len(task.targets) != 1 and task.targets != tuple(map(str, task.classes)):
        raise ModelFileError(
            f"{path}: the task {task.name} needs one target, or one of each class, got {len(task.targets)}."
        )
    return task


def load(path: str | Path, device: str | None = None) -> Model:
    """Return the model in a file: see `Model.load`."""
    return Model.load(path, device)


def _standardizer(mean: list[Any], scale: list[Any]) -> Standardizer:
    return Standardizer(np.array(mean, np.float64), np.array(scale, np.float64))

"""Model: a network together with what its inputs and outputs mean."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..backend import Activation, HostArray
from ..callbacks.history import Score
from ..checks.quoting import literal, shown
from ..data.errors import DataError, listed
from ..data.frames import frame_of
from ..data.scaling import Standardizer
from ..data.seen import Seen, UnlikeTrainingWarning
from ..data.table import Table, numbered
from ..data.target_cells import AUTO
from ..data.target_columns import Class
from ..data.tasks import Task
from ..layers.dense import Dense
from ..network import Network
from ..training.evaluation import predict_rows
from .files import Configuration, Layers, ModelFileError, read_model, write_model


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
    seen : Seen or None
        What the training rows were like; None where that is not known, as in old files.
    named : bool
        Whether the features had names in training; False where x1, x2, ... only number them.

    Methods take a table or named columns (a pandas, Polars or PyArrow table, a structured array, a dict of
    columns), where they find features and targets by name, whatever else there is; or an array, where the
    order counts.
    """

    network: Network
    task: Task
    feature_names: tuple[str, ...]
    inputs: Standardizer
    targets: Standardizer | None
    seen: Seen | None = None
    named: bool = True

    def predict(self, table: Any) -> Predictions:
        """Return answers for n rows.

        Raises DataError for missing features and another number of them, nan and inf, and for rows whose
        answer would be one of these. Warns with UnlikeTrainingWarning where a column is far outside of what
        was seen in training.
        """
        table = self._with_features(table)
        network, X = self.network, self.encode_inputs(table)
        with np.errstate(over="ignore", invalid="ignore"):
            outputs = predict_rows(network.backend, network.stack, X)
        _require_finite(outputs, table)
        answers = self.task.decide(outputs)
        if self.targets is not None:
            with np.errstate(over="ignore"):
                answers = self.targets.undo(outputs.astype(np.float64))
            _require_finite(answers, table)
        if answers.ndim == 2 and answers.shape[1] == 1:
            answers = answers[:, 0]
        labels = self.task.labels
        self._warn(table)
        return Predictions(answers, labels, self.task.probabilities(outputs) if labels else None)

    def evaluate(self, table: Any, targets: Any = None) -> dict[str, float]:
        """Return loss and metric over rows with targets, such as ``{"loss": 0.1, "accuracy": 0.97}``.

        Beside an accuracy stands "baseline": what the most frequent class, or combination of labels, alone
        would get on the same rows. R^2 and D^2 are 0 for the best constant as they are. The loss is in the
        network's units: those of standardized targets for a regression.

        Parameters
        ----------
        table
            Rows with targets; or without, where `targets` are given.
        targets : array_like (n,) or (n, t), optional

        Raises DataError and warns as `predict`; DataError also for targets that are missing, or of unknown
        classes.
        """
        table = self._with_targets(table, targets)
        scores = self.scores(table)
        self._warn(table)
        return scores

    def scores(self, table: Table) -> dict[str, float]:
        """Return what `evaluate` does, and never warn: for rows of the data that the model is made from."""
        encoded = self.encode_targets(table)
        scores = self.network.evaluate(self.encode_inputs(table), encoded)
        baseline = self.task.baseline(encoded)
        return scores if baseline is None or "accuracy" not in scores else {**scores, "baseline": baseline}

    def encode_inputs(self, table: Any) -> NDArray[np.float64]:
        """Return the network's inputs (n, d): the features that it knows, standardized."""
        table = self._with_features(table)
        dtype = self.network.backend.dtype
        with np.errstate(over="ignore", invalid="ignore"):
            X = self.inputs.apply(table.X)
            unfit = ~np.isfinite(X.astype(dtype))
        if unfit.any():
            row, column = np.argwhere(unfit)[0]
            raise DataError(
                f"{table.source}: row {row + 1}, column {literal(self.feature_names[column])} is so far from "
                f"the rows learned from (mean {self.inputs.mean[column]:g}) that {dtype} cannot hold it. "
                f"Check the value."
            )
        return X

    def encode_targets(self, table: Any) -> HostArray:
        """Return what the network should say: class numbers (n,), or values (n, t)."""
        targets = self.task.encode(self._with_targets(table, None))
        return targets if self.targets is None else self.targets.apply(targets)

    def _with_features(self, data: Any) -> Table:
        """Return a table of the features that the model knows."""
        return (data if isinstance(data, Table) else self._table(data)).with_features(self.feature_names)

    def _with_targets(self, data: Any, targets: Any) -> Table:
        """Return a table that has targets."""
        if not isinstance(data, Table):
            return self._table(data, self.task.targets if targets is None else None, targets)
        if targets is not None:
            raise DataError(f"{data.source} is a table: its targets belong into it, not beside it.")
        return data

    def _table(self, data: Any, target_names: tuple[str, ...] | None = None, targets: Any = None) -> Table:
        """Return a table of an array, by the order of its columns, or of named columns, by their names."""
        asked = targets is not None or target_names is not None
        reading, frame = self.task.reading() if asked else AUTO, frame_of(data)
        own = set(self.feature_names)
        # A model may know columns by the numbers that pandas gave them.
        if frame is None or not (frame.named or (self.named and own & set(frame.names))):
            return Table.of(data, targets, source="X", **reading.given())
        by_order = not self.named and not own & set(frame.names)
        if by_order and any(name.isdecimal() for name in frame.names):
            raise DataError(
                f"X has columns of the numbers {listed(frame.names)}, but the model knows its features by "
                f"their order alone. Give their values in the order of training as an array: X.to_numpy()."
            )
        features = None if by_order else self.feature_names
        table = Table.of(
            replace(frame, named=True),
            targets,
            feature_names=features,
            target_names=target_names,
            source="X",
            **reading.given(),
        )
        return (
            replace(table, feature_names=numbered("x", table.X.shape[1]), named=False) if by_order else table
        )

    def _warn(self, table: Table) -> None:
        told = "" if self.seen is None else self.seen.told(table, self.feature_names)
        if told:
            warnings.warn(told, UnlikeTrainingWarning, stacklevel=3)

    def linear(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Return slopes (d, t) and intercepts (t,) in the units of the table, y = x slopes + intercepts.

        None for a network with hidden layers, for tasks with classes, and behind a link.
        """
        if self.targets is None or len(self.network.layers) > 1:
            return None
        weights, bias = (array.astype(np.float64) for array in self.network.weights()[0])
        slopes = weights / self.inputs.scale[:, None] * self.targets.scale
        return slopes, self.targets.undo(bias) - self.inputs.mean @ slopes

    def save(self, path: str | Path, *, score: Score | None = None) -> None:
        """Write the model to one .safetensors file, atomically, and what it was judged by with it.

        Raises OSError where that fails.
        """
        write_model(path, self.network.weights(), self._configuration(score))

    def saved_score(self, path: str | Path) -> Score | None:
        """Return what the model in a file was judged by.

        None where it was saved without that, or is about another task, loss, features or targets than this
        one. Raises ModelFileError for anything but a model file.
        """
        theirs, mine = read_model(path)[1], self._configuration(None)
        same = all(
            getattr(theirs, name) == getattr(mine, name)
            for name in ("task", "loss", "classes", "feature_names", "target_names")
        )
        return Score(theirs.monitor, theirs.score[0]) if same and theirs.score else None

    def _configuration(self, score: Score | None) -> Configuration:
        targets = self.targets
        return Configuration(
            activations=[layer.activation for layer in self.network.layers],
            loss=self.network.loss,
            metric=self.network.metric or "",
            dtype=str(np.dtype(self.network.backend.dtype)),
            task=self.task.name,
            classes=list(self.task.classes),
            feature_names=list(self.feature_names),
            named=self.named,
            target_names=list(self.task.targets),
            input_mean=self.inputs.mean.tolist(),
            input_scale=self.inputs.scale.tolist(),
            target_mean=[] if targets is None else targets.mean.tolist(),
            target_scale=[] if targets is None else targets.scale.tolist(),
            monitor="" if score is None else score.monitor,
            score=[] if score is None else [score.value],
            **seen_entries(self.seen),
        )

    @classmethod
    def load(cls, path: str | Path, device: str | None = None) -> Model:
        """Return the model in a file that `save` wrote, on any device.

        Raises ModelFileError for anything else, BackendUnavailable where the device cannot be had.
        """
        place = shown(path, None)
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
            raise ModelFileError(f"{place}: its configuration contradicts itself: {error}") from error
        targets = _standardizer(c.target_mean, c.target_scale) if c.target_mean else None
        inputs = _standardizer(c.input_mean, c.input_scale)
        return cls(network, task, tuple(c.feature_names), inputs, targets, seen_in(c), c.named)


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
    place = shown(path, None)
    try:
        task = Task(c.task, tuple(c.target_names), tuple(c.classes))
        outputs = task.outputs(c.loss)
    except ValueError as error:
        raise ModelFileError(f"{place}: its configuration contradicts itself: {error}") from error
    last = len(layers[-1][1])
    if last != outputs:
        raise ModelFileError(
            f"{place}: the last layer has {last} outputs, but the task {task.name} needs {outputs}."
        )
    standardized = outputs if task.standardizes(c.loss) else 0
    if len(c.target_mean) != standardized:
        raise ModelFileError(
            f"{place}: target_mean has {len(c.target_mean)} entries, expected {standardized} for the task "
            f"{task.name} with the loss {c.loss}."
        )
    if task.classes and len(task.targets) != 1 and task.targets != tuple(map(str, task.classes)):
        raise ModelFileError(
            f"{place}: the task {task.name} needs one target, or one of each class, got {len(task.targets)}."
        )
    return task


def load(path: str | Path, device: str | None = None) -> Model:
    """Return the model in a file: see `Model.load`."""
    return Model.load(path, device)


def _standardizer(mean: list[Any], scale: list[Any]) -> Standardizer:
    return Standardizer(np.array(mean, np.float64), np.array(scale, np.float64))


def seen_entries(seen: Seen | None) -> dict[str, Any]:
    """Return the entries of a `Configuration` that keep what was seen in training."""
    if seen is None:
        return {}
    return {"input_low": seen.low.tolist(), "input_high": seen.high.tolist(), "raw_inputs": seen.raw}


def seen_in(c: Configuration) -> Seen | None:
    """Return what was seen in training, None where a file does not say."""
    if not c.input_low and c.raw_inputs:
        return None
    return Seen(np.array(c.input_low, np.float64), np.array(c.input_high, np.float64), c.raw_inputs)

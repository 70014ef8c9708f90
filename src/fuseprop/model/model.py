"""Model: a network, the encoding of a table as its inputs, and the decoding of its outputs as predictions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..callbacks.history import Score
from ..checks.arrays import first_not_finite
from ..checks.quoting import shown
from ..checks.warning import warn_user
from ..data.arrays import feature_rows
from ..data.dicts import RowReader
from ..data.encoder import Encoder
from ..data.errors import DataError
from ..data.frames import single_row
from ..data.given import SOURCE
from ..data.scaling import Standardizer
from ..data.seen import Seen, UnlikeTrainingWarning
from ..data.table import Table
from ..data.table_data import check_count
from ..data.tasks import Task
from ..data.unlike import unlike_training
from ..formulas.kept import keep_activation, keep_loss, loss_kept
from ..layers.dense import Dense
from ..metrics import Scores
from ..network import Network
from ..storage.atomic import write_atomically
from ..training.evaluation import Predictor
from ..world import ALONE, Processes
from .answers import Predictions, like, probabilities_like
from .configuration import (
    Configuration,
    activations_in,
    encoder_entries,
    encoder_in,
    seen_entries,
    seen_in,
    standardizer_in,
)
from .decisions import Decisions, decisions_of
from .files import Layers, ModelFileError, read_model, task_in_file, write_model
from .importance import Importance
from .permuting import permutation_importance
from .report import Report
from .rows import table_for
from .scoring import scores_of

NUMBERS_AT_ONCE = 1 << 22
"""Predictions take rows together whose inputs are so many numbers: bins make many of a few columns."""


@dataclass(frozen=True)
class Model:
    """A network, the encoding of a table as its inputs, and the decoding of its outputs as predictions.

    `fuseprop.train` makes one, `fuseprop.load` reads one from a file.

    Attributes
    ----------
    network : Network
    task : Task
        The task, with the names of targets and classes.
    encoder : Encoder
        Makes the network's inputs of the columns of a table, as the rows learned from decided it.
    targets : Standardizer or None
        Standardizes a regression's targets; None for other tasks, and for losses with another link than the
        identity or an interval of targets.
    seen : Seen or None
        The range of each column in training; None if it is not known, as in old files.
    named : bool
        Whether the features had names in training; False if they were numbered x1, x2, ...

    Methods take a `Table`, a file or several, a data frame (a pandas, Polars or PyArrow table, a structured
    array, a dict of columns), a list of dicts that are rows, or one such dict. There they find features and
    targets by name, and ignore other columns. An array's columns are taken in the order of training.

    Examples
    --------
    >>> import fuseprop
    >>> model, report = fuseprop.train("iris", epochs=30, members=1, device="cpu")
    >>> decided = model.predict([[5.1, 3.5, 1.4, 0.2]]).values
    >>> model.save("iris.safetensors")
    >>> again = fuseprop.load("iris.safetensors", device="cpu")
    >>> bool((again.predict([[5.1, 3.5, 1.4, 0.2]]).values == decided).all())
    True
    """

    network: Network
    task: Task
    encoder: Encoder
    targets: Standardizer | None
    seen: Seen | None = None
    named: bool = True

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the columns that are features; `encoder` names those that it makes of them."""
        return self.encoder.column_names

    @cached_property
    def _predictor(self) -> Predictor:
        return Predictor(self.network.backend, self.network.stack)

    def predict(self, table: Any) -> Predictions:
        """Return predictions for n rows: for a data frame as columns of its library, else as arrays.

        Raises DataError for missing features, another number of them, cells that do not fit their column, and
        rows for which the network's output is nan or inf. Warns with UnlikeTrainingWarning if a column is far
        outside its range in training.
        """
        return like(table, self._predict(self._with_features(table)), self.task.targets)

    def predict_proba(self, table: Any) -> Any:
        """Return the probabilities (n, k) of the classes or labels, as `predict` does beside its values.

        Raises DataError and warns as `predict`; TypeError for a model that has no probabilities.
        """
        if not self.task.has_probabilities(self.network.stack.loss):
            why = "a regression" if self.task.name == "regression" else f"the loss {self.network.stack.loss}"
            raise TypeError(f"{why} has no probabilities: `predict(data).values` holds what is predicted.")
        return probabilities_like(table, self._predict(self._with_features(table)))

    def _predict(self, table: Table) -> Predictions:
        """Return predictions for a table of the model's features, as arrays."""
        network, outputs = self.network, self._outputs(table)
        _require_finite(outputs, table)
        loss = network.stack.loss
        values = self.task.decide(outputs, loss)
        if self.targets is not None:
            with np.errstate(over="ignore"):
                values = self.targets.undo(outputs.astype(np.float64))
            _require_finite(values, table)
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        self._warn(table)
        if not self.task.has_probabilities(loss):
            return Predictions(values)
        return Predictions(values, self.task.labels, self.task.probabilities(outputs))

    def _outputs(self, table: Table) -> HostArray:
        """Return the network's outputs (n, k) for a table of the model's features, encoded part by part."""
        dtype, n = self.network.backend.dtype, len(table)
        most = max(1, NUMBERS_AT_ONCE // self.encoder.width)
        parts = [None] if n <= most else [np.arange(i, min(i + most, n)) for i in range(0, n, most)]
        with np.errstate(over="ignore", invalid="ignore"):
            made = [self._predictor(self.encoder.encode(table, dtype, rows)) for rows in parts]
        return made[0] if len(made) == 1 else np.concatenate(made)

    def evaluate(self, table: Any, targets: Any = None) -> Scores:
        """Return the scores over rows with targets, such as ``{"loss": 0.1, "accuracy": 0.97, ...}``.

        The loss is in the network's units: for a regression those of the standardized target. All else is
        computed of predictions as `predict` returns them, by the functions in `fuseprop.metrics`.

        ===========  =================================================================================
        task         beside the loss and, where it is another one, the network's metric
        ===========  =================================================================================
        classes      accuracy, baseline, balanced_accuracy, f1, log_loss, roc_auc; a confusion matrix
        labels       accuracy (of all labels of a row), baseline, f1
        regression   r2, rmse, mae, rmse_of_mean, in the target's units; of several targets the mean
        ===========  =================================================================================

        "baseline" is the accuracy of always predicting the most frequent class, or combination of labels, of
        these rows; "rmse_of_mean" is the RMSE of their mean. `Scores.intervals` holds an interval of 95% for
        each but these and the loss, `Scores.undefined` why one of them is missing. There is no log loss for
        a loss without probabilities, such as hinge. The r2 of several targets is the mean of theirs, as in
        scikit-learn; that of a network, as in a history, weighs them by their variance.

        Parameters
        ----------
        table
            Rows with targets, or without if `targets` are given: see `Model`.
        targets : array_like (n,) or (n, t), optional
            The targets of an array or a data frame; a `Table` has its own.

        Raises DataError and warns as `predict`; DataError also for missing targets and unknown classes.
        """
        table = self._with_targets(table, targets)
        scores = self.scores_of(self.encode_inputs(table), self.encode_targets(table))
        self._warn(table)
        return scores

    def scores_of(
        self, inputs: HostArray, targets: HostArray, *, intervals: bool = True, world: Processes = ALONE
    ) -> Scores:
        """Return what `evaluate` does, for inputs (n, width) and targets of the network.

        Without `intervals` as well, which rows that were learned from have no use for. The rows of several
        processes are scored together: process 0 is sent the predictions of all.
        """
        measured = Scores(self.network.evaluate(inputs, targets, world=world))
        predicted, scores = self._predicted(inputs, targets, world), Scores()
        if predicted is not None:
            scores = scores_of(self.task, self.network.stack.loss, self.targets, *predicted, intervals)
        return measured.joined(world.of_first(scores))

    def decisions_on(
        self, inputs: HostArray, targets: HostArray, *, world: Processes = ALONE
    ) -> Decisions | None:
        """Return what the model says of rows of all processes, as `scores_of` takes them, to process 0."""
        predicted = self._predicted(inputs, targets, world)
        if predicted is None:
            return None
        return decisions_of(self.task, self.network.stack.loss, self.targets, *predicted)

    def _predicted(
        self, inputs: HostArray, targets: HostArray, world: Processes
    ) -> tuple[HostArray, HostArray] | None:
        """Return predictions and targets of the rows of all processes to process 0; None to the others."""
        with np.errstate(over="ignore", invalid="ignore"):
            predictions = self._predictor(inputs)
        parts = world.at_first((predictions, targets))
        if len(parts) > 1:
            predictions, targets = map(np.concatenate, zip(*parts, strict=True))
        return (predictions, targets) if parts else None

    def explain(self, data: Any, targets: Any = None, *, repeats: int = 5, seed: int = 0) -> Importance:
        """Return by how much loss and metric get worse where one column's cells are permuted among the rows.

        That is permutation importance, by the columns of the table: those that the model relies on have a
        large one. It tells of the model, not of the world: a column of no importance may still say much that
        other columns say too. Rows that the model has not learned from show what it relies on in use; those
        that it has, what it knows by heart too.

        Parameters
        ----------
        data, targets
            Rows with targets, at least two, as `evaluate` takes them.
        repeats : int
            How often each column is permuted; n - 1 times where n rows are fewer than that: then each row has
            had every other one's cells.
        seed : int
            What the permutations are drawn from. They are the same for all columns.

        Takes one pass over the rows a column and repeat, and the memory of the encoded rows. Two rows have no
        intervals: their ends are nan.
        Raises and warns as `evaluate`; DataError also for a single row, and for a loss that is not finite;
        ValueError for `repeats` and `seed` out of range.
        """
        table = self._with_targets(data, targets)
        found = permutation_importance(
            self.network, self.encoder, table, self.encode_targets(table), repeats=repeats, seed=seed
        )
        self._warn(table)
        return found

    def report(
        self,
        path: str | Path,
        data: Any = None,
        targets: Any = None,
        *,
        training: Report | None = None,
        seed: int = 0,
    ) -> None:
        """Write a page about the model: one HTML file of less than 1 MB, which loads nothing from elsewhere.

        It holds the network and its columns, and what else is given: of rows with targets scores with their
        intervals, the confusion or the errors, and the importance of columns; of a training its curves. What
        is not given is said not to be known. ``train(..., report=path)`` writes a page that knows more: the
        settings, the table, and the rows of the test.

        Parameters
        ----------
        path : str or Path
            A name that ends in .html. A file that is there is replaced whole.
        data, targets : optional
            Rows with targets, as `evaluate` takes them. Of so many that permuting their columns would take
            long, some are drawn.
        training : Report, optional
            What `train` returned beside the model.
        seed : int
            What the permutations are drawn from.

        Raises PlotsUnavailable without matplotlib, the extra "plots"; ValueError for another suffix and
        for a file of `data`; OSError where no file can be written; otherwise as `evaluate`, and warns as it
        does.

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import fuseprop
        >>> model, found = fuseprop.train("xor", epochs=2, device="cpu")
        >>> with TemporaryDirectory() as folder:
        ...     model.report(Path(folder) / "xor.html", "xor", training=found)
        ...     (Path(folder) / "xor.html").stat().st_size < 1_000_000
        True
        """
        from .reporting.of_model import Judged, model_page  # which most programs never need
        from .reporting.place import check_report
        from .reporting.reliance import reliance_of

        place, judged = check_report(path, data), None
        if data is not None:
            table = self._with_targets(data, targets)
            inputs, coded = self.encode_inputs(table), self.encode_targets(table)
            decisions = self.decisions_on(inputs, coded)
            assert decisions is not None
            judged = Judged(
                table.source,
                len(table),
                self.scores_of(inputs, coded),
                decisions,
                reliance_of(self.network, self.encoder, table, coded, rows="given", seed=seed),
            )
            self._warn(table)
        text = model_page(self.network, self.task, self.encoder, self.seen, judged, training)
        write_atomically(place, text.encode())

    def encode_inputs(self, table: Any) -> NDArray[np.floating]:
        """Return the network's inputs (n, width), in its dtype: the model's columns, encoded.

        Raises DataError for missing columns and columns of another kind, and for values that the network's
        dtype cannot hold then.
        """
        return self.encoder.encode(self._with_features(table), self.network.backend.dtype)

    def encode_targets(self, table: Any) -> HostArray:
        """Return the network's targets: class indices (n,) int64, or values (n, t), standardized.

        A loss that codes two classes itself gets its own numbers for them.
        Raises DataError for missing targets, unknown classes, and values that do not fit the task.
        """
        return self.code_targets(self.task.encode(self._with_targets(table, None)))

    def code_targets(self, targets: HostArray) -> HostArray:
        """Return the network's targets for those that `Task.encode` returned."""
        if self.targets is not None:
            return self.targets.apply(targets)
        return self.task.coded(targets, self.network.stack.loss)

    def table(
        self,
        data: Any,
        *,
        targets: Any = None,
        target_names: tuple[str, ...] = (),
        any_size: bool = False,
    ) -> Table:
        """Return rows as a table of the model's columns: what `predict` and `evaluate` make of `data`.

        With targets, which stand beside the rows or under `target_names` among the columns, for `evaluate`.
        `any_size` is as in `load_table`. Raises DataError and TypeError as they do.
        """
        table = table_for(
            data,
            self.encoder,
            self.task,
            named=self.named,
            targets=targets,
            target_names=target_names,
            any_size=any_size,
        )
        return table if table.columns is self.encoder.columns else table.with_features(self.feature_names)

    def _with_features(self, data: Any) -> Table:
        """Return a table of the model's features."""
        if isinstance(data, Table):
            return self.table(data)
        cells = self._cells(data)
        return self.table(data) if cells is None else Table(cells, None, self.encoder.columns, (), SOURCE)

    def _cells(self, data: Any) -> NDArray[np.float64] | None:
        """Return the cells (n, d) of an array of numbers or of one row, read directly; None of other data."""
        if type(data) is np.ndarray:
            if not self.encoder.is_of_numbers or data.dtype.kind not in "biuf":
                return None
            cells = feature_rows(data, None, SOURCE)
            check_count(cells.shape[1], len(self.encoder.columns), SOURCE)
            return cells
        row = data if type(data) is dict else single_row(data)
        return None if row is None else self._row_reader(row)

    def _with_targets(self, data: Any, targets: Any) -> Table:
        """Return a table of the model's features that has targets."""
        return self.table(data, targets=targets, target_names=self.task.targets if targets is None else ())

    @cached_property
    def _row_reader(self) -> RowReader:
        return RowReader(self.encoder.columns)

    def _warn(self, table: Table) -> None:
        """Warn of what a table of the model's features holds that was not there in training."""
        unlike = unlike_training(self.encoder, table)
        far = "" if self.seen is None else self.seen.warning_for(table, table.feature_names)
        if unlike or far:
            warn_user(f"{unlike} {far}".strip(), UnlikeTrainingWarning)

    def linear(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Return slopes (width, t) and intercepts (t,) in the table's units: y = x @ slopes + intercepts.

        x are the features that `encoder.feature_names` names, with numbers and days as they are in the table.
        None for a network with hidden layers or another activation than the identity, for models whose
        targets are not standardized (tasks with classes, and losses with another link than the identity or an
        interval of targets), and where a number is clipped smoothly or has bins: y is no line of it then.
        """
        (last, *more) = reversed(self.network.layers)
        is_line = last.function.formula.is_identity and self.encoder.is_straight
        if self.targets is None or more or not is_line:
            return None
        weights, bias = (array.astype(np.float64) for array in self.network.weights()[0])
        inputs = self.encoder.feature_scaling
        slopes = weights / inputs.scale[:, None] * self.targets.scale
        return slopes, self.targets.undo(bias) - inputs.mean @ slopes

    def save(self, path: str | Path, *, score: Score | None = None) -> None:
        """Write the model, and the score that it is saved for if there is one, to one .safetensors file.

        The file is written atomically. Raises OSError if that fails, ValueError for weights that are nan or
        inf, TypeError if `path` is no path.
        """
        write_model(path, self.network.weights(), self.configuration(score))

    def saved_score(self, path: str | Path) -> Score | None:
        """Return the score that the model in a file was saved for.

        None if it was saved without a score, or has another task, loss, classes, features or targets than
        this model. Raises ModelFileError if the file is no model file.
        """
        theirs, mine = read_model(path)[1], self.configuration()
        same = all(
            getattr(theirs, name) == getattr(mine, name)
            for name in ("task", "loss", "classes", "feature_names", "encodings", "target_names")
        )
        return Score(theirs.monitor, theirs.score[0]) if same and theirs.score else None

    def configuration(self, score: Score | None = None) -> Configuration:
        """Return everything about the model but its weights, and the score that it is saved for."""
        targets = self.targets
        return Configuration(
            activations=[keep_activation(layer.function) for layer in self.network.layers],
            loss=keep_loss(self.network.stack.loss),
            metric=self.network.metric or "",
            dtype=str(np.dtype(self.network.backend.dtype)),
            task=self.task.name,
            classes=list(self.task.classes),
            named=self.named,
            target_names=list(self.task.targets),
            target_mean=[] if targets is None else targets.mean.tolist(),
            target_scale=[] if targets is None else targets.scale.tolist(),
            monitor="" if score is None else score.monitor,
            score=[] if score is None else [score.value],
            **seen_entries(self.seen),
            **encoder_entries(self.encoder),
        )

    @classmethod
    def load(cls, path: str | Path, device: str | None = None) -> Model:
        """Return the model in a file that `save` wrote, on any device.

        Raises ModelFileError if the file is no model file, BackendUnavailable if the device is not available.
        """
        layers, c = read_model(path)
        return cls.of_configuration(path, layers, c, device)

    @classmethod
    def of_configuration(
        cls, path: str | Path, layers: Layers, c: Configuration, device: str | None = None
    ) -> Model:
        """Return the model with these weights and configuration, which the file at `path` holds.

        Raises as `load`.
        """
        place = shown(path, None)
        task = task_in_file(path, layers, c)
        try:
            network = Network(
                [
                    Dense(
                        weights.shape[0],
                        weights.shape[1],
                        activation.name if activation.is_built_in else activation,
                        weights=weights,
                        bias=bias,
                    )
                    for (weights, bias), activation in zip(layers, activations_in(c), strict=True)
                ],
                loss_kept(c.loss),
                metric=c.metric or None,
                device=device,
                dtype=c.dtype,
            )
        except ValueError as error:
            raise ModelFileError(f"{place}: its configuration contradicts itself: {error}") from error
        targets = standardizer_in(c.target_mean, c.target_scale) if c.target_mean else None
        return cls(network, task, encoder_in(c), targets, seen_in(c), c.named)


def _require_finite(outputs: HostArray, table: Table) -> None:
    """Raise DataError if an output is nan or inf, from which a class like any other could be chosen."""
    position = first_not_finite(outputs)
    if position is not None:
        row, column = position
        raise DataError(
            f"{table.source}: row {table.row_number(row)}: the network's answer would be "
            f"{outputs[row, column]}: the weights are too large, or the row is too far from those learned "
            f"from. Train it again with a smaller learning rate, or leave the row out."
        )


def load(path: str | Path, device: str | None = None) -> Model:
    """Return the model in a file: see `Model.load`.

    Examples
    --------
    >>> import fuseprop
    >>> model, report = fuseprop.train("xor", epochs=2, device="cpu")
    >>> model.save("xor.safetensors")
    >>> fuseprop.load("xor.safetensors", device="cpu").task.name
    'binary'
    """
    return Model.load(path, device)

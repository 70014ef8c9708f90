"""From a table to a trained model: split, standardize, train, and score once at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from ..backend import Activation, HostArray
from ..callbacks import Callback
from ..callbacks.history import History
from ..checks.settings import as_generator
from ..data import DataError, Table, load_table, suggestions_for
from ..data.errors import listed
from ..data.frames import frame_of
from ..data.scaling import Standardizer
from ..data.seen import Seen
from ..data.target_cells import AUTO, Reading
from ..data.tasks import Task, make_task
from ..formulas.losses import LOSSES
from ..layers.dense import mlp
from ..metrics import metric_of_values
from ..network import Network
from ..optimizers import MomentumSGD
from ..training.rows import split_rows
from .model import Model
from .settings import Settings, settings_for

Scores = dict[str, float]


@dataclass(frozen=True)
class Report:
    """What training came to, all of it with the final weights.

    Attributes
    ----------
    train, validation, test : dict, or None where no such rows were held out
        Loss, in the network's units, metric and baseline, as `Model.evaluate` gives them.
    history : History
        Epoch by epoch.
    """

    train: Scores
    validation: Scores | None
    test: Scores | None
    history: History

    def scores(self, part: str) -> Scores | None:
        """Return the scores of "train", "validation" or "test"."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[part]


class Fitting:
    """A table, split, with a model that is ready to be trained on it.

    The test rows are split off first and only ever seen by `report`; the validation rows come from the rest;
    what remains is learned from, and alone decides the standardization. Splits are stratified by class.

    Parameters
    ----------
    table : Table
        With targets.
    task : str, optional
        "regression", "binary", "exclusive" or "multi-label"; inferred by default, see `make_task`.
    given
        Settings by name; the others are chosen by `settings_for`.

    Attributes
    ----------
    settings : Settings
        All of them, chosen ones included.
    model : Model
        Untrained before `run`.
    table : Table
        All rows.
    train, validation, test : Table, or None where there are no such rows
        Its parts.

    Raises DataError for a target that does not fit the task, ValueError for settings that do not fit and too
    few rows to split, BackendUnavailable where the device cannot be had.
    """

    def __init__(self, table: Table, /, task: str | None = None, **given: Any) -> None:
        posed = make_task(table, task)
        self.settings = settings = settings_for(posed, *table.X.shape, **given)
        outputs = posed.outputs(settings.loss)
        rng = as_generator(settings.seed)
        labels = posed.encode(table) if posed.classes else None
        everything = np.arange(len(table))
        rest, test = _split(rng, everything, settings.test, labels, "test")
        rows, validation = _split(rng, rest, settings.validation, labels, "validation")
        self.table = table
        self.train = table.take(rows)
        self.validation = table.take(validation) if validation.size else None
        self.test = table.take(test) if test.size else None
        self.optimizer = MomentumSGD(settings.learning_rate, settings.momentum, settings.weight_decay)
        self.model = Model(
            _network(posed, settings, [table.X.shape[1], *settings.hidden, outputs], rng),
            posed,
            table.feature_names,
            Standardizer.fit(self.train.X),
            Standardizer.fit(posed.encode(self.train)) if posed.standardizes(settings.loss) else None,
            Seen.of(self.train.X),
            table.named,
        )

    def parts(self) -> list[tuple[str, Table | None]]:
        """Return the parts of the table by name."""
        return [("train", self.train), ("validation", self.validation), ("test", self.test)]

    def run(
        self, *, progress: bool = False, callbacks: Sequence[Callback] = (), norms: bool = False
    ) -> History:
        """Train, and return the history; `progress`, `callbacks` and `norms` as in `Network.fit`.

        Raises DivergenceError as `Network.fit`. Ctrl-C ends training with a warning.
        """
        model, held_out = self.model, None
        if self.validation is not None:
            held_out = model.encode_inputs(self.validation), model.encode_targets(self.validation)
        self.history = model.network.fit(
            model.encode_inputs(self.train),
            model.encode_targets(self.train),
            self.optimizer,
            epochs=self.settings.epochs,
            batch_size=self.settings.batch_size,
            validation=held_out,
            progress=progress,
            callbacks=callbacks,
            norms=norms,
        )
        return self.history

    def report(self) -> Report:
        """Evaluate all parts; to be called once, after `run`."""
        return Report(
            self.model.scores(self.train),
            None if self.validation is None else self.model.scores(self.validation),
            None if self.test is None else self.model.scores(self.test),
            self.history,
        )


def train(
    data: Any,
    target: Any = None,
    *,
    target_as: str = "auto",
    keep_as_class: Sequence[str] = (),
    progress: bool = False,
    any_size: bool = False,
    **given: Any,
) -> tuple[Model, Report]:
    """Train a model on a table, named columns, a file or a built-in data set; return it with its scores.

    Parameters
    ----------
    data : Table, named columns such as a pandas table, or what `load_table` takes: a path or "digits"
    target : str or sequence of str, optional
        The target columns of a file or of named columns; the label of a column that is no text will do.
    target_as, keep_as_class
        How a target of text is read: see `load_table`.
    progress : bool
        Whether to show a bar on a terminal, or a line an epoch elsewhere, on standard error.
    any_size : bool
        As in `load_table`.
    given
        ``task=`` and any of `Settings` by name.

    Raises as `load_table`, `Fitting` and `Network.fit`.
    """
    table = _table(data, target, Reading(target_as, keep_as_class), any_size)
    fitting = Fitting(table, **{**suggestions_for(data), **given})
    fitting.run(progress=progress)
    return fitting.model, fitting.report()


def _table(data: Any, target: Any, reading: Reading, any_size: bool) -> Table:
    names = (target,) if isinstance(target, str) else target
    if isinstance(data, Table):
        if names not in (None, data.target_names) or reading != AUTO:
            raise DataError(
                f"{data.source} has its target already: it is chosen and read where a Table is made."
            )
        return data
    frame = frame_of(data)
    if frame is None:
        return load_table(data, names, any_size=any_size, **reading.given())
    if names is None:
        raise DataError(
            f"which column is the target? Name it: target=. Columns there: {listed(frame.names)}."
        )
    # A target may be the number, or another label, of a column.
    wanted = tuple(names) if isinstance(names, Iterable) else (str(names),)
    return Table.of(replace(frame, named=True), target_names=wanted, **reading.given())


def _split(
    rng: np.random.Generator, rows: HostArray, share: float, labels: HostArray | None, what: str
) -> tuple[HostArray, HostArray]:
    if share == 0:
        return rows, rows[:0]
    try:
        kept, held_out = split_rows(rng, len(rows), share, None if labels is None else labels[rows])
    except ValueError as error:
        raise DataError(f"cannot hold out {what} rows: {error} A share of 0 holds out none.") from error
    return rows[kept], rows[held_out]


def _network(task: Task, settings: Settings, sizes: list[int], rng: np.random.Generator) -> Network:
    # These take probabilities as the output itself; the cross-entropies bring their own link.
    squashed = bool(task.labels) and LOSSES[settings.loss].link == "identity"
    return Network(
        mlp(
            sizes,
            cast(Sequence[Activation], settings.activation),
            output_activation="sigmoid" if squashed else "identity",
        ),
        settings.loss,
        metric="accuracy" if task.labels else metric_of_values(LOSSES[settings.loss]),
        device=settings.device,
        dtype=settings.dtype,
        seed=rng,
    )

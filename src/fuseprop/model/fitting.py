"""Fitting a model to a table: split the rows, encode them, train, and score once at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from math import nan
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..backend import HostArray
from ..backend.registry import load_backend, named_device
from ..callbacks import Callback, EarlyStopping
from ..callbacks.history import History
from ..callbacks.progress import Progress
from ..checkpoints import Found, Keeper
from ..checks.quoting import counted
from ..checks.settings import as_generator, check_flag
from ..checks.warning import warn_user
from ..data import Table
from ..data.encoder import Encoder
from ..data.scaling import Standardizer
from ..data.seen import Seen
from ..data.tasks import Task, make_task
from ..formulas.loss import as_loss
from ..layers.dense import mlp
from ..layers.joining import Weights, joined
from ..metrics import Scores, metric_of_values
from ..network import Network
from ..training.continuing import From, Kept, found_of, keeper_of
from ..training.divergence import DivergenceError
from ..training.rules import FIT_INTERRUPTED
from ..world import Processes, agreeing, check_alike
from ..world.devices import Placed, device_of
from .class_weights import weights_by_class
from .decisions import Decisions
from .division import checked_test_rows, divide
from .members import PART, Member, members_in, plain_settings, state_of, table_of
from .model import Model
from .report import Report
from .settings import Settings, settings_for

NEVER = 2**62
"""A patience of so many epochs keeps the best weights, and never ends training."""


class Fitting:
    """A table split into parts, and an untrained model for it.

    The test rows are split off first, and used by `report` alone. Of the rest each network that is trained
    holds out validation rows: see `divide`. One network learns from what remains, which alone decides how
    columns are encoded. Several networks hold out different rows, so that all of the rest is learned from and
    decides how columns are encoded, and yet each network is validated on rows that it did not learn from (a
    cross-validation committee: B. Parmanto, P. W. Munro and H. R. Doyle, NIPS 8, 1996).

    Parameters
    ----------
    table : Table
        With targets.
    task : str, optional
        "regression", "binary", "exclusive" or "multi-label"; inferred by default, see `make_task`.
    missing : "encode" | "refuse"
        What becomes of missing values of features, here and in all tables that the model is given later.
    test_rows : array_like (n,) of int, optional
        The test rows, by their numbers, instead of a share of them that is drawn.
    given
        Settings by name; `settings_for` chooses the others.

    Attributes
    ----------
    settings : Settings
        All settings, given and chosen.
    given : frozenset of str
        The names of those that were given.
    model : Model
        Untrained before `run`, with the network that is trained first.
    network : Network
        The network that is trained first; that of the model where it is the only one.
    interrupted : bool
        After `run`, whether it ended before its time: by Ctrl-C, or because a callback asked for it.
    class_weights : (classes,) float64, or None
        How much the rows of each class count while the model is trained; None where all rows count alike.
    table : Table
        All rows.
    world : Processes
        Those of the table: each has its own rows of all parts below, and all train together.
    divisions : tuple of pairs of (n,) int64
        For each network the rows that it learns from, and those that it is validated on.
    counts : mapping of str to int
        How many rows all processes have of each part: see `Division`.
    train, validation, test : (n,) int64, or None for a part without rows
        The rows that any network learns from, or is validated on, and the test rows, in ascending order.

    Raises DataError for a target that does not fit the task, for too few rows to split, for test rows that
    are not there, and for a missing value that is refused; ValueError for settings that do not fit
    (SettingsError for single ones); BackendUnavailable if the device is not available.
    """

    def __init__(
        self,
        table: Table,
        /,
        task: str | None = None,
        *,
        missing: str = "encode",
        test_rows: ArrayLike | None = None,
        **given: Any,
    ) -> None:
        made_task = make_task(table, task)
        world = self.world = table.world
        self.given = frozenset(name for name, value in given.items() if value is not None)
        chosen = None if test_rows is None else checked_test_rows(test_rows, table)
        if chosen is not None:
            given["test"] = len(chosen) / len(table)
        count = int(world.total(len(table)))
        self.settings = settings = settings_for(made_task, count, table.X.shape[1], **given)
        if world.size > 1:
            check_alike(world, {**plain_settings(settings), "task": made_task.name, "missing": missing})
        self._own_settings = replace(settings, device=_own_device(settings, world))
        outputs = made_task.outputs(settings.loss)
        rng = as_generator(settings.seed)
        encoded = made_task.encode(table)
        division = divide(table, encoded if made_task.classes else None, settings, rng, chosen)
        self.divisions, self.counts = division.pairs, division.counts
        self.train = division.learned
        self.validation = division.held_out if self.counts["held out"] else None
        self.test = division.test if self.counts["test"] else None
        self.table = table
        encoder = Encoder.fit(table, self.train, missing=missing, clip=settings.clip, bins=settings.bins)
        encoder.check_missing(table)
        self._make_network = partial(
            _network, made_task, self._own_settings, [encoder.width, *settings.hidden, outputs], rng
        )
        standardizes = made_task.standardizes(settings.loss)
        scaling = Standardizer.fit(encoded, self.train, world=world) if standardizes else None
        self.model = Model(
            self._make_network(),
            made_task,
            encoder,
            scaling,
            Seen.of_table(table, self.train),
            table.named,
        )
        self.network = self.model.network
        self.interrupted = False
        self._members: list[Member] = []
        self._left: History | None = None  # of a network that is no part of the model
        self._known: dict[str, Any] | None = None
        self._parameters = self.network.stack.parameters.count
        self._targets = self.model.code_targets(encoded)
        self.class_weights: NDArray[np.float64] | None = None
        self._weights: NDArray[np.float64] | None = None
        if settings.class_weight is not None:
            learned = encoded[self.train]
            self.class_weights = weights_by_class(settings.class_weight, made_task, learned, world)
            self._weights = self.class_weights[encoded]
            self._require_weights()

    def parts(self) -> list[tuple[str, NDArray[np.int64] | None]]:
        """Return names and rows of the three parts; None for a part without rows."""
        return [("train", self.train), ("validation", self.validation), ("test", self.test)]

    def rows_of_parts(self) -> dict[str, int]:
        """Return how many rows all processes have of each part, by name."""
        names = {"train": "learned", "validation": "held out", "test": "test"}
        return {name: self.counts[part] for name, part in names.items()}

    def run(
        self,
        *,
        progress: bool = False,
        callbacks: Sequence[Callback] = (),
        norms: bool = False,
        checkpoint: Kept = None,
        resume: From = None,
    ) -> History:
        """Train the model, and return the history of its last network.

        With validation rows each network ends with the weights of the epoch with the lowest validation loss.
        Ctrl-C, and a callback that asks to stop, end training early: the model is then made of the networks
        that were done, with a warning, or of the first one as far as it was. Ctrl-C before the first one
        begins to learn is raised.

        Parameters
        ----------
        progress, norms : bool
            As in `Network.fit`.
        callbacks : sequence of Callback
            For each network; `start` is called anew for each.
        checkpoint : Checkpoint or path, optional
            Where training keeps all that it would go on from, and how often: the networks that are done, and
            the one under way.
        resume : path or bool, optional
            Go on from such a checkpoint, in the same bits on the same backend; True stands for that of
            `checkpoint`, where there is one, and the start where there is none. Settings, table and test rows
            are to be as they were, whatever `device` is. `epochs` may be more where one network is trained
            and its learning rate is constant.

        Raises DivergenceError and OutOfMemory as `Network.fit`; a note says which of several networks
        diverged. Raises CheckpointError for a checkpoint that cannot be read, that another process writes, or
        that is of a network alone or of another model, and names what differs; FileExistsError for one that
        would be lost; OSError where none can be written. The model stays as it was.
        """
        check_flag("progress", progress)
        keeper: Keeper | None = None
        found: Found | None = None
        world, is_first = self.world, self.world.rank == 0
        with agreeing(world):
            if is_first:
                keeper = keeper_of(checkpoint)
                found = found_of(resume, keeper)
        keeps, found = world.of_first((keeper is not None, found))
        self._members = [] if found is None else self.members_in(found)
        table = self._table() if keeps else {}
        self._left, self.interrupted, before = None, False, len(self._members)
        if progress and is_first:
            shown = Progress(networks=self.settings.members, done=before)
            callbacks = [shown, *callbacks]
        with nullcontext() if keeper is None else keeper.open(None if found is None else found.path):
            try:
                for number in range(before, len(self.divisions)):
                    self._train(number, callbacks, norms, keeper, found, table)
                    found = None
                    if self.interrupted:
                        break
            except KeyboardInterrupt:
                if not self._members:
                    raise
                self.interrupted = True
                self.history.stop_reason = "interrupted"
        if is_first and self.interrupted and self._members and not self._members[0].history.cut_short:
            count = len(self._members)
            done = f"{counted(count, 'network')} that {'was' if count == 1 else 'were'} done"
            warn_user(f"{FIT_INTERRUPTED}: the model is made of the {done}.", UserWarning)
        if len(self._members) > 1:
            self._join([member.weights for member in self._members])
        elif before:  # its network was trained by the training that goes on here
            self.model.network.set_weights(self._members[0].weights)
        return self.history

    def _train(
        self,
        number: int,
        callbacks: Sequence[Callback],
        norms: bool,
        keeper: Keeper | None,
        found: Found | None,
        table: Mapping[str, Any],
    ) -> None:
        """Train one of the networks, counted from 0, and keep it with its scores on the rows held out."""
        settings, (rows, held_out) = self.settings, self.divisions[number]
        network = self._make_network() if number else self.model.network
        validation = None
        if self.validation is not None:
            validation = (*self._encoded(held_out), self._row_weights(held_out))
        keeping = EarlyStopping(settings.patience or NEVER)
        batch_size = settings.batches(self.world.size)
        sizes = [member.history.batch_size or batch_size for member in self._members]
        if keeper is not None:
            keeper.around[PART] = state_of(settings, table, self._members)
        try:
            history = network.fit(
                *self._encoded(rows),
                settings.make_optimizer(self.world.size),
                epochs=settings.epochs,
                batch_size=min(sizes, default=batch_size),
                sample_weight=self._row_weights(rows),
                validation=validation,
                callbacks=callbacks if validation is None else [keeping, *callbacks],
                norms=norms,
                on_divergence=settings.on_divergence,
                on_oom=settings.on_oom,
                checkpoint=keeper,
                resume=found,
                world=self.world,
            )
        except DivergenceError as error:
            if settings.members > 1:
                error.add_note(f"That was network {number + 1} of {settings.members}.")
            raise
        self.interrupted, scores = history.cut_short, None
        if self.interrupted and number:
            self._left = history
            return
        if validation is not None and not self.interrupted:
            model = replace(self.model, network=network)
            scores = model.scores_of(*validation[:2], intervals=False, world=self.world)
        self._members.append(Member(network.weights(), history, scores))

    def members_in(self, found: Found) -> list[Member]:
        """Return the networks in a checkpoint of this model whose training has ended.

        Raises CheckpointError, which names what differs, for the checkpoint of anything else.
        """
        return members_in(found, self.settings, self._table(), self.model.network)

    def _table(self) -> dict[str, Any]:
        """Return what checkpoints hold of the table; the test rows are encoded once."""
        if self._known is None:
            test = None if self.test is None else self._encoded(self.test)
            self._known = table_of(self.model, test, self.world)
        return self._known

    @property
    def histories(self) -> tuple[History, ...]:
        """After `run`, the history of each network that was trained, with one that was left."""
        left = [] if self._left is None else [self._left]
        return (*(member.history for member in self._members), *left)

    @property
    def networks(self) -> int:
        """After `run`, how many networks the model is made of."""
        return max(1, len(self._members))

    @property
    def history(self) -> History:
        """The history of the network that was trained last; of the only one, where there is one."""
        return self.histories[-1]

    @property
    def parameters(self) -> int:
        """How many parameters were learned, those of all networks that the model is made of."""
        return self._parameters * self.networks

    @property
    def epochs(self) -> int:
        """How many epochs all networks took together."""
        return sum(history.epochs for history in self.histories)

    @property
    def seconds_per_epoch(self) -> float | None:
        """Mean wall time of an epoch of any network, None before the first."""
        seconds = [each for history in self.histories for each in history.seconds]
        return sum(seconds) / len(seconds) if seconds else None

    @property
    def kept_epochs(self) -> tuple[int | None, ...]:
        """The epoch whose weights each network has, counted from 1; None for one that was left between two.

        0 stands for the starting weights.
        """
        return tuple(map(_kept_epoch, self.histories))

    @property
    def validation_loss(self) -> float:
        """The mean loss on the validation rows of the weights that are kept; nan without such rows."""
        return self._validated_mean("validation_loss")

    @property
    def validation_metric(self) -> float:
        """The same of the metric."""
        return self._validated_mean("validation_metric")

    def _validated_mean(self, name: str) -> float:
        """Return the mean over the model's networks, which count by the weights of their validation rows."""
        values, weights = [], []
        for history, epoch, (_, held_out) in zip(
            self.histories[: self.networks], self.kept_epochs, self.divisions, strict=False
        ):
            if epoch and self.validation is not None:
                values.append(getattr(history, name)[epoch - 1])
                weights.append(self._weight_of(held_out))
        return float(np.average(values, weights=weights)) if values else nan

    def report(self, *, intervals: bool = True) -> Report:
        """Return the scores of all parts, with or without intervals; to be called once, after `run`."""
        train = self._scores(self.train, intervals=False)
        test = None if self.test is None else self._scores(self.test, intervals=intervals)
        return Report(train, self._validation_scores(), test, self.histories)

    def decisions(self, rows: HostArray | None) -> Decisions | None:
        """Return what the model says of rows of all processes, (n,) of this one, to process 0.

        None to the others, and for no rows.
        """
        if rows is None:
            return None
        return self.model.decisions_on(*self._encoded(rows), world=self.world)

    def _validation_scores(self) -> Scores | None:
        """Return the mean of the scores of all networks, each on the rows held out from it."""
        if self.histories[0].cut_short and self.validation is not None:
            return self._scores(self.divisions[0][1], intervals=False)
        validated = [member.scores for member in self._members if member.scores is not None]
        if len(validated) < 2:
            return next(iter(validated), None)
        own = [len(held_out) for _, held_out in self.divisions[: len(validated)]]
        rows = self.world.total(own)
        names = [name for name in validated[0] if all(name in scores for scores in validated)]
        columns = [[scores[name] for scores in validated] for name in names]
        undefined = {name: why for scores in validated for name, why in scores.undefined.items()}
        means = np.average(columns, axis=1, weights=rows).tolist() if names else []
        return Scores(zip(names, means, strict=True), undefined=undefined)

    def _join(self, trained: Sequence[Weights]) -> None:
        """Make the model's network one that computes the mean of those with these weights."""
        settings, network = self.settings, self.model.network
        hidden = [len(trained) * size for size in settings.hidden]
        whole = _network(
            self.model.task,
            replace(self._own_settings, dropout=0.0),
            [network.inputs, *hidden, network.outputs],
            as_generator(settings.seed),
        )
        whole.set_weights(joined(trained))
        self.model = replace(self.model, network=whole)

    def _require_weights(self) -> None:
        """Raise ValueError where the class weights of all rows to learn from, or to validate with, are 0."""
        for division in self.divisions:
            for what, rows in zip(("to learn from", "for validation"), division, strict=True):
                if self.world.total(rows.size) and not self._weight_of(rows):
                    raise ValueError(
                        f"class_weight={self.settings.class_weight!r:.100} leaves every row {what} the "
                        f"weight 0. Give a class that they hold a weight above 0."
                    )

    def _encoded(self, rows: HostArray) -> tuple[HostArray, HostArray]:
        """Return inputs (n, width), which nobody changes, and targets of the network for these rows."""
        inputs = self.model.encoder.encode(self.table, self.model.network.backend.dtype, rows)
        inputs.flags.writeable = False
        return inputs, self._targets[rows]

    def _row_weights(self, rows: HostArray) -> HostArray | None:
        """Return the class weights of these rows, (n,); None where all rows count alike."""
        return None if self._weights is None else self._weights[rows]

    def _weight_of(self, rows: HostArray) -> float:
        """Return how much these rows of all processes count together."""
        weights = self._row_weights(rows)
        return float(self.world.total(rows.size if weights is None else weights.sum()))

    def _scores(self, rows: HostArray, *, intervals: bool) -> Scores:
        return self.model.scores_of(*self._encoded(rows), intervals=intervals, world=self.world)


def _kept_epoch(history: History) -> int | None:
    if history.restore_best:
        return history.best_epoch
    return None if history.cut_short else history.epochs


def _own_device(settings: Settings, world: Processes) -> str | None:
    """Return the device of this process; of several on a machine, each has a GPU of its own."""
    if world.size == 1:
        return settings.device
    named = named_device(settings.device, "auto")
    return device_of(cast("Placed", world), named, lambda device: load_backend(device, settings.dtype))


def _network(task: Task, settings: Settings, sizes: list[int], rng: np.random.Generator) -> Network:
    # Losses with a link apply sigmoid or softmax themselves, and those with a coding take any outputs; others
    # need probabilities as outputs.
    loss = as_loss(settings.loss)
    needs_sigmoid = task.has_probabilities(loss) and loss.link == "identity"
    return Network(
        mlp(
            sizes,
            settings.activation,
            output_activation="sigmoid" if needs_sigmoid else "identity",
            dropout=settings.dropout,
        ),
        settings.loss,
        metric="accuracy" if task.labels else metric_of_values(loss),
        device=settings.device,
        dtype=settings.dtype,
        seed=rng,
    )

"""Tuning: settings drawn around the defaults, and chosen on the validation rows by successive halving."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf, isfinite, nan
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ..callbacks import Callback
from ..callbacks.history import History
from ..callbacks.progress import Verbose
from ..checks.quoting import counted
from ..checks.settings import as_path, positive_integer
from ..checks.warning import warn_user
from ..data import DataError, Table
from ..storage.atomic import write_atomically
from ..training.divergence import DivergenceError
from .arguments import table_and_arguments
from .candidates import draw, free_settings
from .fitting import Fitting
from .model import Model
from .report import Report
from .settings import Settings, SettingsError, settings_for

KEPT = 3
"""One in so many settings of a round is kept for the next, which trains them that many times as long."""

STREAM = 22
"""Beside the seed, it begins the random numbers by which settings are drawn, and those alone."""


@dataclass(frozen=True)
class Trial:
    """A model with some settings, trained for some epochs.

    Attributes
    ----------
    candidate : int
        Which settings, counted from 1; the first ones are those of the rules.
    round : int
        Counted from 1.
    settings : Settings
        With the epochs that the round allows each network.
    epochs : int
        How many its networks took together; those of one that diverged are not counted.
    loss, score : float
        Loss and metric on the validation rows, of the weights that training ended with; inf and nan where it
        diverged.
    metric : str
        Which metric `score` is.
    seconds : float
        What it took, the encoding of its rows included.
    """

    candidate: int
    round: int
    settings: Settings
    epochs: int
    loss: float
    score: float
    metric: str
    seconds: float

    @property
    def diverged(self) -> bool:
        """Whether its loss stopped being finite."""
        return not isfinite(self.loss)

    def describe(self) -> str:
        """Return it in words, such as ``round 1, settings 2: loss 0.1  accuracy 0.97; 40 epochs, 0.5 s``."""
        which = f"round {self.round}, settings {self.candidate}"
        if self.diverged:
            return f"{which}: diverged; {self.seconds:.2g} s"
        score = "" if self.metric == "loss" else f"  {self.metric} {self.score:.4g}"
        epochs = counted(self.epochs, "epoch")
        return f"{which}: loss {self.loss:.4g}{score}; {epochs}, {self.seconds:.2g} s"

    def entry(self) -> dict[str, Any]:
        """Return its numbers and settings by name, as plain data."""
        settings = {name: _plain(value) for name, value in vars(self.settings).items() if name != "epochs"}
        return {
            "candidate": self.candidate,
            "round": self.round,
            "epochs_allowed": self.settings.epochs,
            "epochs": self.epochs,
            "validation_loss": self.loss,
            f"validation_{self.metric}": self.score,
            "seconds": self.seconds,
            **settings,
        }


@dataclass(frozen=True)
class Tuning:
    """What was tried.

    Attributes
    ----------
    trials : tuple of Trial
        In the order in which they were trained; fewer than planned where Ctrl-C ended them.
    drawn : tuple of str
        The settings that differ; the others were given, or are the rules'.
    chosen : Trial
        The one with the lowest validation loss, whose model is kept. One whose networks Ctrl-C left in part
        untrained is measured on fewer rows than the others, and is chosen only where there is no other.
    interrupted : bool
        Whether Ctrl-C ended it before the last round was done.

    Examples
    --------
    >>> import fuseprop
    >>> model, report, tuning = fuseprop.tune("iris", tries=2, epochs=4, members=1, device="cpu")
    >>> tuning.to_csv("tried.csv")
    """

    trials: tuple[Trial, ...]
    drawn: tuple[str, ...]
    chosen: Trial
    interrupted: bool

    @property
    def defaults(self) -> Trial:
        """The last trial of the rules' settings, which are the first candidate."""
        return [trial for trial in self.trials if trial.candidate == 1][-1]

    def to_csv(self, path: str | Path) -> None:
        """Write a line a trial, in their order, to a CSV file, which is replaced whole.

        Raises OSError if that fails, TypeError if `path` is no path.
        """
        place, text = as_path(path, "tried.csv"), io.StringIO(newline="")
        entries = [{**trial.entry(), "chosen": trial is self.chosen} for trial in self.trials]
        writer = csv.DictWriter(text, entries[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in entry.items()} for entry in entries)
        write_atomically(place, text.getvalue().encode())


class Search:
    """Settings to try on the rows of a table, and the best model so far.

    The first settings are those of the rules; in the others, what is not given is drawn around them (see
    `candidates`). All have the same rows to learn from, to validate by and to test, drawn by the same seed.
    Rounds of successive halving (Karnin, Koren & Somekh, ICML 2013; Jamieson & Talwalkar, AISTATS 2016) train
    networks from new starting weights: the last round for as many epochs as the settings say, each before it
    for a third of the next one's. A third of the settings, those with the lowest validation loss, go on to
    the next round; the rules' settings go to the last one in any case. Of all models that with the lowest
    validation loss is kept. Test rows steer nothing: `Fitting.report` of the best scores them.

    Parameters
    ----------
    table : Table
        With targets.
    tries : int
        How many settings, those of the rules included.
    task, missing, test_rows, given
        As in `Fitting`. Settings that are given are those of all trainings.

    Attributes
    ----------
    first : Fitting
        With the settings of the rules.
    best : Fitting
        The best so far; before `run` the first one.

    Raises SettingsError if nothing is left to draw, DataError without validation rows; else as `Fitting`.
    """

    def __init__(
        self, table: Table, /, tries: int, task: str | None = None, *, missing: str = "encode", **given: Any
    ) -> None:
        fixed = {name: value for name, value in given.items() if value is not None}
        rows = {"test_rows": fixed.pop("test_rows")} if "test_rows" in fixed else {}
        self.drawn = tuple(free_settings(fixed))
        try:
            self.tries = positive_integer("the number of settings to try", tries)
            if not self.drawn:
                raise ValueError("all settings that would be tried are given. Leave out some of them.")
        except ValueError as error:
            raise SettingsError(str(error)) from None
        self._fit = partial(Fitting, table, task, missing=missing, **rows)
        self.first = self.best = self._fit(**fixed)
        if self.first.validation is None:
            raise DataError(
                f"{table.source}: settings are chosen by their loss on validation rows, and there are none. "
                f"Give a share of rows for them, validation=0.2 (--validation 0.2)."
            )
        base, size = self.first.settings, table.X.shape
        rng = np.random.default_rng([base.seed, STREAM])
        # The share of test rows that are chosen outside; the rules' epochs depend on it.
        fixed["test"] = base.test
        self.candidates = [base]
        for _ in range(self.tries - 1):
            drawn = draw(rng, base, fixed)
            self.candidates.append(settings_for(self.first.model.task, *size, **{**fixed, **drawn}))
        self.rounds = 1
        while KEPT**self.rounds <= self.tries:
            self.rounds += 1
        self._trials = list[Trial]()
        self._chosen: Trial | None = None

    def rounds_planned(self) -> list[tuple[int, int]]:
        """Return of each round how many settings it has, and by what it divides their epochs.

        The rules' settings may be one more in the last round.
        """
        return [(-(-self.tries // KEPT**i), KEPT ** (self.rounds - 1 - i)) for i in range(self.rounds)]

    def run(
        self,
        *,
        callbacks: Sequence[Callback] = (),
        norms: bool = False,
        told: Callable[[Trial], object] | None = None,
    ) -> Tuning:
        """Train all rounds; call `told` after each training. Ctrl-C ends it with the best so far.

        `callbacks` and `norms` are those of each training, as in `Network.fit`.

        Raises DivergenceError if all settings of the first round diverge, KeyboardInterrupt if Ctrl-C comes
        before the first epoch ends.
        """
        interrupted, going = False, list(range(self.tries))
        train = partial(train_each, self._fit, callbacks=callbacks, norms=norms)
        try:
            for number, (size, divisor) in enumerate(self.rounds_planned(), 1):
                going = going[:size]
                if number == self.rounds and 0 not in going and not self._trials[0].diverged:
                    going.append(0)
                going = self._round(number, going, divisor, train, told)
        except KeyboardInterrupt:
            interrupted = True
        if self._chosen is None:
            raise KeyboardInterrupt
        return Tuning(tuple(self._trials), self.drawn, self._chosen, interrupted)

    def _round(
        self,
        number: int,
        going: Sequence[int],
        divisor: int,
        train: Callable[[Sequence[Settings]], Iterable[Trained]],
        told: Callable[[Trial], object] | None,
    ) -> list[int]:
        """Train the candidates `going`; return those that did not diverge, the best first."""
        wanted = (self.candidates[i] for i in going)
        allowed = [replace(settings, epochs=-(-settings.epochs // divisor)) for settings in wanted]
        losses, failure = dict[int, float](), None
        for i, trained in zip(going, train(allowed), strict=True):
            fitting = trained.fitting
            if fitting.epochs or trained.failure is not None:
                trial = trained.trial(i + 1, number)
                self._trials.append(trial)
                if trial.diverged:
                    failure = failure or trained.failure
                else:
                    losses[i] = trial.loss
                    comparable = fitting.networks == fitting.settings.members
                    if self._chosen is None or (comparable and trial.loss < self._chosen.loss):
                        self._chosen, self.best = trial, fitting
                if told is not None:
                    told(trial)
            if fitting.interrupted:
                raise KeyboardInterrupt
        if self._chosen is None and failure is not None:
            failure.add_note(f"All settings that were tried diverged: {len(going)}.")
            raise failure
        return sorted(losses, key=losses.__getitem__)


@dataclass(frozen=True)
class Trained:
    """A fitting after its run: its last network's history, its seconds, and the error if it diverged."""

    fitting: Fitting
    history: History
    seconds: float
    failure: DivergenceError | None

    def trial(self, candidate: int, number: int) -> Trial:
        """Return what is kept of it, as a trial of this round."""
        fitting, loss, score = self.fitting, inf, nan
        if self.failure is None:
            loss, score = fitting.validation_loss, fitting.validation_metric
        metric = self.history.metric
        return Trial(candidate, number, fitting.settings, fitting.epochs, loss, score, metric, self.seconds)


def train_each(
    fit: Callable[..., Fitting],
    settings: Sequence[Settings],
    *,
    callbacks: Sequence[Callback] = (),
    norms: bool = False,
) -> Iterator[Trained]:
    """Train a model with each of these settings, for its epochs; yield each when it is done.

    `fit` returns an untrained one, given settings by name. No training depends on another's outcome, so that
    they may be run in any order, or side by side. Ctrl-C ends the one that it falls into.
    """
    for each in settings:
        start = perf_counter()
        fitting = fit(**vars(each))
        failure = None
        try:
            history = fitting.run(callbacks=callbacks, norms=norms)
        except DivergenceError as error:
            history, failure = error.history, error
        yield Trained(fitting, history, perf_counter() - start, failure)


def tune(
    data: Any, target: Any = None, *, tries: int = 20, progress: bool = False, **given: Any
) -> tuple[Model, Report, Tuning]:
    """Train models with several settings; return the best one by its validation loss, its scores, all tries.

    The test rows steer nothing, and are scored once, of the model that is returned. The scores of the
    validation rows, which have chosen it, are better than those of new rows.

    Parameters
    ----------
    data, target
        As in `train`.
    tries : int
        How many settings, those that `train` would choose included: see `Search`.
    progress : bool
        Whether to write a line a training to standard error.
    given
        All else that `train` takes: what is said of columns and targets, ``task=``, and any of `Settings`;
        what is given is not tuned.

    Raises as `train` and `Search`. Ctrl-C ends it with a warning, and the best model so far.

    Examples
    --------
    >>> import fuseprop
    >>> model, report, tuning = fuseprop.tune("iris", tries=2, epochs=4, members=1, device="cpu")
    """
    table, arguments = table_and_arguments(data, target, **given)
    search = Search(table, tries, **arguments)
    lines = Verbose(progress, sys.stderr)
    tuning = search.run(told=lambda trial: lines.say(trial.describe()))
    lines.warn()
    if tuning.interrupted:
        warn_user(
            f"tuning interrupted: the model is the best of {counted(len(tuning.trials), 'training')}.",
            UserWarning,
        )
    return search.best.model, search.best.report(), tuning


def _plain(value: Any) -> Any:
    """Return a setting as plain data: formulas and other objects as text, sequences as lists."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _cell(value: Any) -> Any:
    """Return plain data as a cell: a list with commas between its items, None as an empty cell."""
    return ",".join(map(str, value)) if isinstance(value, list) else value

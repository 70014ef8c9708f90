"""Cross-validation: a model for each fold, trained on all others, so that every row is tested."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..callbacks import Callback
from ..callbacks.progress import Verbose
from ..checks.quoting import counted
from ..checks.settings import positive_integer
from ..checks.warning import warn_user
from ..data import DataError, Table
from ..data.errors import listed
from ..data.tasks import make_task
from ..metrics import Scores
from ..metrics.scores.scores import ANY, RANGES
from ..training.divergence import DivergenceError
from ..training.rows import deal
from .arguments import table_and_arguments
from .fitting import Fitting
from .intervals import Mean
from .settings import SettingsError, settings_for

MOST_REPEATS = 1000
"""How many repeats there may be: they share rows, so that the interval of a mean is no narrower with more."""

STREAM = 21
"""Beside the seed, it begins the random numbers by which rows are dealt, and those alone."""


@dataclass(frozen=True)
class Fold:
    """One training of a cross-validation.

    Attributes
    ----------
    repeat, number : int
        Which fold it is, both counted from 1.
    rows : (n,) int64
        Its test rows, in ascending order.
    seed : int
        The seed of this training alone.
    scores : Scores
        Those of the test rows, as `Model.evaluate` returns them but for intervals.
    metric : str
    epochs : int
        How many the networks of this training took together.
    seconds : float
        What it took, the encoding of its rows included.
    """

    repeat: int
    number: int
    rows: NDArray[np.int64]
    seed: int
    scores: Scores
    metric: str
    epochs: int
    seconds: float

    def describe(self) -> str:
        """Return it in words, such as ``repeat 1, fold 2: loss 0.1  accuracy 0.97; 40 epochs, 0.5 s``."""
        names = dict.fromkeys(("loss", self.metric))
        scores = "  ".join(f"{name} {self.scores[name]:.4g}" for name in names if name in self.scores)
        epochs = counted(self.epochs, "epoch")
        return f"repeat {self.repeat}, fold {self.number}: {scores}; {epochs}, {self.seconds:.2g} s"


@dataclass(frozen=True)
class CrossValidation:
    """The scores of a cross-validation.

    Attributes
    ----------
    folds, repeats : int
    metric : str
        The metric of the task: "accuracy", "r2", ...
    each : tuple of Fold
        All trainings, fold by fold and repeat by repeat; fewer where Ctrl-C ended them.
    notes : tuple of str
        What is to be known of the scores, in sentences.
    loss_range : (float, float)
        The least and the largest value that the loss can have: 0 and inf for every built-in loss.
    interrupted : bool
        Whether Ctrl-C ended it before all folds were tested.

    Examples
    --------
    >>> import fuseprop
    >>> scores = fuseprop.cross_validate("iris", folds=2, epochs=5, members=1, device="cpu")
    >>> low, high = scores.means["accuracy"].interval
    """

    folds: int
    repeats: int
    metric: str
    each: tuple[Fold, ...]
    notes: tuple[str, ...]
    interrupted: bool
    loss_range: tuple[float, float] = ANY

    @property
    def trainings(self) -> int:
        """How many trainings were asked for."""
        return self.folds * self.repeats

    @cached_property
    def means(self) -> dict[str, Mean]:
        """The mean of each score that all test rows have, with its interval: see `Mean.of`.

        Intervals are cut at the score's range, such as 0 and 1 for an accuracy, 0 for an RMSE and 1 for R^2;
        that of "loss" at 0 too where it is built in: a formula of one's own may be negative.
        """
        ratio, incomplete = 1 / (self.folds - 1), self.incomplete
        ranges = {**RANGES, "loss": self.loss_range}
        names = [name for name in self.each[0].scores if name not in incomplete]
        return {
            name: Mean.of([fold.scores[name] for fold in self.each], ratio, ranges.get(name, ANY))
            for name in names
        }

    @property
    def incomplete(self) -> list[str]:
        """The scores that the test rows of some trainings have, and those of others do not."""
        names = dict.fromkeys(name for fold in self.each for name in fold.scores)
        return [name for name in names if any(name not in fold.scores for fold in self.each)]


class Folding:
    """A table dealt to folds, and an untrained model for the first of them.

    Every row is a test row once in each repeat, and steers nothing in that training: the remaining rows are
    divided into rows to learn from and validation rows as `Fitting` does, and decide how columns are encoded.
    Training i, counted from 0, has the seed `seed` + i. Which rows are in which fold depends on the seed
    alone, so that other settings are compared on the same folds. With classes, folds are stratified.

    Parameters
    ----------
    table : Table
        With targets.
    folds, repeats : int
        At least 2 folds, and 1 to `MOST_REPEATS` repeats, each of which deals the rows anew.
    task, missing, given
        As in `Fitting`, but for what says which rows are tested.

    Attributes
    ----------
    first : Fitting
    notes : tuple of str
        As in `CrossValidation`.

    Raises SettingsError for other numbers and for test rows that are given, as a share or by their numbers,
    DataError for fewer rows than folds, or, in a regression, than 2 a fold; otherwise as `Fitting`.
    """

    def __init__(
        self, table: Table, /, folds: int = 5, repeats: int = 1, task: str | None = None, **given: Any
    ) -> None:
        try:
            self.folds, self.repeats = positive_integer("folds", folds), positive_integer("repeats", repeats)
            if self.folds == 1:
                raise ValueError("folds must be at least 2: one to test, the others to learn from. Got 1.")
            if self.repeats > MOST_REPEATS:
                raise ValueError(
                    f"repeats must be at most {MOST_REPEATS}: they share rows, so that more of them make the "
                    f"interval of a mean no narrower. Got {self.repeats}."
                )
            if given.pop("test", None):
                raise ValueError("folds test every row: there is no share of test rows. Leave out test.")
            if given.pop("test_rows", None) is not None:
                raise ValueError("folds test every row: no test rows are chosen. Leave out test_rows.")
        except ValueError as error:
            raise SettingsError(str(error)) from None
        self.table, self.task, self._given = table, task, given
        made_task = make_task(table, task)
        fewest = 2 if made_task.name == "regression" else 1
        if len(table) < fewest * self.folds:
            raise DataError(
                f"{table.source} has {counted(len(table), 'row')}, too few for {self.folds} folds of "
                f"{fewest} or more. Ask for fewer folds."
            )
        settings = {name: value for name, value in given.items() if name != "missing"}
        self.seed = settings_for(made_task, *table.X.shape, **settings).seed
        self._classes = made_task.encode(table) if made_task.classes else None
        self.notes = _notes(made_task.classes, self._classes)
        self.first = self._fitting(0, next(self.parts()))

    def parts(self) -> Iterator[NDArray[np.int64]]:
        """Yield the test rows of each training, (n,) in ascending order; a repeat is dealt when it begins."""
        rng = np.random.default_rng([self.seed, STREAM])
        for _ in range(self.repeats):
            yield from deal(rng, len(self.table), self.folds, self._classes)

    def run(
        self, *, callbacks: Sequence[Callback] = (), told: Callable[[Fold], object] | None = None
    ) -> CrossValidation:
        """Train and test each fold; call `told` after each. Ctrl-C ends it with the folds that are done.

        Raises DivergenceError as `Network.fit`, KeyboardInterrupt if no fold is done yet.
        """
        each, interrupted = list[Fold](), False
        try:
            for i, rows in enumerate(self.parts()):
                start = perf_counter()
                fitting = self._fitting(i, rows) if i else self.first
                repeat, number = (position + 1 for position in divmod(i, self.folds))
                try:
                    history = fitting.run(callbacks=callbacks)
                except DivergenceError as error:
                    error.add_note(f"That was in repeat {repeat}, fold {number}.")
                    raise
                if fitting.interrupted:
                    raise KeyboardInterrupt
                scores = fitting.report(intervals=False).test
                assert scores is not None
                seconds = perf_counter() - start
                metric, epochs = history.metric, fitting.epochs
                each.append(Fold(repeat, number, rows, self.seed + i, scores, metric, epochs, seconds))
                if told is not None:
                    told(each[-1])
        except KeyboardInterrupt:
            interrupted = True
            if not each:
                raise
        is_built_in = self.first.network.stack.loss.is_built_in
        return CrossValidation(
            self.folds,
            self.repeats,
            each[0].metric,
            tuple(each),
            self.notes,
            interrupted,
            (0.0, inf) if is_built_in else ANY,
        )

    def _fitting(self, i: int, rows: NDArray[np.int64]) -> Fitting:
        given = {**self._given, "seed": self.seed + i}
        return Fitting(self.table, self.task, test_rows=rows, **given)


def _notes(names: Sequence[object], classes: HostArray | None) -> tuple[str, ...]:
    """Return a sentence about classes that are not learned where they are tested."""
    if classes is None:
        return ()
    single = np.flatnonzero(np.bincount(classes, minlength=len(names)) == 1)
    if not single.size:
        return ()
    which = listed([str(names[i]) for i in single.tolist()])
    return (f"classes of a single row, which is never learned from where it is tested: {which}",)


def cross_validate(
    data: Any,
    target: Any = None,
    *,
    folds: int = 5,
    repeats: int = 1,
    progress: bool = False,
    **given: Any,
) -> CrossValidation:
    """Train a model for each fold on all others, and return the scores of all, with means and intervals.

    No model is kept: ``train(data, target, test=0)`` makes one of all rows.

    Parameters
    ----------
    data, target
        As in `train`.
    folds, repeats : int
        Every row is tested once in each repeat, so that there are ``folds * repeats`` trainings.
    progress : bool
        Whether to write a line a fold to standard error.
    given
        All else that `train` takes: what is said of columns and targets, ``task=``, any of `Settings`, but
        neither ``test=`` nor ``test_rows=``: folds test every row. See `Folding`.

    Raises as `train` and `Folding`. Ctrl-C ends it with a warning, once a fold is done.

    Examples
    --------
    >>> import fuseprop
    >>> scores = fuseprop.cross_validate("iris", folds=2, epochs=5, members=1, device="cpu")
    >>> scores.folds, sorted(scores.means)[:2]
    (2, ['accuracy', 'balanced_accuracy'])
    """
    table, arguments = table_and_arguments(data, target, **given)
    if "test" not in given:
        arguments.pop("test", None)
    folding = Folding(table, folds, repeats, **arguments)
    lines = Verbose(progress, sys.stderr)
    made = folding.run(told=lambda fold: lines.say(fold.describe()))
    lines.warn()
    if made.interrupted:
        done = f"{len(made.each)} of {made.trainings}"
        warn_user(f"cross-validation interrupted: the scores are those of {done} trainings.", UserWarning)
    return made

"""Many trainings as parts of a page: the folds of a cross-validation, and what tuning tried."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ...checks.quoting import counted, shown
from ...data.showing import details_of
from ...data.tasks import Task
from ...showing import paragraph
from ...showing.page import page, table
from ..folds import CrossValidation, Folding
from ..tuning import Tuning
from .chosen import settings_parts
from .columns import columns_parts
from .environment import environment_parts
from .plan import planned
from .scores import about_baseline, about_targets, about_task, notes_of

MOST_LISTED = 500
"""So many trainings have a line each, the first ones."""


def folds_parts(made: CrossValidation, task: Task) -> list[str]:
    """Return the means of a cross-validation with their intervals, and the scores of each training."""
    means = [
        (name, mean.value, *(mean.interval or (None, None)), mean.deviation)
        for name, mean in made.means.items()
    ]
    names = list(dict.fromkeys(name for fold in made.each for name in fold.scores))
    lines = [
        (f"{fold.repeat}.{fold.number}", *map(fold.scores.get, names), len(fold.rows), fold.seed, fold.epochs)
        for fold in made.each[:MOST_LISTED]
    ]
    left = len(made.each) - len(lines)
    return [
        table("Mean of each score", ("score", "mean", "95% from", "to", "deviation"), means),
        paragraph(
            f"Test rows of {counted(len(made.each), 'training')}; the intervals are Student's t, corrected "
            f"for trainings that share rows."
        ),
        table("Each fold", ("repeat.fold", *names, "test rows", "seed", "epochs"), lines),
        paragraph(f"And {counted(left, 'more training')}.") if left else "",
        *map(paragraph, notes_of(made.each[0].scores)),
        paragraph(f"baseline: {about_baseline(task.name)}, in the test rows of each fold by itself; the mean")
        if "baseline" in made.means
        else "",
        *map(paragraph, about_targets(task)),
        *(paragraph(f"{name}: not defined on the test rows of every fold.") for name in made.incomplete),
        *map(paragraph, made.notes),
    ]


def tries_parts(tuning: Tuning) -> list[str]:
    """Return all that tuning tried, with the settings that were drawn."""
    lines = []
    for trial in tuning.trials[:MOST_LISTED]:
        entry = trial.entry()
        which = f"{trial.candidate}{', chosen' if trial is tuning.chosen else ''}"
        loss = "diverged" if trial.diverged else trial.loss
        drawn = [_text(entry[name]) for name in tuning.drawn]
        lines.append((which, trial.round, loss, trial.score, trial.epochs, trial.seconds, *drawn))
    metric = tuning.chosen.metric
    names = ("settings", "round", "validation loss", f"validation {metric}", "epochs", "seconds")
    columns = (*names, *(name.replace("_", " ") for name in tuning.drawn))
    return [
        table("All tries", columns, lines),
        paragraph(
            "The first settings are the defaults. The validation rows chose among them, and so score better "
            "than new rows would."
        ),
        paragraph("Tuning was interrupted: not all was tried.") if tuning.interrupted else "",
    ]


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def folds_page(
    folding: Folding,
    made: CrossValidation,
    *,
    given: Collection[str],
    again: Sequence[str],
    data: Iterable[Mapping[str, Any]] = (),
) -> str:
    """Return the page of a cross-validation that made no model to keep, as a text."""
    fitting, table = folding.first, folding.table
    backend, task = fitting.model.network.backend, fitting.model.task
    stands_out = ["No model was made of all rows: these are the scores of models of a part of them each."]
    if made.interrupted:
        stands_out.append(f"It was interrupted after {len(made.each)} of {made.trainings} trainings.")
    sections: dict[str, Sequence[str]] = {
        "What stands out": list(map(paragraph, [*stands_out, *table.notes])),
        "Folds": folds_parts(made, task),
        "Columns": columns_parts(details_of(table)),
        "Settings": [
            paragraph("Rows and seed are those of the first training."),
            *settings_parts(planned(fitting), fitting.settings, given, (), table.source),
        ],
        "Environment": environment_parts(
            backend, fitting.world, data=data, seconds=sum(fold.seconds for fold in made.each)
        ),
        "Again": again,
    }
    title = f"{shown(table.source)}: {about_task(task)}; cross-validated"
    return page(title + " (interrupted)" * made.interrupted, mean_of_folds(made), sections)


def mean_of_folds(made: CrossValidation) -> str:
    """Return the mean of the metric over the folds with its interval, in a line."""
    times = "" if made.repeats == 1 else f", {made.repeats} times"
    folds = f"the test rows of {made.folds} folds{times}"
    name = made.metric if made.metric in made.means else next(iter(made.means), None)
    if name is None:
        return f"no score is defined on {folds}"
    mean = made.means[name]
    between = "" if mean.interval is None else " (95% interval {:.4g} to {:.4g})".format(*mean.interval)
    return f"mean {name} {mean.value:.4g}{between} of {folds}"


def about_the_model(made: CrossValidation) -> str:
    """Return a sentence about the model that is trained after the folds."""
    return (
        "the model learned from all rows, so that none is left to test it: the folds estimate its scores on "
        f"new rows, by models of {made.folds - 1}/{made.folds} of the rows"
    )

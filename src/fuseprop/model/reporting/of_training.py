"""The page of a training: what was trained on what, how it went, and what came of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...checks.quoting import counted, shown
from ...data.errors import listed
from ...data.showing import columns_of, details_of
from ...plots.training import training_panels
from ...showing import paragraph
from ...showing.page import page, table
from ...world import ALONE
from ..decisions import Decisions
from ..fitting import Fitting
from ..folds import CrossValidation
from ..report import Report
from .answers import answers_parts
from .chosen import settings_parts
from .columns import columns_parts
from .environment import environment_parts
from .many import about_the_model, folds_parts, mean_of_folds
from .outcome import ended
from .pictures import drawn
from .plan import planned
from .reliance import reliance_of, reliance_parts
from .scores import about_task, headline, scores_parts

JUDGED = {
    "test": (
        "test rows",
        "The network saw none of them in training: to it they are new rows.",
    ),
    "validation": (
        "validation rows",
        "There are no test rows: these chose the epoch whose weights were kept, and so score better than new "
        "rows would.",
    ),
    "train": (
        "rows learned from",
        "There are no test rows: the model has learned from these, and knows them better than new rows.",
    ),
}
"""The parts of a table by which a model is judged, the best first: how they are called, and what of it."""


LARGE_GAPS = {"accuracy": 0.1, "r2": 0.1}
"""By so much a score of the rows learned from is far above that of the test rows, if beyond its interval."""


@dataclass(frozen=True)
class Findings:
    """What all processes of a training find out together, for the page that one of them writes.

    Attributes
    ----------
    plan
        As `planned` returns it.
    columns
        As `details_of` returns them; of several processes `columns_of`.
    part : "test" | "validation" | "train"
        By which rows the model is judged.
    single : tuple of str
        The classes of a single row.
    decisions : Decisions, or None in another process than the first
    """

    plan: list[tuple[str, list[str]]]
    columns: list[dict[str, Any]]
    part: str
    single: tuple[str, ...]
    decisions: Decisions | None


def findings_of(fitting: Fitting) -> Findings:
    """Return what a page shows of a training that has ended. All processes call this."""
    part = "train"
    if fitting.test is not None:
        part = "test"
    elif fitting.validation is not None and fitting.networks == 1:
        part = "validation"
    columns = details_of(fitting.table) if fitting.world.size == 1 else columns_of(fitting.table)
    decisions = fitting.decisions(dict(fitting.parts())[part])
    return Findings(planned(fitting), columns, part, _single(fitting), decisions)


def _single(fitting: Fitting) -> tuple[str, ...]:
    """Return the classes that a single row of all processes has."""
    task, table = fitting.model.task, fitting.table
    if not task.classes:
        return ()
    counts = fitting.world.total(np.bincount(task.encode(table), minlength=len(task.classes)))
    return tuple(str(task.classes[i]) for i in np.flatnonzero(np.asarray(counts) == 1).tolist())


def training_page(
    fitting: Fitting,
    report: Report,
    found: Findings,
    *,
    given: Collection[str],
    again: Sequence[str],
    data: Iterable[Mapping[str, Any]] = (),
    validated: CrossValidation | None = None,
    more: Mapping[str, Sequence[str]] | None = None,
    tuned: Collection[str] = (),
) -> str:
    """Return the page of a training that has ended, as a text.

    Parameters
    ----------
    given
        The names of the settings that were given.
    again
        Parts of the page that say how to do it again.
    data
        The files, as `fingerprints` returns them.
    validated
        The folds, where they were tested before the training of all rows.
    more
        Sections behind those of the training.
    tuned
        The names of the settings that were chosen by tuning.

    Raises PlotsUnavailable without matplotlib.
    """
    table, settings, model = fitting.table, fitting.settings, fitting.model
    rows, about = JUDGED[found.part]
    parts = {name: scores for name, _ in fitting.parts() if (scores := report.scores(name)) is not None}
    answers: list[str] = []
    if found.decisions is not None:
        answers = [paragraph(about), *answers_parts(found.decisions, rows)]
    sections: dict[str, Sequence[str]] = {
        "What stands out": [_as_list(remarkable(fitting, report, found.single, validated))],
        "Scores": [*scores_parts(parts, fitting.rows_of_parts(), model.task), *_about_networks(fitting)],
        f"Answers: {rows}": answers,
        "Importance of columns": _importance(fitting, found.part, rows),
        "Training": _training(fitting),
        "Folds": [] if validated is None else folds_parts(validated, model.task),
        **(more or {}),
        "Columns": columns_parts(found.columns),
        "Settings": settings_parts(found.plan, settings, given, tuned, table.source),
        "Environment": environment_parts(
            model.network.backend,
            fitting.world,
            data=data,
            seconds=sum(sum(each.seconds) for each in fitting.histories),
        ),
        "Again": again,
    }
    title = f"{shown(table.source)}: {about_task(model.task)}"
    head = headline(model.task, parts.get(found.part), fitting.rows_of_parts()[found.part], rows)
    if validated is not None:
        head = mean_of_folds(validated)
    if fitting.interrupted:
        title += " (interrupted)"
    return page(title, head, sections)


def remarkable(
    fitting: Fitting,
    report: Report,
    single: Sequence[str] = (),
    validated: CrossValidation | None = None,
) -> list[str]:
    """Return sentences on what a reader should know first; `single` are classes of a single row."""
    table, settings, history = fitting.table, fitting.settings, fitting.histories[0]
    said = []
    if fitting.interrupted:
        said.append("The training was interrupted: this is the model as it stood then.")
    if validated is not None:
        said.append(f"On new rows: {mean_of_folds(validated)}; {about_the_model(validated)}.")
    elif fitting.test is None:
        said.append("No rows were for a test: nothing here says how the model does on new rows.")
    said += _beside_the_baseline(report)
    said += _far_from_training(report)
    if single:
        said.append(
            f"Classes of a single row, which is either learned from or tested: {listed(single)}. No score "
            f"says how well they are told from the others."
        )
    if table.without_target:
        said.append(f"{counted(table.without_target, 'row')} without a target left out.")
    if table.left_out:
        said.append(f"{counted(len(table.left_out), 'column')} left out: see the columns.")
    said += [*table.notes, *fitting.model.encoder.notes]
    if fitting.validation is None:
        said.append("No rows were for validation: the weights are those of the last epoch.")
    elif history.best_epoch == settings.epochs == history.epochs:
        said.append("The validation loss was lowest in the last epoch: more epochs may make it lower.")
    return [*said, *ended(fitting)]


def _far_from_training(report: Report) -> list[str]:
    """Return a sentence where the rows learned from have a far better score than the test rows."""
    scores, metric = report.test, report.history.metric
    if scores is None or metric not in LARGE_GAPS:
        return []
    if not all(metric in each for each in (scores, report.train)) or metric not in scores.intervals:
        return []
    learned, tested, (_, high) = report.train[metric], scores[metric], scores.intervals[metric]
    if learned <= high or learned - tested < LARGE_GAPS[metric]:
        return []
    return [
        f"The {metric} of the rows learned from, {learned:.4g}, is far above that of the test rows, "
        f"{tested:.4g}: the network knows some of them by heart (overfitting)."
    ]


def _beside_the_baseline(report: Report) -> list[str]:
    """Return a sentence where the scores of the test rows are not clearly better than those of no model."""
    scores = report.test
    if scores is None:
        return []
    low, _ = scores.intervals.get("accuracy", (1.0, 1.0))
    if "baseline" in scores and low <= scores["baseline"]:
        return [
            f"The accuracy of the test rows is not clearly above that of the most frequent answer alone, "
            f"{scores['baseline']:.4g}: its interval begins at {low:.4g}."
        ]
    _, high = scores.intervals.get("rmse", (0.0, 0.0))
    if "rmse_of_mean" in scores and high >= scores["rmse_of_mean"]:
        return [
            f"The RMSE of the test rows is not clearly below that of their mean alone, "
            f"{scores['rmse_of_mean']:.4g}: its interval ends at {high:.4g}."
        ]
    return []


def _as_list(sentences: Sequence[str]) -> str:
    return "".join(map(paragraph, sentences))


def _about_networks(fitting: Fitting) -> list[str]:
    if fitting.networks == 1 or fitting.validation is None:
        return []
    return [paragraph("validation: each network by the rows held out from it, and the mean of these scores")]


def _importance(fitting: Fitting, part: str, rows: str) -> list[str]:
    taken = dict(fitting.parts())[part]
    assert taken is not None
    own = replace(fitting.table, world=ALONE).take(taken)  # this process's rows, for which it asks no other
    model = fitting.model
    if fitting.world.size > 1:
        rows += " of process 0"
    seed = fitting.settings.seed
    return reliance_parts(
        reliance_of(model.network, model.encoder, own, model.encode_targets(own), rows=rows, seed=seed)
    )


def _training(fitting: Fitting) -> list[str]:
    histories = fitting.histories[: fitting.networks]
    if not histories[0].epochs:
        return [paragraph("Training ended within its first epoch: there are no curves.")]
    parts = [drawn(training_panels(histories))]
    if fitting.validation is None:
        parts.append(
            paragraph(
                "The model has the weights of the last epoch, not those of the lowest loss: no rows were for "
                "validation, which would show that lower is better on rows that were not learned from."
            )
        )
    if len(histories) > 1:
        parts.append(
            paragraph(
                "A faint line is one network; a bold one is the mean over the epochs that all networks had."
            )
        )
    if not all(history.gradient_norms for history in histories):
        parts.append(paragraph("The norms of gradients were not recorded."))
    names = ("network", "epochs", "kept epoch", "ended by", "lowest loss", "seconds")
    lines = [
        (
            str(number),
            each.epochs,
            kept,
            each.stop_reason,
            min(each.validation_loss or each.train_loss),
            sum(each.seconds),
        )
        for number, (each, kept) in enumerate(zip(histories, fitting.kept_epochs, strict=False), 1)
    ]
    return [*parts, table("Each network", names, lines)]

"""The page of a model: what it is, and what it makes of some rows, where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...checks.quoting import counted, shown
from ...data.column import QUANTITIES
from ...data.dates import date_text
from ...data.encoder import Encoder
from ...data.errors import listed
from ...data.seen import Seen
from ...data.tasks import Task
from ...metrics import Scores
from ...network import Network
from ...plots.training import training_panels
from ...showing import paragraph
from ...showing.page import facts, page
from ...world import ALONE
from ..decisions import Decisions
from ..report import Report
from .answers import answers_parts
from .columns import columns_parts
from .environment import environment_parts
from .pictures import drawn
from .reliance import Reliance, reliance_parts
from .scores import about_task, headline, scores_parts


@dataclass(frozen=True)
class Judged:
    """What a model makes of rows with targets: of how many, from where, its scores, answers and reliance."""

    source: str
    rows: int
    scores: Scores
    decisions: Decisions
    reliance: Reliance


def model_page(
    network: Network,
    task: Task,
    encoder: Encoder,
    seen: Seen | None,
    judged: Judged | None,
    training: Report | None,
) -> str:
    """Return the page of a model as a text; of its training, and of rows, as far as they are given.

    Raises PlotsUnavailable without matplotlib.
    """
    parts: dict[str, Scores] = {}
    rows: dict[str, int] = {}
    if training is not None:
        for name in ("train", "validation", "test"):
            scores = training.scores(name)
            if scores is not None:
                parts[f"{name} in training"] = scores
    answers, reliance = [paragraph("Not known: no rows with targets were given.")], list[str]()
    if judged is not None:
        source = shown(judged.source, None)
        parts[source], rows[source] = judged.scores, judged.rows
        answers = answers_parts(judged.decisions, "rows given")
        reliance = reliance_parts(judged.reliance)
    curves = [
        paragraph(
            "Not known: a model file keeps no history. `training=` takes the report that `train` returns."
        )
    ]
    if training is not None:
        curves = [drawn(training_panels(training.histories))]
    sections: dict[str, Sequence[str]] = {
        "Model": [_network(network, task, encoder)],
        "Scores": scores_parts(parts, rows, task) if parts else [],
        "Answers": answers,
        "Importance of columns": reliance,
        "Training": curves,
        "Columns": columns_parts(_columns(encoder, seen)),
        "Environment": environment_parts(network.backend, ALONE),
    }
    head = headline(
        task, None if judged is None else judged.scores, 0 if judged is None else judged.rows, "rows given"
    )
    return page(f"Model: {about_task(task)}", head, sections)


def _network(network: Network, task: Task, encoder: Encoder) -> str:
    layers = " -> ".join(
        [str(network.inputs), *(f"{each.outputs} {each.function}" for each in network.layers)]
    )
    classes = [("classes", listed([str(name) for name in task.classes]))] if task.classes else []
    return facts(
        [
            ("task", task.name),
            ("targets", listed(task.targets)),
            *classes,
            ("columns", len(encoder.columns)),
            ("network", layers),
            ("loss", str(network.loss)),
            ("parameters", f"{network.stack.parameters.count:,}"),
            ("missing values", "refused" if encoder.missing == "refuse" else "encoded"),
        ]
    )


def _columns(encoder: Encoder, seen: Seen | None) -> list[dict[str, Any]]:
    """Return what a model knows of the columns that it learned from, in words."""
    columns: list[dict[str, Any]] = []
    for j, column in enumerate(encoder.columns):
        what = f"{counted(len(column.levels), 'text')}: {listed(column.levels)}" if column.levels else ""
        if column.kind in QUANTITIES and seen is not None and len(seen.low):
            ends = [
                date_text(x) if column.kind == "date" else f"{x:.6g}" for x in (seen.low[j], seen.high[j])
            ]
            what = f"{ends[0]} to {ends[1]} in training"
        missing = "some in training" if encoder.indicated[j] else "none in training"
        columns.append({"name": column.name, "kind": column.kind, "missing": missing, "why": what})
    return columns

"""The texts of `fuseprop train`: the plan of a training, and its results as a table and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..checks.quoting import shown
from ..data.showing import columns_of
from ..metrics import Scores
from ..model.fitting import Fitting
from ..model.report import Report
from ..model.reporting.outcome import ended
from ..model.reporting.plan import planned
from ..model.reporting.scores import about_baseline, about_targets
from .scores_text import confusion_data, confusion_lines, score_lines


def plan(fitting: Fitting) -> str:
    """Return lines that show the data, the task, the network and all settings before a training begins."""
    return "\n".join(
        f"{'' if i else name:<10}{line}" for name, lines in planned(fitting) for i, line in enumerate(lines)
    )


def results(fitting: Fitting, report: Report, out: Path | None) -> str:
    """Return a table of the scores of each part, a linear model's slopes, the time, and the model's path."""
    metric = report.history.metric
    names = [name for name in dict.fromkeys(("loss", metric, "baseline")) if name in report.train]
    lines = [f"{'':<12}{''.join(f'{name:>10}' for name in names)}{'rows':>8}"]
    for name, rows in fitting.rows_of_parts().items():
        scores = report.scores(name)
        if scores is not None:
            values = [_cell(scores, score) for score in names]
            lines.append(f"{name:<12}{''.join(values)}{rows:>8}")
    if "baseline" in names:
        lines.append(f"baseline: {about_baseline(fitting.model.task.name)}")
    lines += about_targets(fitting.model.task)
    if fitting.networks > 1 and report.validation is not None:
        lines.append("validation: each network by the rows held out from it, and the mean of these scores")
    lines += _about_the_test(report)
    linear = fitting.model.linear()
    if linear is not None:
        slopes, intercepts = linear
        features = fitting.model.encoder.feature_names
        for j, target in enumerate(fitting.model.task.targets):
            lines.append(f"{shown(target)} = intercept {intercepts[j]:.4g}")
            lines += [f"    slope {slopes[i, j]:>12.4g}  of {shown(name)}" for i, name in enumerate(features)]
    lines += ended(fitting)
    if out is not None:
        lines.append(f"model written to {shown(out, None)}")
    return "\n".join(lines)


def _cell(scores: Scores, name: str) -> str:
    if name not in scores:
        return f"{'none':>10}"
    return f"{scores[name]:>10.{'4g' if name == 'loss' else '4f'}}"


def _about_the_test(report: Report) -> list[str]:
    """Return lines that show all scores of the test rows, with their intervals."""
    scores = report.test
    if scores is None:
        return []
    above = ("loss", "baseline")
    beside = Scores(
        {name: score for name, score in scores.items() if name not in above},
        intervals=scores.intervals,
        undefined=scores.undefined,
        confusion=scores.confusion,
    )
    return [*score_lines(beside, "test rows"), *confusion_lines(scores.confusion)]


def as_json(fitting: Fitting, report: Report, out: Path | None) -> dict[str, Any]:
    """Return scores, settings and surroundings of a training as data for JSON."""
    model, history = fitting.model, report.history
    backend = model.network.backend
    result: dict[str, Any] = {
        "data": fitting.table.source,
        "columns": columns_of(fitting.table),
        "notes": [*fitting.table.notes, *model.encoder.notes],
        "without_target": fitting.table.without_target,
        "task": model.task.name,
        "backend": backend.name,
        "device": backend.device,
        "epochs": fitting.epochs,
        "stop_reason": history.stop_reason,
        "kept_epoch": fitting.kept_epochs[0] if fitting.networks == 1 else None,
        "members": [
            {
                "epochs": each.epochs,
                "stop_reason": each.stop_reason,
                "kept_epoch": kept,
                "batch_size": each.batch_size,
                "halvings": each.halvings,
            }
            for each, kept in zip(fitting.histories, fitting.kept_epochs, strict=True)
        ],
    }
    parts = {name: report.scores(name) or Scores() for name, _ in fitting.parts()}
    names = dict.fromkeys(name for scores in parts.values() for name in (*scores, *scores.undefined))
    for part, scores in parts.items():
        result |= {f"{part}_{name}": scores.get(name) for name in names}
    result["test_intervals"] = parts["test"].intervals
    result["undefined"] = {part: scores.undefined for part, scores in parts.items() if scores.undefined}
    result["test_confusion"] = confusion_data(parts["test"].confusion)
    result["seconds_per_epoch"] = fitting.seconds_per_epoch
    result["parameters"] = fitting.parameters
    result["rows"] = fitting.rows_of_parts()
    result["processes"] = fitting.world.size
    result["settings"] = asdict(fitting.settings)
    weights = fitting.class_weights
    if weights is not None:
        result["class_weights"] = dict(zip(model.task.classes, weights, strict=True))
    linear = model.linear()
    if linear is not None:
        slopes, intercepts = linear
        result["intercept"] = dict(zip(model.task.targets, intercepts, strict=True))
        result["slope"] = {
            target: dict(zip(model.encoder.feature_names, slopes[:, j], strict=True))
            for j, target in enumerate(model.task.targets)
        }
    result["model"] = None if out is None else str(out)
    return result

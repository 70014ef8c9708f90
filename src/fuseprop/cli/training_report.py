"""The texts of `fuseprop train`: the plan of a training, and its results as a table and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from math import inf
from pathlib import Path
from typing import Any

from ..backend.registry import explain_auto, named_device
from ..checks.quoting import counted, shown
from ..data.errors import listed
from ..data.showing import columns_of, lines_of
from ..metrics import Scores
from ..model.fitting import Fitting, Report
from ..model.settings import Settings
from .scores_text import confusion_data, confusion_lines, score_lines


def plan(fitting: Fitting) -> str:
    """Return lines that show the data, the task, the network and all settings before a training begins."""
    s, task, network = fitting.settings, fitting.model.task, fitting.model.network
    table, backend = fitting.table, network.backend
    names = [str(name) for name in task.classes]
    about = f", {len(names)} classes: {listed(names)}" if names else ""
    sizes = [f"{layer.outputs} {layer.function}" for layer in network.layers]
    alone = fitting.world.size == 1
    choosing = f"\n          {explain_auto()}" if alone and named_device(s.device, "auto") == "auto" else ""
    return "\n".join(
        [
            f"data      {shown(table.source, None)}: {counted(fitting.counts['all'], 'row')}, "
            f"{counted(table.X.shape[1], 'feature')}",
            *_about_columns(fitting),
            *_about_quantities(s),
            f"task      {task.name}: {listed(task.targets)}{about}",
            f"rows      {_rows(fitting)}",
            f"network   {network.inputs} -> {' -> '.join(sizes)}; {network.loss}; "
            f"{counted(network.stack.parameters.count, 'parameter')}",
            *_about_members(fitting),
            f"training  {', '.join(_training(s))}",
            *_about_classes(fitting),
            f"keeps     {_about_keeping(fitting)}",
            f"device    {backend.device} ({backend.name}, {s.dtype}){choosing}",
            *_about_processes(fitting),
        ]
    )


def _about_processes(fitting: Fitting) -> list[str]:
    """Return a line about the processes that train together, where there are several."""
    size, settings = fitting.world.size, fitting.settings
    if size == 1:
        return []
    what = "a part of every batch"
    if settings.scaling == "weak":
        rows = settings.batches(size)
        what = f"a batch of its own, {rows:,} rows in all; the rate rises to {size} times its size"
    masks = "; masks of dropout depend on how many there are" if settings.dropout else ""
    return [f"processes {size}, each with rows of its own and {what}{masks}"]


def _rows(fitting: Fitting) -> str:
    """Return how many rows there are in which part, in words."""
    counts = fitting.counts
    parts = {"to learn from": counts["first learned"], "for validation": counts["first held out"]}
    if fitting.settings.members > 1 and counts["held out"]:
        parts = {
            "to learn from": counts["learned"],
            "of them held out from each network for validation": counts["first held out"],
        }
    parts["for the test"] = counts["test"]
    return ", ".join(f"{count or 'none'} {what}" for what, count in parts.items())


def _about_members(fitting: Fitting) -> list[str]:
    """Return a line about the networks that are joined to one, where there are several."""
    members = fitting.settings.members
    if members == 1:
        return []
    return [
        f"members   {members} such networks, trained one by one and joined to one: the mean of their outputs"
    ]


def _about_quantities(s: Settings) -> list[str]:
    """Return a line about what the network gets of numbers and dates beside their scaled values."""
    said = [f"at most {s.bins} bins each"] if s.bins else []
    said += ["heavy tails clipped smoothly"] if s.clip else []
    return [f"numbers   and dates: {', '.join(said)}"] if said else []


def _training(s: Settings) -> list[str]:
    """Return what is set of the steps of a training, in words; what is not set is left out."""
    rate = f"learning rate {s.learning_rate:g}"
    said = [
        counted(s.epochs, "epoch"),
        f"batch size {s.batch_size}",
        rate if s.schedule == "constant" else f"{rate} with the schedule {s.schedule}",
        s.optimizer if s.momentum is None else f"momentum {s.momentum:g}",
        f"weight decay {s.weight_decay:g}",
    ]
    if s.dropout:
        said.append(f"dropout {s.dropout:g}")
    if s.clip_norm is not None:
        said.append(f"clip norm {s.clip_norm:g}")
    said += ["the rate halved where it diverges"] if s.on_divergence == "halve" else []
    said += ["the batch halved where it has no room"] if s.on_oom == "halve" else []
    return [*said, f"seed {s.seed}"]


def _about_classes(fitting: Fitting) -> list[str]:
    """Return a line with the weight of each class, where they are weighted."""
    weights = fitting.class_weights
    if weights is None:
        return []
    pairs = zip(fitting.model.task.classes, weights, strict=True)
    return [f"weights   {listed([f'{name} {weight:.4g}' for name, weight in pairs])}, of rows in training"]


def _about_keeping(fitting: Fitting) -> str:
    if fitting.validation is None:
        return "the weights of the last epoch: no rows are for validation"
    patience = fitting.settings.patience
    end = f"; ends after {counted(patience, 'epoch')} without a lower one" if patience else ""
    return f"the weights of the epoch with the lowest validation loss{end}"


def _about_columns(fitting: Fitting) -> list[str]:
    """Return lines that show the columns, and what was guessed and left out."""
    table = fitting.table
    lines = lines_of(table)
    if table.without_target:
        lines.append(f"{counted(table.without_target, 'row')} without a target left out")
    lines += [*table.notes, *fitting.model.encoder.notes]
    return [f"{'' if i else 'columns':<10}{line}" for i, line in enumerate(lines)]


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
        what = "combination of labels" if fitting.model.task.name == "multi-label" else "class"
        lines.append(f"baseline: the accuracy of the most frequent {what} alone")
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
    if fitting.seconds_per_epoch is not None:
        why = " (early stopping)" if report.histories[0].stop_reason == "early stopping" else ""
        each = f"{1000 * fitting.seconds_per_epoch:.3g} ms each"
        if fitting.networks == 1:
            lines.append(f"{counted(fitting.epochs, 'epoch')}{why}, {each}; {_kept(fitting)}")
        else:
            lines.append(f"{counted(fitting.epochs, 'epoch')} in all, {each}; {_kept_by_each(fitting)}")
    lines += _about_changes(fitting)
    if out is not None:
        lines.append(f"model written to {shown(out, None)}")
    return "\n".join(lines)


def _about_changes(fitting: Fitting) -> list[str]:
    """Return a line for each network whose training has left a setting that was given."""
    lines = []
    for number, history in enumerate(fitting.histories, 1):
        which = f"network {number}: " if len(fitting.histories) > 1 else ""
        rates = [f"{each['learning_rate']:g} in epoch {each['epoch']}" for each in history.halvings]
        if rates:
            lines.append(f"{which}the loss diverged; the learning rate was halved to {listed(rates)}")
        if (history.batch_size or inf) < fitting.settings.batch_size:
            lines.append(f"{which}the device had no room; a batch had {history.batch_size} rows")
    return lines


def _kept(fitting: Fitting) -> str:
    """Return in words which weights the model has."""
    epoch = fitting.kept_epochs[0]
    if epoch is None:
        return "the weights are those of the last step"
    if epoch == 0:
        return "the weights are those that training began with"
    why = ", with the lowest validation loss" if fitting.histories[0].restore_best else ""
    return f"the weights are those of epoch {epoch}{why}"


def _kept_by_each(fitting: Fitting) -> str:
    """Return in words which weights each of several networks has."""
    kept = ["last step" if epoch is None else str(epoch) for epoch in fitting.kept_epochs[: fitting.networks]]
    why = ", with the lowest validation loss of each" if fitting.histories[0].restore_best else ""
    return f"{len(kept)} networks, of the epochs {', '.join(kept)}{why}"


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

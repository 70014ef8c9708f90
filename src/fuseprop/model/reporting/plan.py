"""What a training is going to do, as names and words: the command prints it, and a page shows it."""

from __future__ import annotations

from ...backend.registry import explain_auto, named_device
from ...checks.quoting import counted, shown
from ...data.errors import listed
from ...data.showing import lines_of
from ..fitting import Fitting
from ..settings import Settings


def planned(fitting: Fitting) -> list[tuple[str, list[str]]]:
    """Return the data, the task, the network and all settings before a training begins: a name, and lines.

    Processes that train together all call this, and return the same.
    """
    s, task, network = fitting.settings, fitting.model.task, fitting.network
    table, backend = fitting.table, network.backend
    names = [str(name) for name in task.classes]
    about = f", {len(names)} classes: {listed(names)}" if names else ""
    sizes = [f"{layer.outputs} {layer.function}" for layer in network.layers]
    alone = fitting.world.size == 1
    choosing = [explain_auto()] if alone and named_device(s.device, "auto") == "auto" else []
    parts = {
        "data": [
            f"{shown(table.source, None)}: {counted(fitting.counts['all'], 'row')}, "
            f"{counted(table.X.shape[1], 'feature')}"
        ],
        "columns": _about_columns(fitting),
        "numbers": _about_quantities(s),
        "task": [f"{task.name}: {listed(task.targets)}{about}"],
        "rows": [_rows(fitting)],
        "network": [
            f"{network.inputs} -> {' -> '.join(sizes)}; {network.loss}; "
            f"{counted(network.stack.parameters.count, 'parameter')}"
        ],
        "members": _about_members(fitting),
        "training": [", ".join(_training(s))],
        "weights": _about_classes(fitting),
        "keeps": [_about_keeping(fitting)],
        "device": [f"{backend.device} ({backend.name}, {s.dtype})", *choosing],
        "processes": _about_processes(fitting),
    }
    return [(name, lines) for name, lines in parts.items() if lines]


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
    return [f"{size}, each with rows of its own and {what}{masks}"]


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
    return [f"{members} such networks, trained one by one and joined to one: the mean of their outputs"]


def _about_quantities(s: Settings) -> list[str]:
    """Return a line about what the network gets of numbers and dates beside their scaled values."""
    said = [f"at most {s.bins} bins each"] if s.bins else []
    said += ["heavy tails clipped smoothly"] if s.clip else []
    return [f"and dates: {', '.join(said)}"] if said else []


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
    return [f"{listed([f'{name} {weight:.4g}' for name, weight in pairs])}, of rows in training"]


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
    return [*lines, *table.notes, *fitting.model.encoder.notes]

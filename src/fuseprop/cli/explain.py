"""fuseprop explain MODEL DATA: prints which columns a saved model relies on, by permuting each of them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ..checks.quoting import counted, shown
from ..model.importance import ColumnImportance, Importance
from ..model.model import Model
from ..plots import save_figure
from .output import Run, echo, echo_json, warnings_printed
from .parameters import any_size, data, device, plot_path
from .parameters import target as target_option
from .places import check_not_read


@click.command()
@click.argument("model")
@data
@target_option("Target columns, or the key in an NPZ file [as in training].")
@click.option(
    "--repeats",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="How often each column is permuted.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@any_size
@device
@click.option("--plot", type=plot_path, help='Draw it: .png, .svg or .pdf. Needs the extra "plots".')
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def explain(
    model: str,
    data: tuple[str, ...],
    target: tuple[str, ...] | None,
    repeats: int,
    seed: int,
    any_size: bool,
    device: str | None,
    plot: Path | None,
    json_: bool,
) -> None:
    """Show which columns of DATA the model in the file MODEL relies on (permutation importance).

    By how much the loss rises, and the metric falls, where a column's cells go to other rows. DATA has the
    target too; give rows that the model has not learned from, or it shows what the model knows by heart. A
    column of little importance may still say much that other columns say too.
    """
    check_not_read({"MODEL": [Path(model)], "DATA": data}, {"--plot": plot})
    run, loaded = Run.current(), Model.load(model, device)
    table = loaded.table(data, target_names=target or loaded.task.targets, any_size=any_size)
    if table.without_target:
        run.say(f"{counted(table.without_target, 'row')} without a target left out")
    columns = counted(len(loaded.encoder.columns), "column")
    run.say(f"permuting {columns} among {counted(len(table), 'row')}, each {counted(repeats, 'time')}")
    with warnings_printed():
        found = loaded.explain(table, repeats=repeats, seed=seed)
    drawn = None
    if plot is not None:
        with run.noting_failure("the picture was not drawn"):
            save_figure(found.figure(table.source), plot)
            drawn = plot
    if json_:
        echo_json(_as_json(found, loaded, seed) | {"plot": None if drawn is None else str(drawn)})
    else:
        echo(str(found))
        if drawn is not None:
            echo(f"picture written to {shown(drawn, None)}")


def _as_json(found: Importance, model: Model, seed: int) -> dict[str, Any]:
    backend = model.network.backend
    return {
        "task": model.task.name,
        "backend": backend.name,
        "device": backend.device,
        "rows": found.rows,
        "repeats": found.repeats,
        "seed": seed,
        **found.scores,
        "columns": [_column(column, found.metric) for column in found.columns],
        "notes": found.notes,
    }


def _column(column: ColumnImportance, metric: str) -> dict[str, Any]:
    result = {"name": column.name, "loss": asdict(column.loss)}
    return result if column.metric is None else {**result, metric: asdict(column.metric)}

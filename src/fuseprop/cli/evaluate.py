"""fuseprop evaluate MODEL DATA: prints the scores of a saved model on rows with targets."""

from __future__ import annotations

from pathlib import Path

import click

from ..data import is_file_name, load_table
from ..data.target_cells import AUTO
from ..model.model import Model
from .output import echo, echo_json, warnings_printed
from .parameters import any_size, data, device
from .parameters import target as target_option


@click.command()
@click.argument("model")
@data
@target_option("Target columns, or the key in an NPZ file [as in training].")
@any_size
@device
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def evaluate(
    model: str,
    data: tuple[str, ...],
    target: tuple[str, ...] | None,
    any_size: bool,
    device: str | None,
    json_: bool,
) -> None:
    """Print the loss and the metric of the model in the file MODEL over all rows of DATA.

    The loss is in the network's units: for a regression those of the standardized target. The baseline is the
    accuracy of the most frequent class alone, on the same rows. Warns on standard error where a column is far
    outside of what the model learned from.
    """
    loaded = Model.load(model, device)
    expected: tuple[str, ...] | None = loaded.task.targets
    if Path(data[0]).suffix.lower() == ".npz" and len(loaded.task.targets) > 1:
        expected = None  # an NPZ file keeps several targets in one array
    reading = loaded.task.reading() if is_file_name(data[0]) else AUTO
    table = load_table(
        data, target or expected, loaded.feature_names, any_size=any_size, **reading.keywords()
    )
    with warnings_printed():
        scores = loaded.evaluate(table)
    if json_:
        backend = loaded.network.backend
        about = {"task": loaded.task.name, "backend": backend.name, "device": backend.device}
        echo_json({**about, "rows": len(table), **scores})
    else:
        echo("\n".join(f"{name:<10}{score:.6g}" for name, score in scores.items()))

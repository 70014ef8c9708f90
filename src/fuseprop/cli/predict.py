"""fuseprop predict MODEL DATA: prints the predictions of a saved model, a line for each row."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from io import StringIO

import click
import numpy as np

from ..checks.quoting import printable
from ..model.answers import Predictions
from ..model.model import Model
from .output import cell_text, echo, echo_json, spreadsheet_cell, warnings_printed
from .parameters import any_size, data, device


@click.command()
@click.argument("model")
@data
@any_size
@device
@click.option("--json", "json_", is_flag=True, help="Print one JSON object instead of CSV.")
@click.option(
    "--spreadsheet",
    is_flag=True,
    help="Write an apostrophe before text that a spreadsheet would compute: = + - @ at its start.",
)
def predict(
    model: str,
    data: tuple[str, ...],
    any_size: bool,
    device: str | None,
    json_: bool,
    spreadsheet: bool,
) -> None:
    """Predict the target of each row of DATA, one or more files, with the model in the file MODEL.

    Prints CSV: the prediction and, where there are classes, the probability of each; hinge has none. Features
    are found by their names; other columns, the target's too, are ignored. Warns on standard error where a
    column is far outside of what the model learned from.
    """
    if json_ and spreadsheet:
        raise click.UsageError("--spreadsheet is about CSV: it does not go with --json.")
    loaded = Model.load(model, device)
    table = loaded.table(data, any_size=any_size)
    with warnings_printed():
        predictions = loaded.predict(table)
    if json_:
        echo_json(
            {
                "task": loaded.task.name,
                "target": loaded.task.targets,
                "classes": loaded.task.labels,
                "predictions": predictions.values,
                "probabilities": predictions.probabilities,
            }
        )
    else:
        text = _csv(loaded, predictions, spreadsheet_cell if spreadsheet else str)
        is_terminal = sys.stdout is not None and sys.stdout.isatty()
        echo(printable(text) if is_terminal else text, nl=False)


def _csv(model: Model, predictions: Predictions, as_text: Callable[[str], str]) -> str:
    """Return the predictions as CSV with a header row; `as_text` is applied to names and classes."""
    values = predictions.values.reshape(len(predictions.values), -1)
    header = ["prediction"] if values.shape[1] == 1 else [f"prediction {name}" for name in model.task.targets]
    header += [f"probability {label}" for label in predictions.labels]
    probabilities = predictions.probabilities
    columns = [values] if probabilities is None else [values, probabilities]
    dtype = str(np.dtype(model.network.backend.dtype))
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([as_text(name) for name in header])
    for row in zip(*columns, strict=True):
        writer.writerow(
            [
                as_text(value) if isinstance(value, str) else cell_text(value, dtype)
                for part in row
                for value in part
            ]
        )
    return text.getvalue()

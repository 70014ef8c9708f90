"""fuseprop predict MODEL DATA: a line of answers for each row."""

from __future__ import annotations

import csv
from io import StringIO

import click
import numpy as np

from ..data import load_table
from ..model import Model, Predictions
from .output import cell, echo, echo_json
from .parameters import data, device


@click.command()
@click.argument("model")
@click.argument("data", type=data)
@device
@click.option("--json", "json_", is_flag=True, help="Print one JSON object instead of CSV.")
def predict(model: str, data: str, device: str, json_: bool) -> None:
    """Predict the target of each row of DATA with the model in the file MODEL.

    Prints CSV: the prediction and, where there are classes, the probability of each. Features are found by
    their names; other columns, the target's too, are ignored.
    """
    loaded = Model.load(model, device)
    made = loaded.predict(load_table(data, (), loaded.feature_names))
    if json_:
        echo_json(
            {
                "task": loaded.task.name,
                "target": loaded.task.targets,
                "classes": made.labels,
                "predictions": made.values,
                "probabilities": made.probabilities,
            }
        )
    else:
        echo(_csv(loaded, made), nl=False)


def _csv(model: Model, made: Predictions) -> str:
    values = made.values.reshape(len(made.values), -1)
    header = ["prediction"] if values.shape[1] == 1 else [f"prediction {name}" for name in model.task.targets]
    header += [f"probability {label}" for label in made.labels]
    columns = [values] if made.probabilities is None else [values, made.probabilities]
    dtype = str(np.dtype(model.network.backend.dtype))
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in zip(*columns, strict=True):
        writer.writerow([cell(value, dtype) for part in row for value in part])
    return text.getvalue()

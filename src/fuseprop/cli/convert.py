"""fuseprop convert SOURCE TARGET: writes a model in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..checks.quoting import counted, shown
from ..exchange.as_model import as_model
from ..exchange.formats import FORMATS, Format, format_of
from ..model.model import Model
from ..network import Network
from ..storage.atomic import is_same_file
from .output import Run, echo, echo_json
from .parameters import writable


def _format(text: str) -> tuple[Path, Format]:
    """Return the path and the format of a file; raise for a name that says none."""
    path = Path(text)
    try:
        return path, format_of(path)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command(epilog=f"Formats: {', '.join(f'{end} ({each.name})' for end, each in FORMATS.items())}.")
@click.argument("source", type=_format)
@click.argument("target", type=_format)
@click.option("--overwrite", is_flag=True, help="Replace the file TARGET, if there is one.")
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def convert(source: tuple[Path, Format], target: tuple[Path, Format], overwrite: bool, json_: bool) -> None:
    """Write the model in the file SOURCE to the file TARGET, in the format that its name ends with.

    What a format cannot say is refused by name, and nothing is written. A file at TARGET is replaced at once
    and whole, and only with --overwrite.
    """
    (path, wanted), (place, given) = target, source
    if is_same_file(place, path):
        raise click.UsageError(f"SOURCE and TARGET are one file, {shown(path, None)}. Name another TARGET.")
    if path.exists() and not overwrite:
        raise click.UsageError(
            f"{shown(path, None)} is there already. Name another TARGET, or add --overwrite to replace it."
        )
    writable(path)
    found = given.read(place)
    model = as_model(found) if isinstance(found, Network) else found
    wanted.write(found, path)
    about = {"source": str(place), "target": str(path), "format": wanted.name, **_described(model)}
    if isinstance(found, Network):
        features = counted(found.inputs, "column")
        Run.current().say(
            f"{shown(place, None)} says nothing of columns and classes: taken for the task "
            f"{about['task']} by its loss, {found.loss}, on {features} x1, x2, ... as they are"
        )
    notes = wanted.notes(found)
    for note in notes:
        Run.current().say(f"{shown(path, None)}: {note}")
    if json_:
        echo_json({**about, "notes": [*notes], "bytes": path.stat().st_size})
        return
    size = counted(path.stat().st_size, "byte")
    echo(
        f"{shown(path, None)}: {about['kind']}, {about['task']}, {counted(about['columns'], 'column')}, "
        f"{counted(about['layers'], 'layer')}, {counted(about['parameters'], 'parameter')}, {size}"
    )


def _described(model: Any) -> dict[str, Any]:
    """Return what a model or estimator is, in JSON's types."""
    if isinstance(model, Model):
        layers, task, columns = model.network.layers, model.task.name, len(model.encoder.columns)
        parameters = sum(layer.parameters for layer in layers)
        return {
            "kind": "Model",
            "task": task,
            "columns": columns,
            "layers": len(layers),
            "parameters": parameters,
        }
    parameters = sum(array.size for array in (*model.coefs_, *model.intercepts_))
    return {
        "kind": type(model).__name__,
        "task": "classification" if hasattr(model, "predict_proba") else "regression",
        "columns": model.n_features_in_,
        "layers": len(model.coefs_),
        "parameters": parameters,
    }

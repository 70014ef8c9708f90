"""fuseprop evaluate MODEL DATA: prints the scores of a saved model on rows with targets."""

from __future__ import annotations

import click

from ..checks.quoting import counted
from ..model.model import Model
from ..model.reporting.scores import about_targets
from .output import Run, echo, echo_json, warnings_printed
from .parameters import any_size, data, device
from .parameters import target as target_option
from .scores_text import confusion_data, confusion_lines, score_lines


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
    """Print the scores of the model in the file MODEL over all rows of DATA, with their intervals.

    The loss is in the network's units: for a regression those of the standardized target; RMSE and MAE are in
    the target's own. The baseline is the accuracy of the most frequent class alone, on the same rows, and
    rmse_of_mean the RMSE of their mean. Warns on standard error where a column is far outside of what the
    model learned from.
    """
    loaded = Model.load(model, device)
    table = loaded.table(data, target_names=target or loaded.task.targets, any_size=any_size)
    if table.without_target:
        Run.current().say(f"{counted(table.without_target, 'row')} without a target left out")
    with warnings_printed():
        scores = loaded.evaluate(table)
    if json_:
        backend = loaded.network.backend
        about = {"task": loaded.task.name, "backend": backend.name, "device": backend.device}
        undefined = dict.fromkeys(scores.undefined)
        more = {
            "intervals": scores.intervals,
            "undefined": scores.undefined,
            "confusion": confusion_data(scores.confusion),
        }
        echo_json({**about, "rows": len(table), **scores, **undefined, **more})
    else:
        echo(
            "\n".join([*score_lines(scores), *about_targets(loaded.task), *confusion_lines(scores.confusion)])
        )

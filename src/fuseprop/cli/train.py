"""fuseprop train DATA: from a table to a trained, scored and perhaps kept model."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import click

from ..activations import ACTIVATIONS
from ..data import load_table, suggestions_for
from ..data.target_cells import KINDS
from ..data.tasks import DEFAULT_LOSS
from ..divergence import DivergenceError
from ..fitting import Fitting
from ..losses import LOSSES
from ..plots import save_figure, training_figure
from .exit_codes import INTERRUPTED
from .output import echo_json
from .parameters import activations, any_size, data, device, model_path, names, one_of, plot_path, sizes
from .words import as_json, describe, results

SHARE = click.FloatRange(0, 1, max_open=True)


@click.command(epilog="Every option that is not given is chosen from the task and the size of the data.")
@click.argument("data", type=data)
@click.option("--target", type=names, help="Target column, or several: a,b. In an NPZ file its key [y].")
@click.option("--task", type=one_of("task", DEFAULT_LOSS), help=f"One of {', '.join(DEFAULT_LOSS)}.")
@click.option(
    "--target-as",
    type=one_of("kind of target", KINDS),
    default="auto",
    help="numbers; or text: classes as they are written [numbers, but text for 007 and the like].",
)
@click.option(
    "--keep-as-class",
    multiple=True,
    metavar="TEXT",
    help="A text of the target that is a class, though it says missing (NA) or looks like a number (14%).",
)
@click.option("--hidden", type=sizes, help='Sizes of the hidden layers: 64,32; "none" for a linear model.')
@click.option(
    "--activation",
    type=activations,
    help=f"Of the hidden layers, one for all or one each: {', '.join(ACTIVATIONS)}.",
)
@click.option("--loss", type=one_of("loss", LOSSES), help=f"One of {', '.join(LOSSES)}.")
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True))
@click.option("--momentum", type=click.FloatRange(0, 1, max_open=True))
@click.option("--weight-decay", type=click.FloatRange(0))
@click.option("--epochs", type=click.IntRange(1))
@click.option("--batch-size", type=click.IntRange(1))
@click.option("--validation", type=SHARE, help="Share of the rest, scored after each epoch; 0 for none.")
@click.option("--test", type=SHARE, help="Share of rows split off first, for the final score; 0 for none.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True)
@any_size
@device
@click.option("--out", type=model_path, help="Keep the model in this .safetensors file.")
@click.option("--plot", type=plot_path, help='Draw it: .png, .svg or .pdf. Needs the extra "plots".')
@click.option("--json", "json_", is_flag=True, help="Print the results as one JSON object.")
@click.option("--quiet", is_flag=True, help="Print nothing but results.")
def train(
    data: str,
    target: tuple[str, ...] | None,
    any_size: bool,
    target_as: str,
    keep_as_class: tuple[str, ...],
    out: Path | None,
    plot: Path | None,
    json_: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Train a network on DATA: a CSV or NPZ file, or a built-in data set.

    Built-in: digits, iris, wine, breast_cancer, diabetes, xor, line.
    """
    table = load_table(data, target, target_as=target_as, keep_as_class=keep_as_class, any_size=any_size)
    chosen = {name: value for name, value in given.items() if value is not None}
    fitting = Fitting(table, **{**suggestions_for(data), **chosen})
    if not quiet:
        click.echo(describe(fitting), err=True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="training interrupted")  # said below
            history = fitting.run(progress=not quiet, norms=plot is not None)
    except DivergenceError as error:
        if out is not None:
            click.echo(f"{out} was not written: a model that diverged is of no use.", err=True)
        raise error
    interrupted = history.stop_reason == "interrupted"
    if interrupted:
        click.echo(
            f"\ninterrupted after {history.epochs} of {fitting.settings.epochs} epochs; "
            f"this is the model as it stands.",
            err=True,
        )
    if out is not None:
        fitting.model.save(out)
    if plot is not None:
        save_figure(training_figure(history, fitting.table.source, fitting.model, fitting.table), plot)
    report = fitting.report()
    if json_:
        echo_json(as_json(fitting, report, out) | {"plot": None if plot is None else str(plot)})
    else:
        click.echo(results(fitting, report, out))
        if plot is not None:
            click.echo(f"picture written to {plot}")
    if interrupted:
        raise click.exceptions.Exit(INTERRUPTED)

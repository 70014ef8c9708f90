"""fuseprop train DATA: trains a model on a table, prints its scores, and writes it to a file if asked to."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import click

from ..callbacks import OnEpochEnd
from ..callbacks.history import History
from ..callbacks.progress import NOT_SHOWN, Progress
from ..checks.quoting import counted, shown
from ..data import load_table, suggestions_for
from ..data.choices import Choices
from ..data.target_cells import KINDS
from ..data.tasks import DEFAULT_LOSS
from ..formulas.activation import ACTIVATIONS
from ..formulas.loss import LOSSES
from ..model.fitting import Fitting
from ..model.settings import OPTIMIZERS
from ..plots import save_figure, training_figure
from ..schedules import OVER_EPOCHS
from ..training.divergence import DivergenceError
from ..training.rules import FIT_INTERRUPTED
from .output import Run, echo, echo_json
from .parameters import (
    activations,
    any_size,
    class_weight,
    columns,
    data,
    device,
    interrupted_path,
    model_path,
    one_of,
    plot_path,
    sizes,
    usages,
)
from .parameters import loss as loss_named
from .parameters import target as target_option
from .training_report import as_json, plan, results

SHARE = click.FloatRange(0, 1, max_open=True)


@click.command(epilog="Every option that is not given is chosen from the task and the size of the data.")
@data
@target_option("Target column, or several: a,b. In an NPZ file its key [y].")
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
@columns
@click.option("--hidden", type=sizes, help='Sizes of the hidden layers: 64,32; "none" for a linear model.')
@click.option(
    "--activation",
    type=activations,
    help=f"Of the hidden layers, one for all or one each: {usages(ACTIVATIONS)}.",
)
@click.option(
    "--loss", type=loss_named, help=f'One of {usages(LOSSES)}. Parameters in parentheses: "huber(1.35)".'
)
@click.option(
    "--optimizer", type=one_of("optimizer", OPTIMIZERS), help=f"One of {', '.join(OPTIMIZERS)} [momentum]."
)
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True))
@click.option(
    "--schedule",
    type=one_of("schedule", OVER_EPOCHS),
    help=f"How the rate falls over the epochs: one of {', '.join(OVER_EPOCHS)} [constant].",
)
@click.option("--momentum", type=click.FloatRange(0, 1, max_open=True))
@click.option("--weight-decay", type=click.FloatRange(0))
@click.option("--dropout", type=SHARE, help="Share of each hidden layer left out in a training step [0].")
@click.option(
    "--clip-norm", type=click.FloatRange(0, min_open=True), help="Largest norm of a gradient [none]."
)
@click.option(
    "--class-weight",
    type=class_weight,
    help="How much rows count by their class: balanced, or no=1,yes=5 [all alike].",
)
@click.option("--epochs", type=click.IntRange(1), help="At most so many.")
@click.option(
    "--patience",
    type=click.IntRange(0),
    help="Epochs in a row without a lower validation loss that end training; 0 for no such end.",
)
@click.option("--batch-size", type=click.IntRange(1))
@click.option("--validation", type=SHARE, help="Share of the rest, scored after each epoch; 0 for none.")
@click.option("--test", type=SHARE, help="Share of rows split off first, for the final score; 0 for none.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True)
@any_size
@device
@click.option(
    "--out", type=model_path, help="Keep the model in this .safetensors file; after Ctrl-C beside it."
)
@click.option("--plot", type=plot_path, help='Draw it: .png, .svg or .pdf. Needs the extra "plots".')
@click.option("--json", "json_", is_flag=True, help="Print the results as one JSON object.")
@click.option("--quiet", is_flag=True, help="Print nothing but results.")
def train(
    data: tuple[str, ...],
    target: tuple[str, ...] | None,
    any_size: bool,
    target_as: str,
    keep_as_class: tuple[str, ...],
    choices: Choices,
    out: Path | None,
    plot: Path | None,
    json_: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Train a network on DATA: a file, several files of the same columns, or a built-in data set.

    Files are CSV of any dialect, Parquet, JSON lines (.jsonl), NPZ, and what of it is packed (.gz, .zst);
    "-" is standard input. Built-in: digits, iris, wine, breast_cancer, diabetes, xor, line.
    """
    run = Run.current()
    table = load_table(
        data,
        target,
        target_as=target_as,
        keep_as_class=keep_as_class,
        any_size=any_size,
        **choices.keywords(),
    )
    chosen = {name: value for name, value in given.items() if value is not None}
    fitting = Fitting(table, missing=choices.missing, **{**suggestions_for(data[0]), **chosen})
    if not quiet:
        run.say(plan(fitting))
    try:
        history = _train(fitting, run, quiet=quiet, norms=plot is not None)
    except DivergenceError as error:
        if out is not None:
            run.say(f"{shown(out, None)} was not written: a model that diverged is of no use.")
        raise error
    place = out
    if history.stop_reason == "interrupted":
        place = _announce_interruption(fitting, run, out)
    written, drawn = None, None
    if place is not None:
        with run.noting_failure("the model was not written"), run.interruption.deferred():
            fitting.model.save(place)
            written = place
    report = fitting.report()
    if plot is not None:
        with run.noting_failure("the picture was not drawn"):
            save_figure(training_figure(history, fitting.table.source, fitting.model, fitting.table), plot)
            drawn = plot
    if json_:
        echo_json(as_json(fitting, report, written) | {"plot": None if drawn is None else str(drawn)})
    else:
        echo(results(fitting, report, written))
        if drawn is not None:
            echo(f"picture written to {shown(drawn, None)}")


def _train(fitting: Fitting, run: Run, *, quiet: bool, norms: bool) -> History:
    """Train; note a failure of showing progress in `run`."""
    progress = Progress()
    run.interruption.check()
    check_ctrl_c = OnEpochEnd(lambda _: run.interruption.check())
    with warnings.catch_warnings():
        for own_message in (FIT_INTERRUPTED, NOT_SHOWN):  # which the command prints itself
            warnings.filterwarnings("ignore", message=own_message)
        history = fitting.run(callbacks=[check_ctrl_c] if quiet else [progress, check_ctrl_c], norms=norms)
    if progress.failure:
        run.note_failure(NOT_SHOWN, f"{progress.failure}.")
    return history


def _announce_interruption(fitting: Fitting, run: Run, out: Path | None) -> Path | None:
    """Print that training was interrupted; return the path for its model instead of `out`."""
    place = None if out is None else interrupted_path(out)
    kept = fitting.kept_epoch
    outcome = f"this is the model of epoch {kept}, the best" if kept else "this is the model as it stands"
    if out is not None:
        outcome += f", to be kept in {shown(place, None)}; {shown(out, None)} was not written"
    epochs = counted(fitting.settings.epochs, "epoch")
    run.say(f"\ninterrupted after {fitting.history.epochs:,} of {epochs}; {outcome}.")
    run.interruption.received = run.interruption.announced = True
    return place

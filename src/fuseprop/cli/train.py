"""fuseprop train DATA: trains a model on a table, prints its scores, and writes it to a file if asked to."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..callbacks import Callback
from ..callbacks.progress import NOT_SHOWN, Progress
from ..checks.quoting import counted, shown
from ..data import load_table, suggestions_for
from ..data.bins import MOST_BINS
from ..data.choices import Choices
from ..data.target_cells import KINDS
from ..data.tasks import DEFAULT_LOSS
from ..formulas.activation import trainable_activations
from ..formulas.loss import LOSSES
from ..model.fitting import Fitting
from ..model.folds import Folding
from ..model.regions import boundary
from ..model.reporting.many import about_the_model, folds_page, tries_parts
from ..model.reporting.of_training import findings_of, training_page
from ..model.settings import OPTIMIZERS, SCALINGS
from ..model.tuning import Search
from ..plots import save_figure, training_figure
from ..schedules import OVER_EPOCHS
from ..training.changed import CHOICES, SettingChanged
from ..training.divergence import DivergenceError
from ..training.rules import FIT_INTERRUPTED
from ..world import ALONE
from . import folds as folds_report
from . import tuning as tuning_report
from .checkpointing import EVERY, checkpoint_path, checkpoints_told, pace
from .folds import numbers_of_folds, run_folds
from .interruption import StopOnSignal
from .keeping import Keeping, check_one_training
from .output import Run, echo, echo_json, warnings_printed
from .parameters import (
    FiniteRange,
    activations,
    any_size,
    class_weight,
    columns,
    device,
    interrupted_path,
    model_path,
    one_of,
    plot_path,
    report_path,
    sizes,
    usages,
)
from .parameters import loss as loss_named
from .parameters import target as target_option
from .places import check_different
from .processes import check_one_process, world_of_command
from .report import write_report
from .resuming import Resumption, data, resume
from .run_folder import RunFolder, run_folder, to_be_made
from .settings_file import settings, settings_read
from .training_report import as_json, plan, results
from .tuning import csv_path, run_search

SHARE = FiniteRange(0, 1, max_open=True)


@click.command(epilog="Every option that is not given is chosen from the task and the size of the data.")
@data
@settings
@resume
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
    help=f"Of the hidden layers, one for all or one each: {usages(trainable_activations())}.",
)
@click.option(
    "--loss", type=loss_named, help=f'One of {usages(LOSSES)}. Parameters in parentheses: "huber(1.35)".'
)
@click.option("--optimizer", type=one_of("optimizer", OPTIMIZERS), help=f"One of {', '.join(OPTIMIZERS)}.")
@click.option("--learning-rate", type=FiniteRange(0, min_open=True))
@click.option(
    "--schedule",
    type=one_of("schedule", OVER_EPOCHS),
    help=f"How the rate falls over the epochs: one of {', '.join(OVER_EPOCHS)}.",
)
@click.option("--momentum", type=FiniteRange(0, 1, max_open=True))
@click.option("--weight-decay", type=FiniteRange(0))
@click.option("--members", type=click.IntRange(1), help="So many networks are trained, and joined to one.")
@click.option(
    "--bins",
    type=click.IntRange(0, MOST_BINS),
    help="Numbers and dates have features for so many parts of their range; 0 for none.",
)
@click.option("--clip/--no-clip", default=None, help="Clip numbers and dates with heavy tails smoothly.")
@click.option("--dropout", type=SHARE, help="Share of each hidden layer left out in a training step [0].")
@click.option("--clip-norm", type=FiniteRange(0, min_open=True), help="Largest norm of a gradient [none].")
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
@click.option(
    "--on-divergence",
    type=one_of("choice", CHOICES),
    help="Where the loss stops being finite: stop; or halve the rate, at most five times [stop].",
)
@click.option(
    "--on-oom",
    type=one_of("choice", CHOICES),
    help="Where the device has no room for a batch: stop; or halve the batch [stop].",
)
@click.option(
    "--scaling",
    type=one_of("scaling", SCALINGS),
    help="Of several processes: strong, which divide each batch; or weak, each with its own [strong].",
)
@click.option("--validation", type=SHARE, help="Share of the rest, scored after each epoch; 0 for none.")
@click.option("--test", type=SHARE, help="Share of rows split off first, for the final score; 0 for none.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True)
@any_size
@device
@click.option(
    "--folds",
    type=numbers_of_folds,
    metavar="FOLDS[xTIMES]",
    help="Cross-validate: 5, or 5x3 for 3 times. A model to keep (--out) learns from all rows then.",
)
@click.option(
    "--tune",
    type=click.IntRange(1),
    metavar="N",
    help="Try N settings, those not given drawn around the defaults; keep the best on the validation rows.",
)
@click.option("--tried", type=csv_path, help="Write all that --tune tried to this .csv file.")
@click.option(
    "--out",
    type=model_path,
    help="Keep the model in this .safetensors file; one cut short beside it.",
)
@click.option(
    "--run",
    "folder",
    type=run_folder,
    callback=to_be_made,
    is_eager=True,
    metavar="DIR",
    help="Keep settings, environment, history, checkpoints, model and scores in one folder.",
)
@click.option(
    "--checkpoint",
    type=checkpoint_path,
    metavar="FILE",
    help="Keep checkpoints in this .safetensors file, for --resume to go on from.",
)
@click.option(
    "--every",
    type=pace,
    help=f'How often: "5 min", "100 steps" or "1 epoch" [{EVERY}]; at the end and at a signal in any case.',
)
@click.option("--plot", type=plot_path, help='Draw it: .png, .svg or .pdf. Needs the extra "plots".')
@click.option(
    "--report",
    type=report_path,
    metavar="FILE",
    help='Write a page about it: .html, one file with curves, scores, columns. Needs the extra "plots".',
)
@click.option("--json", "json_", is_flag=True, help="Print the results as one JSON object.")
@click.option("--quiet", is_flag=True, help="Print nothing but results.")
def train(
    data: tuple[str, ...],
    target: tuple[str, ...] | None,
    any_size: bool,
    target_as: str,
    keep_as_class: tuple[str, ...],
    choices: Choices,
    folds: tuple[int, int] | None,
    tune: int | None,
    tried: Path | None,
    out: Path | None,
    folder: RunFolder | None,
    resume: Resumption | None,
    checkpoint: Path | None,
    every: str | None,
    plot: Path | None,
    report: Path | None,
    json_: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Train a network on DATA: a file, several files of the same columns, or a built-in data set.

    Files are CSV of any dialect, Parquet, JSON lines (.jsonl), NPZ, and what of it is packed (.gz, .zst);
    "-" is standard input. Built-in: digits, iris, wine, breast_cancer, diabetes, xor, line.
    """
    many = "--folds" if folds is not None else "--tune" if tune is not None else None
    check_one_process(many)
    check_one_training({"--run": folder, "--checkpoint": checkpoint, "--resume": resume}, many)
    _check_together(folds, tune, tried, given["test"])
    begun = None if resume is None else resume.checkpoint
    check_different(
        out=out,
        plot=plot,
        report=report,
        tried=tried,
        read={"DATA": data, "--settings": settings_read()},
        folder=None if folder is None else folder.path,
        checkpoint=checkpoint,
        resume=begun,
    )
    keeping = Keeping(data, folder, checkpoint, resume, every)
    run, world = Run.current(), world_of_command()
    run.last_words = keeping.how_to_go_on
    given |= keeping.free
    if keeping.folder is not None:
        if out is not None:
            raise click.UsageError(
                f"--run keeps the model in {shown(keeping.folder.model, None)}. Leave out --out."
            )
        out = keeping.folder.model
    table = load_table(
        data,
        target,
        target_as=target_as,
        keep_as_class=keep_as_class,
        any_size=any_size,
        world=world,
        **choices.keywords(),
    )
    chosen = {name: value for name, value in given.items() if value is not None}
    arguments: dict[str, Any] = {"missing": choices.missing, **suggestions_for(data[0]), **chosen}
    validated, tuning, norms = None, None, plot is not None or report is not None
    told, said = checkpoints_told(run, keeping.keeper), warnings_printed(SettingChanged)
    with _own_messages(), told, said, _noting_divergence(run, out, report):
        if folds is not None:
            arguments["test"] = 0.0
            folding = Folding(table, *folds, **arguments)
            validated = run_folds(folding, run, quiet=quiet)
            if validated.interrupted or (out is None and plot is None):
                if out is not None or plot is not None:
                    run.say("no model was trained on all rows, so that none was written or drawn.")
                text, made = [folds_report.results(validated)], folds_report.as_json(folding, validated)
                if report is not None:
                    with _telling_report(run, report, text, made):
                        page = partial(folds_page, folding, validated)
                        write_report(report, page, folding.first, data, run, keeping.options())
                _echo(json_, "\n".join(text), made)
                return
        if tune is not None:
            search = Search(table, tune, **arguments)
            tuning = run_search(search, run, quiet=quiet, norms=norms)
            fitting = search.best
        else:
            fitting = Fitting(table, **arguments)
            done = keeping.done(fitting)
            if not quiet:
                run.say("\n".join(filter(None, (plan(fitting), keeping.describe(fitting, done)))))
            shows = not quiet and world.rank == 0
            progress = Progress(networks=fitting.settings.members, done=len(done)) if shows else None
            with keeping.begun(run, fitting, done, norms=norms) as (callbacks, norms):
                _train(fitting, run, progress, callbacks, keeping, norms=norms)
    place = out
    if tuning is not None and tuning.interrupted:
        place = tuning_report.announce_interruption(tuning, run, out)
    elif fitting.interrupted:
        place = _announce_interruption(fitting, run, out)
    written, drawn = None, None
    with run.interruption.deferred(), run.noting_failure("the model was not written"):
        if place is not None and world.rank == 0:
            fitting.model.save(place)
            written = place
            if keeping.folder is not None and place == out:
                keeping.folder.finish()
    if tuning is not None and tried is not None:
        with run.noting_failure("the settings that were tried were not written"):
            tuning.to_csv(tried)
    if any(world.gathered(run.interruption.terminated)):
        run.interruption.terminate()
        _announce_termination(run, written)
        keeping.tell_how_to_go_on(run)
        run.interruption.check_terminated()
    scored = fitting.report()
    text, made = [results(fitting, scored, written)], as_json(fitting, scored, written)
    found = None if report is None else findings_of(fitting)
    if world.rank:
        return  # process 0 tells of all
    if plot is not None:
        with run.noting_failure("the picture was not drawn"):
            title, networks = fitting.table.source, fitting.networks
            if networks > 1:
                title += f": network {networks} of {networks}"
            # A network that a signal ended before its first epoch is no part of the model.
            last = fitting.histories[networks - 1]
            shown_rows = replace(fitting.table, world=ALONE)  # this process's, for which it asks no other
            save_figure(training_figure(last, title, boundary(fitting.model, shown_rows)), plot)
            drawn = plot
    if validated is not None:
        text += [folds_report.results(validated), about_the_model(validated)]
        made["folds"] = folds_report.folds_as_data(validated)
    if tuning is not None:
        text.append(tuning_report.results(tuning))
        made["tuning"] = tuning_report.tuning_as_data(tuning)
    if drawn is not None:
        text.append(f"picture written to {shown(drawn, None)}")
    made["plot"] = None if drawn is None else str(drawn)
    if report is not None and found is not None:
        more = {} if tuning is None else {"Tuning": tries_parts(tuning)}
        tuned = () if tuning is None else tuning.drawn
        page = partial(training_page, fitting, scored, found, validated=validated, more=more, tuned=tuned)
        with _telling_report(run, report, text, made):
            write_report(report, page, fitting, data, run, keeping.options())
    if keeping.folder is not None:
        with run.noting_failure("the scores were not written"):
            keeping.folder.keep_scores(made)
    _echo(json_, "\n".join(text), made)
    if fitting.interrupted:
        keeping.tell_how_to_go_on(run)


@contextmanager
def _telling_report(run: Run, report: Path, text: list[str], made: dict[str, Any]) -> Iterator[None]:
    """Add to the results where the report was written, or note why it was not."""
    made["report"] = None
    with run.noting_failure("the report was not written"):
        yield
        text.append(f"report written to {shown(report, None)}")
        made["report"] = str(report)


def _echo(json_: bool, text: str, data: dict[str, Any]) -> None:
    if json_:
        echo_json(data)
    else:
        echo(text)


def _check_together(
    folds: tuple[int, int] | None, tune: int | None, tried: Path | None, test: float | None
) -> None:
    """Raise UsageError for options that exclude each other, or need another."""
    if folds is not None and tune is not None:
        raise click.UsageError(
            "--folds tests given settings, --tune chooses some. Tune first, then give what it chose beside "
            "--folds."
        )
    if folds is not None and test:
        raise click.UsageError(
            "--folds tests every row, so that there is no share of test rows. Leave out --test."
        )
    if tried is not None and tune is None:
        raise click.UsageError("--tried writes what --tune N has tried. Give that too, or leave it out.")


@contextmanager
def _own_messages() -> Iterator[None]:
    """Leave out the warnings that the command prints itself."""
    with warnings.catch_warnings():
        for message in (FIT_INTERRUPTED, NOT_SHOWN):
            warnings.filterwarnings("ignore", message=message)
        yield


@contextmanager
def _noting_divergence(run: Run, out: Path | None, report: Path | None) -> Iterator[None]:
    try:
        yield
    except DivergenceError:
        for path in (out, report):
            if path is not None:
                run.say(f"{shown(path, None)} was not written: a model that diverged is of no use.")
        raise


def _train(
    fitting: Fitting,
    run: Run,
    progress: Progress | None,
    callbacks: Sequence[Callback],
    keeping: Keeping,
    *,
    norms: bool,
) -> None:
    """Train with these callbacks; note a failure of showing progress in `run`."""
    run.interruption.check()
    shown_first = [] if progress is None else [progress]
    all_callbacks = [*shown_first, *callbacks, StopOnSignal(run.interruption)]
    fitting.run(callbacks=all_callbacks, norms=norms, checkpoint=keeping.keeper, resume=keeping.found)
    if progress is not None and progress.failure:
        run.note_failure(NOT_SHOWN, f"{progress.failure}.")


def _announce_interruption(fitting: Fitting, run: Run, out: Path | None) -> Path | None:
    """Print that a signal ended training; return the path for its model instead of `out`."""
    place = None if out is None else interrupted_path(out)
    kept, members = fitting.kept_epochs[0], fitting.settings.members
    outcome = f"this is the model of epoch {kept}, the best" if kept else "this is the model as it stands"
    where = ""
    if members > 1:
        where = f" in network {len(fitting.histories)} of {members},"
        outcome = f"this is the model of the networks so far, {fitting.networks} of {members}"
    if out is not None:
        outcome += f", to be kept in {shown(place, None)}; {shown(out, None)} was not written"
    epochs = counted(fitting.settings.epochs, "epoch")
    run.say(f"\n{run.interruption.name}{where} after {fitting.history.epochs:,} of {epochs}; {outcome}.")
    run.interruption.received = run.interruption.announced = True
    return place


def _announce_termination(run: Run, written: Path | None) -> None:
    """Print that the command ends, unless it was said of its training."""
    if not run.interruption.announced and written is not None:
        run.say(f"\nterminated after training; the model was written to {shown(written, None)}.")
        run.interruption.announced = True

"""train: from whatever holds a table to a trained model and its scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..checks.warning import warn_user
from ..showing import lines
from ..storage.atomic import write_atomically
from ..training.continuing import From, Kept
from ..world import ALONE, Processes, agreeing, ending_all
from .arguments import table_and_arguments
from .fitting import Fitting
from .model import Model
from .report import Report
from .reporting.of_training import Findings, findings_of, training_page
from .reporting.place import check_report


@ending_all
def train(
    data: Any,
    target: Any = None,
    *,
    target_as: str = "auto",
    keep_as_class: Sequence[str] = (),
    progress: bool = False,
    any_size: bool = False,
    features: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    numeric: Sequence[str] = (),
    categorical: Sequence[str] = (),
    date: Sequence[str] = (),
    ignore_index: bool = False,
    missing: str = "encode",
    checkpoint: Kept = None,
    resume: From = None,
    report: str | Path | None = None,
    world: Processes = ALONE,
    **given: Any,
) -> tuple[Model, Report]:
    """Train a model on a table, a data frame, files or a built-in data set; return it with its scores.

    Parameters
    ----------
    data
        A `Table`; the path of a file, or a list of several; the name of a built-in data set such as "digits";
        a data frame such as a pandas table, a dict of columns, or a list of dicts that are rows.
    target : str or sequence of str, optional
        The target columns of a file or a data frame, whose labels may be of any type. A `Table` and a
        built-in data set have their own.
    target_as, keep_as_class
        How a target of text is read: see `load_table`.
    progress : bool
        Whether to show progress on standard error: a bar on a terminal, otherwise a line per epoch.
    any_size : bool
        As in `load_table`.
    features, drop, numeric, categorical, date, ignore_index
        What is said of the columns of files and data frames: see `Choices`.
    missing : "encode" | "refuse"
        What becomes of missing values of features, here and in all tables that the model is given later.
    checkpoint : Checkpoint or path, optional
        Where training keeps all that it would go on from, and how often: see `Checkpoint`. It is written to
        its end too, so that more epochs can follow.
    resume : path or bool, optional
        Go on from such a checkpoint; True stands for that of `checkpoint`, where there is one, and the start
        where there is none. The model, its history and its scores are those of a training that never stopped:
        in the same bits on the same backend, and elsewhere, with a warning, within rounding. Everything else
        is to be given as it was; see `Fitting.run`.
    report : path, optional
        A name that ends in .html: a page about the training, one file of less than 1 MB, which loads nothing
        from elsewhere. It holds the columns as they were read, settings, curves, the norms of gradients,
        scores with their intervals, the confusion or the errors of the test rows, and the importance of
        columns. Where it cannot be written in the end, a warning says why. `Model.report` writes one of any
        model. Training that goes on from a checkpoint has norms to record where it began with a report too.
    world : World, optional
        The processes that train the model together: all call this alike. Of a file each reads a share of the
        rows, of a built-in data set it keeps one, and data frames hold each process's own rows. All end with
        the same model and report, that of any number of processes but for rounding.
    given
        ``task=`` and any of `Settings` by name.

    Ctrl-C ends training with a warning, and a model of what was learned by then. Raises as `load_table`,
    `Fitting` and `Fitting.run`: CheckpointError where it does not go on from what `resume` names, with the
    names of the settings and the parts of the table that differ. Raises as `Model.report` does of its path,
    before training.

    Examples
    --------
    >>> import fuseprop
    >>> model, report = fuseprop.train("iris", epochs=30, members=1, device="cpu")
    >>> report.test["accuracy"] > 0.5
    True
    """
    table, arguments = table_and_arguments(
        data,
        target,
        target_as=target_as,
        keep_as_class=keep_as_class,
        any_size=any_size,
        features=features,
        drop=drop,
        numeric=numeric,
        categorical=categorical,
        date=date,
        ignore_index=ignore_index,
        missing=missing,
        world=world,
        **given,
    )
    with agreeing(world):
        place = None if report is None or world.rank else check_report(report, data)
    fitting = Fitting(table, **arguments)
    fitting.run(progress=progress, norms=report is not None, checkpoint=checkpoint, resume=resume)
    made = fitting.report()
    if report is not None:
        found = findings_of(fitting)
        if place is not None:
            _write(place, fitting, made, found)
    return fitting.model, made


def _write(place: Path, fitting: Fitting, report: Report, found: Findings) -> None:
    """Write the page of a training; warn where that fails: the model is worth more."""
    try:
        again = [lines(_call(fitting))]
        text = training_page(fitting, report, found, given=fitting.given, again=again)
        write_atomically(place, text.encode())
    except (Exception, KeyboardInterrupt) as error:  # a drawing library may raise any of them
        warn_user(f"the report was not written: {str(error) or type(error).__name__}", UserWarning)


def _call(fitting: Fitting) -> str:
    """Return the call that trains with these settings, whatever the rules choose."""
    settings = vars(fitting.settings).items()
    named = [f"    {name}={value!r}," for name, value in settings if value is not None]
    head = f"fuseprop.train(\n    {fitting.table.source!r},\n    {list(fitting.table.target_names)!r},"
    return "\n".join([head, f"    task={fitting.model.task.name!r},", *named, ")"])

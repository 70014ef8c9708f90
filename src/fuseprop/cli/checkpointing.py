"""`fuseprop train --checkpoint`: where checkpoints are kept and how often, and what is said of them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from click.core import ParameterSource

from ..checkpoints import Checkpoint, CheckpointError, CheckpointWarning, Keeper, read_checkpoint
from ..checkpoints.pace import parse_pace
from ..checkpoints.reading import described, previous_of
from ..checks.quoting import printable, shown
from ..data.files.opening import STANDARD_INPUT
from .options import RESULTS
from .output import Run, warnings_handled
from .parameters import writable_with
from .processes import world_of_command

EVERY = "60 s"
"""How often a checkpoint is written, unless another pace is given."""

PART = "command"
"""Where the command's own data stand in a checkpoint, beside what training goes on from."""


def checkpoint_path(text: str) -> Path:
    """Return the path of a checkpoint; raise before training if it could not be written."""
    return writable_with(text, previous_of)


def pace(text: str) -> str:
    """Return a text that says how often, such as "60 s"; raise for any other."""
    try:
        parse_pace(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return text


def is_there(path: Path) -> bool:
    """Whether a checkpoint is there, or the one before it."""
    return Keeper(Checkpoint(path)).holds_something()


def check_free(path: Path) -> None:
    """Raise UsageError where there is a file that the first checkpoint would replace.

    Raises CheckpointError where another training writes checkpoints there: its file is not to be removed.
    """
    if not is_there(path):
        return
    Keeper(Checkpoint(path)).check_unlocked()
    place = shown(path, None)
    try:
        found = read_checkpoint(path)
    except CheckpointError as error:
        raise click.UsageError(
            f"--checkpoint: what is in {place} is no checkpoint, and is not replaced. {error} Name another "
            f"file, or remove that one."
        ) from error
    raise click.UsageError(
        f"--checkpoint: {place} holds the checkpoint of another run, {described(found.state)}. Go on from it "
        f"with --resume {place}, name another file, or remove it and {shown(previous_of(path), None)}."
    )


@contextmanager
def checkpoints_told(run: Run, keeper: Keeper | None) -> Iterator[None]:
    """Print warnings about checkpoints as lines; note in `run` if the last one could not be written."""

    def tell(message: str) -> None:
        if keeper is not None and message == keeper.conclusion:
            run.note_failure("Error", message)
            return
        is_bar = sys.stderr is not None and sys.stderr.isatty()  # which ends in no line break
        run.say(f"{chr(10) if is_bar else ''}Warning: {printable(message)}")

    with warnings_handled(CheckpointWarning, tell):
        yield


def how_to_go_on(keeper: Keeper, command: str) -> str:
    """Return where the checkpoint is after a signal, and which command goes on; "" where there is none."""
    if not keeper.holds_something():
        return ""
    return going_on(keeper, command, "an earlier checkpoint" if keeper.failure else "the checkpoint")


def going_on(keeper: Keeper, command: str, what: str = "the checkpoint") -> str:
    """Return where the checkpoint is, and which command goes on from it."""
    return f"{what} is in {shown(keeper.path, None)}; to go on from there:\n{command}"


def command_that_goes_on(place: Path, data: tuple[str, ...]) -> str:
    """Return the command, from a file or in a folder, with the options given that no checkpoint holds."""
    context = click.get_current_context()
    size = world_of_command().size
    start = ["mpiexec", "-n", str(size)] if size > 1 else []
    words = [*start, "fuseprop", "train", *(data if STANDARD_INPUT in data else ()), "--resume", str(place)]
    for option in context.command.params:
        name = option.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if name in RESULTS and given:
            value = context.params[name]
            words += [option.opts[0]] if value is True else [option.opts[0], str(value)]
    return printable(shlex.join(words))

"""The command as several processes, started by mpiexec: which commands may be, who speaks, how it ends.

Process 0 writes to the standard streams. What is another process's own, it writes past them, with its number.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from ..checks.quoting import literal, printable
from ..world import ALONE, Processes, World, ending_together, first_unlike
from ..world.failing import Ends, Shown, as_script, verdict_of
from ..world.launch import launched
from .exit_codes import FAILED, code_of
from .output import Run, reason

TOGETHER = ("train", "doctor")
"""The commands that several processes run together."""

HELP = {"-h", "--help"}


def world_of_command() -> Processes:
    """Return the processes that run this command: a `World` where mpiexec has started it."""
    return Run.current().processes


@contextmanager
def only_first_speaks() -> Iterator[None]:
    """Give the standard streams to process 0 within this context; what others write there is dropped."""
    launch = launched()
    if launch is None or launch.rank == 0:
        yield
        return
    before = sys.stdout, sys.stderr
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        sys.stdout = sys.stderr = nowhere
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before


@contextmanager
def together(words: Sequence[str]) -> Iterator[None]:
    """Run the command of these words in all processes that were started, and let it end in all of them.

    An error that all raise goes on as in one process; where it is not process 0's to show, the process that
    has it shows it, and `click.exceptions.Exit` with its exit code goes on. Raises UsageError for a command
    that runs in one process alone, and ClickException where MPI does not work.
    """
    run = Run.current()
    try:
        run.processes = _processes(words)
    except KeyboardInterrupt:
        _die_of_signal()
        raise
    ends = Ends.of_this_process if run.processes.size > 1 else None
    if ends is None:
        yield
        return
    ends.shown = lambda error: _shown(error, run)
    try:
        with ending_together(run.processes):
            _check_words(run.processes, words)
            yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        verdict = verdict_of(error)
        if verdict is None or (ends.rank == 0 and verdict.shows):
            raise
        if verdict.shows:
            show_own(_shown(error, run).text)
        raise click.exceptions.Exit(verdict.code) from error


def _check_words(processes: Processes, words: Sequence[str]) -> None:
    """Raise UsageError where processes were started by other commands, as by mpiexec with a colon."""
    found = first_unlike(processes, list(words))
    if found is not None:
        rank, other, first = found
        raise click.UsageError(
            f"all processes are to run the same command, and process {rank} runs "
            f"{literal(' '.join(other))}, process 0 {literal(' '.join(first))}."
        )


def _die_of_signal() -> None:
    """End a process by Ctrl-C before it knows the others: launchers end those only after a signal."""
    launch = launched()
    if launch is not None and launch.size > 1:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)


def check_one_process(many: str | None) -> None:
    """Raise UsageError where several processes are given an option that makes many trainings."""
    if many is not None and world_of_command().size > 1:
        raise click.UsageError(
            f"{many} makes many trainings, and several processes share one. Type it without mpiexec; what it "
            f"chose then serves several."
        )


def show_own(text: str) -> None:
    """Show what is this process's own; nothing in process 0, whose streams are heard."""
    ends = Ends.of_this_process
    if ends is not None and ends.rank > 0:
        ends.show(ends.prefixed(text))


def ends_with_words(run: Run) -> bool:
    """Say that this process ends, so that nothing tells of its death; return whether it speaks for all."""
    ends = Ends.of_this_process
    if ends is not None and ends.lookout is not None:
        ends.lookout.is_ending()
    return run.processes.rank == 0


def has_last_words(text: str, file: Path) -> None:
    """Say what is printed where a process of this machine dies, if a file is there then."""
    ends = Ends.of_this_process
    if ends is not None and ends.lookout is not None and ends.rank == 0:
        ends.lookout.has_last_words(text, file)


def _processes(words: Sequence[str]) -> Processes:
    launch = launched()
    command = words[0] if words else ""
    if launch is None or HELP.intersection(words):
        return ALONE
    if command not in TOGETHER:
        group = click.get_current_context().command
        if launch.size > 1 and isinstance(group, click.Group) and command in group.commands:
            raise click.UsageError(
                f"{launch.launcher} has started {launch.size} processes, and {command} runs in one. Type it "
                f"without mpiexec or srun; of all commands, train alone gains by several processes."
            )
        return ALONE
    try:
        return World()
    except (ImportError, RuntimeError) as error:
        if command == "doctor":  # which says that, and more
            return ALONE
        raise click.ClickException(str(error)) from error


def _shown(error: BaseException, run: Run) -> Shown:
    """Return what the command shows of an error, and its exit code."""
    if isinstance(error, click.ClickException):
        return Shown(f"Error: {printable(error.format_message())}", error.exit_code)
    if isinstance(error, click.exceptions.Exit):
        return Shown("it has ended, while others go on.", error.exit_code or FAILED)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return Shown(f"{run.interruption.name}.", run.interruption.exit_code)
    code = code_of(error)
    return as_script(error) if code is None else Shown(f"Error: {printable(reason(error))}", code)

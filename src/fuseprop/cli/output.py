"""Output of the command: results on standard output, everything else on standard error.

If standard output cannot be written, the command fails at once. If standard error or a picture cannot be
written, the failure is noted in `Run`: the command goes on to write its model and its results, prints the
failure at the end, and exits with code 1.

Names and cells come from files, so control characters in them are escaped before they reach a terminal.

Within `whole_streams` a stream writes all of a text or raises, also for what click writes.
"""

from __future__ import annotations

import io
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import EBADF
from math import isfinite
from typing import Any, TextIO

import click
import numpy as np

from ..callbacks.progress import NOT_SHOWN
from ..checks.quoting import printable
from ..data import UnlikeTrainingWarning
from ..world import ALONE, Processes
from .interruption import Interruption


class Run:
    """One run of the command: its interruption, and the failures that it survives.

    Attributes
    ----------
    interruption : Interruption
    words : sequence of str
        The command's arguments and options, as they were given.
    processes : Processes
        Those that run the command together.
    failures : list of str
        What failed but did not end the command, as ``what: why``.
    last_words : callable
        Returns what is printed last where a second Ctrl-C has ended the command; "" for nothing.
    """

    def __init__(self, interruption: Interruption | None = None, words: Sequence[str] = ()) -> None:
        self.interruption = Interruption() if interruption is None else interruption
        self.words = words
        self.processes: Processes = ALONE
        self.failures: list[str] = []
        self.last_words: Callable[[], str] = str

    @classmethod
    def current(cls) -> Run:
        """Return the run of the command that is being executed."""
        return click.get_current_context().ensure_object(cls)

    def note_failure(self, what: str, why: str) -> None:
        """Note a failure to be printed at the end; the first one of each `what` counts."""
        if not any(failure.startswith(f"{what}: ") for failure in self.failures):
            self.failures.append(f"{what}: {why}")

    @contextmanager
    def noting_failure(self, what: str) -> Iterator[None]:
        """Note an exception in a block as the failure `what`, or Ctrl-C, and let the command go on."""
        try:
            yield
        except KeyboardInterrupt:
            self.interruption.received = True
        except Exception as error:  # a drawing library may raise any of them
            self.note_failure(what, reason(error))

    def say(self, text: str) -> None:
        """Write a line to standard error; note it if that fails."""
        if sys.stderr is None:  # Python sets it to None if the descriptor is closed
            self.note_failure(NOT_SHOWN, "standard error is closed.")
            return
        try:
            click.echo(text, err=True)
        except (OSError, ValueError) as error:
            self.note_failure(NOT_SHOWN, reason(error))


class ResultsLost(OSError):
    """The results could not be written to standard output."""


def echo(text: str, *, nl: bool = True) -> None:
    """Write results to standard output.

    Raises BrokenPipeError if the reader has ended, ResultsLost for any other failure.
    """
    try:
        # Unless color is True, click removes escape sequences from text that goes to a file or a pipe, and
        # so from names of classes too.
        click.echo(text, nl=nl, color=True)
    except BrokenPipeError:
        raise
    except UnicodeEncodeError as error:
        raise ResultsLost(
            f"the results could not be written: standard output is in {error.encoding}, which lacks "
            f"{error.object[error.start : error.end]!a}. Set PYTHONIOENCODING=utf-8."
        ) from error
    except OSError as error:
        raise ResultsLost(f"the results could not be written: {reason(error)}") from error


def echo_json(result: dict[str, Any]) -> None:
    """Write one JSON object to standard output; numbers that are not finite become null."""
    echo(json_text(result))


def json_text(result: dict[str, Any]) -> str:
    """Return one JSON object as printable lines; numbers that are not finite become null."""
    text = json.dumps(_json_value(result), indent=2, allow_nan=False, ensure_ascii=False)
    return "\n".join(line if line.isprintable() else _json_escaped(line) for line in text.split("\n"))


def reason(error: BaseException) -> str:
    """Return an error's text with its notes, printable; its type's name if it has no text."""
    without_text = "there is not enough memory." if isinstance(error, MemoryError) else type(error).__name__
    text = str(error) or without_text
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror}." if error.filename is None else f"{error.filename}: {error.strerror}."
    return printable("\n".join([text, *getattr(error, "__notes__", [])]))


class _Closed(io.TextIOBase):
    """Stands for a closed standard output and raises: for None, as Python sets it, click writes nothing."""

    encoding, errors = "utf-8", "strict"

    def write(self, text: str) -> int:
        raise OSError(EBADF, "standard output is closed")


@contextmanager
def whole_streams() -> Iterator[None]:
    """Make the standard streams write all of a text or raise within this context.

    Without a buffer (PYTHONUNBUFFERED, ``python -u``) a stream makes a single system call for a text, which
    may write only part of it, as on a full disk; Python drops the rest without an error.
    """
    before = sys.stdout, sys.stderr
    buffered = []
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(getattr(stream, "buffer", None), io.RawIOBase):
            buffer = io.BufferedWriter(stream.buffer)
            wrapper = io.TextIOWrapper(buffer, stream.encoding, stream.errors, line_buffering=True)
            buffered.append(wrapper)
            setattr(sys, name, wrapper)
    if sys.stdout is None:
        sys.stdout = _Closed()
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in (*buffered, *before):  # after a broken pipe, click has replaced the streams in `sys`
            flush(stream)
        for wrapper in buffered:
            with suppress(OSError, ValueError):
                wrapper.detach().detach()  # otherwise its end would close the original stream


def flush(stream: TextIO | None) -> bool:
    """Flush a standard stream; return whether that worked.

    If not, the stream is redirected to the null device: Python flushes it again at exit, and would fail.
    """
    if stream is None:
        return True
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            descriptor = stream.fileno()
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, descriptor)
            os.close(null)
        return False
    return True


def cell_text(value: object, dtype: str) -> str:
    """Return a value as text, a float with the fewest digits that give it back in `dtype`."""
    if isinstance(value, float | np.floating):
        return str(np.dtype(dtype).type(value))
    return str(value)


def spreadsheet_cell(text: str) -> str:
    """Return a text that a spreadsheet shows as it is: with an apostrophe before what it would compute."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


@contextmanager
def warnings_printed(kind: type[Warning] = UnlikeTrainingWarning) -> Iterator[None]:
    """Print each warning of a kind as a line to standard error within this context."""
    run = Run.current()
    with warnings_handled(kind, lambda text: run.say(f"Warning: {printable(text)}")):
        yield


@contextmanager
def warnings_handled(kind: type[Warning], handle: Callable[[str], None]) -> Iterator[None]:
    """Call `handle` with the text of each warning of a kind within this context, instead of showing it."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", kind)
        before = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, kind):
                handle(str(message))
            else:
                before(message, category, *place, **more)

        warnings.showwarning = show
        yield


def _json_escaped(text: str) -> str:
    """Return a line of JSON with unprintable characters as JSON escapes."""
    return "".join(
        character if character.isprintable() else json.dumps(character)[1:-1] for character in text
    )


def _json_value(value: Any) -> Any:
    """Return a value in types that JSON has: arrays as lists, numbers that are not finite as None."""
    if isinstance(value, dict):
        return {str(key): _json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _json_value(value.tolist())
    return None if isinstance(value, float) and not isfinite(value) else value

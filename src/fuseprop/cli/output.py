"""What a command writes: results, which it must deliver, and words beside them, which may fail.

Results go to standard output; where that cannot be written, the command fails. Everything else goes to
standard error, and what fails there, or in a picture, is kept until the end: the command then says so in a
line and ends with exit code 1, but with its model and its results.

Nothing that steers a terminal is written to one: names and cells come from files.

A stream writes all of a text or raises: `whole_streams` sees to that, for click's own words too.
"""

from __future__ import annotations

import io
import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EBADF
from math import isfinite
from typing import Any, TextIO

import click
import numpy as np

from ..callbacks.progress import NOT_SHOWN
from ..checks.quoting import printable
from ..data import UnlikeTrainingWarning
from .interruption import Interruption


class Run:
    """One run of the command.

    Attributes
    ----------
    interruption : Interruption
    failures : list of str
        What failed beside the results, in words.
    """

    def __init__(self, interruption: Interruption | None = None) -> None:
        self.interruption = Interruption() if interruption is None else interruption
        self.failures: list[str] = []

    @classmethod
    def current(cls) -> Run:
        """Return the one that is going on."""
        return click.get_current_context().ensure_object(cls)

    def failed(self, what: str, why: str) -> None:
        """Keep in mind what failed, each thing once."""
        if not any(failure.startswith(f"{what}: ") for failure in self.failures):
            self.failures.append(f"{what}: {why}")

    @contextmanager
    def beside(self, what: str) -> Iterator[None]:
        """Do what may fail, or be interrupted, without the rest; `what` says that it failed."""
        try:
            yield
        except KeyboardInterrupt:
            self.interruption.received = True
        except Exception as error:  # a library that draws may raise anything
            self.failed(what, reason(error))

    def say(self, text: str) -> None:
        """Write a line to standard error."""
        if sys.stderr is None:  # as Python sets it in a process without one
            self.failed(NOT_SHOWN, "standard error is closed.")
            return
        try:
            click.echo(text, err=True)
        except (OSError, ValueError) as error:
            self.failed(NOT_SHOWN, reason(error))


class ResultsLost(OSError):
    """Standard output cannot be written."""


def echo(text: str, *, nl: bool = True) -> None:
    """Write results to standard output. Raises ResultsLost; BrokenPipeError where nobody reads any more."""
    try:
        # Unless color is True, click drops what looks like a colour from a class where no terminal reads.
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
    text = json.dumps(_plain(result), indent=2, allow_nan=False, ensure_ascii=False)
    echo("\n".join(line if line.isprintable() else _ascii(line) for line in text.split("\n")))


def reason(error: BaseException) -> str:
    """Return an error in words, its notes too."""
    unnamed = "there is not enough memory." if isinstance(error, MemoryError) else type(error).__name__
    text = str(error) or unnamed
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror}." if error.filename is None else f"{error.filename}: {error.strerror}."
    return printable("\n".join([text, *getattr(error, "__notes__", [])]))


class _Closed(io.TextIOBase):
    """A standard output that is not there: Python sets None, for which click writes nothing in silence."""

    encoding, errors = "utf-8", "strict"

    def write(self, text: str) -> int:
        raise OSError(EBADF, "standard output is closed")


@contextmanager
def whole_streams() -> Iterator[None]:
    """Let the standard streams write all of a text or raise while this is entered.

    Without a buffer (PYTHONUNBUFFERED, ``python -u``) a stream hands a text to the system once, which may
    take a part of it, such as what the disk still holds; Python drops the rest and says nothing.
    """
    before = sys.stdout, sys.stderr
    buffered = []
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(getattr(stream, "buffer", None), io.RawIOBase):
            buffer = io.BufferedWriter(stream.buffer)
            made = io.TextIOWrapper(buffer, stream.encoding, stream.errors, line_buffering=True)
            buffered.append(made)
            setattr(sys, name, made)
    if sys.stdout is None:
        sys.stdout = _Closed()
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in (*buffered, *before):  # click has put those aside whose readers are gone
            flush(stream)
        for made in buffered:
            with suppress(OSError, ValueError):
                made.detach().detach()  # which would close the stream that was there before


def flush(stream: TextIO | None) -> bool:
    """Write out what a standard stream still holds; return whether that worked.

    Where it did not, the rest goes nowhere: Python would try once more at the end, and fail the process.
    """
    if stream is None:
        return True
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            descriptor = stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
        return False
    return True


def cell(value: object, dtype: str) -> str:
    """Return a number in as many digits as tell it apart in `dtype`, anything else as text."""
    if isinstance(value, float | np.floating):
        return str(np.dtype(dtype).type(value))
    return str(value)


def spreadsheet_cell(text: str) -> str:
    """Return a text as a spreadsheet takes it for one: with an apostrophe where it would compute it."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


@contextmanager
def warnings_told() -> Iterator[None]:
    """Write warnings of fuseprop's own as a line each to standard error."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UnlikeTrainingWarning)
        before = warnings.showwarning

        def tell(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, UnlikeTrainingWarning):
                Run.current().say(f"Warning: {printable(str(message))}")
            else:
                before(message, category, *place, **more)

        warnings.showwarning = tell
        yield


def _ascii(text: str) -> str:
    """Return a line of JSON with everything that is not printable as JSON's own escapes."""
    return "".join(
        character if character.isprintable() else json.dumps(character)[1:-1] for character in text
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not isfinite(value) else value

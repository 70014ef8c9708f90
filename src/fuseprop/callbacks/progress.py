"""Progress of training: a bar on a terminal, one line an epoch elsewhere; training goes on without it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from ..checks.warning import warn_user
from .history import History

if TYPE_CHECKING:
    from tqdm import tqdm

NOT_SHOWN = "progress could not be shown"
"""The beginning of the warning about a stream that failed."""


class Display:
    """Output beside training, which goes on where the output fails.

    When a stream raises (its reader is gone, the disk is full, the file is closed), nothing more is shown,
    and a warning says so at the end.

    Attributes
    ----------
    failure : str
        Why progress could not be shown; empty where it was.
    """

    of_first = True

    def __init__(self) -> None:
        self.failure = ""

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Run a block that writes; keep what its exception says, and go on."""
        try:
            yield
        except Exception as error:  # streams of notebooks and loggers raise exceptions of any kind
            self.failure = getattr(error, "strerror", None) or str(error) or type(error).__name__

    def warn(self) -> None:
        """Warn if something could not be shown."""
        if self.failure:
            warn_user(f"{NOT_SHOWN}: {self.failure}.", UserWarning)


class Verbose(Display):
    """Lines on a stream, standard output by default, if `asked` is true."""

    def __init__(self, asked: bool | int, stream: TextIO | None = None) -> None:
        super().__init__()
        self._asked, self._stream = asked, stream

    def say(self, line: str) -> None:
        """Write a line."""
        if self._asked and not self.failure:
            with self.shielded():
                print(line, file=self._stream, flush=True)


class Progress(Display):
    """A callback that shows progress on a stream: a bar if it is a terminal, else lines.

    Parameters
    ----------
    stream : text stream, optional
        Standard error by default.
    networks : int
        How many trainings it shows, one after the other; where there are several, it says which one it is.
    done : int
        How many of them were done before.
    """

    def __init__(self, stream: TextIO | None = None, networks: int = 1, done: int = 0) -> None:
        super().__init__()
        self._stream = stream
        self._networks, self._number = networks, done
        self._display: ProgressBar | EpochLines | None = None

    def start(self, epochs: int, history: History) -> None:
        """Begin the display of the next training."""
        self._number = self._number % self._networks + 1
        if self._number == 1:
            self.failure = ""
        if self.failure:
            return
        which = f"network {self._number}/{self._networks}" if self._networks > 1 else ""
        stream: TextIO | None = sys.stderr if self._stream is None else self._stream
        if stream is None:  # Python sets None in a process without one
            self.failure = "standard error is closed"
            return
        with self._shown():
            self._display = (ProgressBar if stream.isatty() else EpochLines)(stream, which)
            self._display.start(epochs, history.epochs)

    def epoch_end(self, history: History) -> None:
        """Show the epoch."""
        if self._display is not None:
            with self._shown():
                self._display.epoch_end(history)

    def end(self, history: History) -> None:
        """End the display."""
        if self._display is not None:
            with self._shown():
                self._display.end()
        self._display = None
        self.warn()

    @contextmanager
    def _shown(self) -> Iterator[None]:
        with self.shielded():
            yield
        if self.failure:
            if self._display is not None:
                self._display.drop()
            self._display = None


class ProgressBar:
    """A bar that counts epochs and shows the last one's loss and metric, behind the name of the training."""

    def __init__(self, stream: TextIO, name: str = "") -> None:
        self._stream, self._name = stream, name
        self._bar: tqdm[None] | None = None

    def start(self, epochs: int, done: int) -> None:
        """Draw the bar, behind the epochs that are done."""
        import shutil

        from tqdm import tqdm  # `import fuseprop` needs NumPy alone, and stays fast

        # A terminal may not know its width (some containers' do not); tqdm would then draw empty lines.
        width = shutil.get_terminal_size().columns if self._width_is_unknown() else None
        known = width is None
        self._bar = tqdm(
            desc=self._name or None,
            total=epochs,
            initial=done,
            file=self._stream,
            unit="epoch",
            ncols=width,
            dynamic_ncols=known,
        )

    def _width_is_unknown(self) -> bool:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns == 0
        except OSError:
            return True

    def epoch_end(self, history: History) -> None:
        """Move on by one."""
        if self._bar is not None:
            self._bar.set_postfix_str(history.describe_last(), refresh=False)
            self._bar.update()

    def end(self) -> None:
        """Leave the bar as it is and free the line."""
        if self._bar is not None:
            self._bar.close()

    def drop(self) -> None:
        """Write no more: tqdm writes once more when a bar that is not disabled is deleted."""
        if self._bar is not None:
            self._bar.disable = True


class EpochLines:
    """One line an epoch, which begins with the name of the training."""

    def __init__(self, stream: TextIO, name: str = "") -> None:
        self._stream, self._before = stream, f"{name}  " if name else ""
        self._epochs = 0

    def start(self, epochs: int, done: int) -> None:
        """Keep the number of epochs, for each line."""
        self._epochs = epochs

    def epoch_end(self, history: History) -> None:
        """Write the line."""
        line = f"{self._before}epoch {history.epochs}/{self._epochs}  {history.describe_last()}"
        print(line, file=self._stream, flush=True)

    def end(self) -> None:
        """Do nothing: the last line has ended."""

    def drop(self) -> None:
        """Do nothing: no line is open."""

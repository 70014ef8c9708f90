"""The history of a run as a CSV file: a line an epoch of each network, written as soon as the epoch ends."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from ..callbacks.history import History


class RunHistory:
    """A callback that writes the entries of all networks to a file, behind the number of the network.

    The file is made, or made anew, when the first epoch ends: lines of epochs that a resumed training does
    again would otherwise stand there twice. Training goes on where a line cannot be written. A context, which
    closes the file.

    Parameters
    ----------
    path : Path
    done : sequence of History
        Those of networks that were trained before, in a run that goes on.

    Attributes
    ----------
    failure : str
        Why the file lacks lines; empty where it has all.
    """

    of_first = True

    def __init__(self, path: Path, done: Sequence[History] = ()) -> None:
        self.failure = ""
        self._path, self._histories = path, list(done)
        self._file: TextIO | None = None
        self._written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._file = None

    def start(self, epochs: int, history: History) -> None:
        """Begin with the next network."""
        self._histories.append(history)
        self._written = 0

    def epoch_end(self, history: History) -> None:
        """Write the epoch's line, and those before it that the file lacks."""
        if self.failure:
            return
        try:
            if self._file is None:
                self._file = self._path.open("w", newline="", encoding="utf-8", buffering=1)
                csv.writer(self._file, lineterminator="\n").writerow(["network", *history.entry()])
                for number, earlier in enumerate(self._histories[:-1], 1):
                    self._write(self._file, number, earlier, 0)
            self._written = self._write(self._file, len(self._histories), history, self._written)
        except OSError as error:
            self.failure = f"{self._path}: {error.strerror or error}."

    def end(self, history: History) -> None:
        """Do nothing."""

    def _write(self, file: TextIO, number: int, history: History, written: int) -> int:
        """Write the lines of a network behind those that are written; return how many it has then."""
        rows = (history.entry(epoch).values() for epoch in range(written + 1, history.epochs + 1))
        csv.writer(file, lineterminator="\n").writerows([number, *row] for row in rows)
        return history.epochs

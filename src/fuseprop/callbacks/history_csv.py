"""The history as a CSV file that grows with it."""

from __future__ import annotations

import csv
import io
import os
from contextlib import suppress
from errno import EEXIST
from pathlib import Path
from typing import Literal, TextIO

from ..checks.quoting import shown
from ..checks.settings import as_path
from ..checks.warning import warn_user
from ..storage.atomic import write_atomically
from .history import History

LONGEST_HEADER, MANY = 10_000, 20
"""A header with more characters is not one of a history; an error message lists at most MANY columns."""


class HistoryCSV:
    """Write a line an epoch, as soon as the epoch ends: the file survives a crash, and can be watched.

    The columns are those of `History.entry`; epochs are counted from 1 in each run. Training goes on where a
    line cannot be written, and ends with a warning that says so. A training that goes on from a checkpoint
    replaces the lines of its run, the last one in the file, by those up to the checkpoint, and writes on.

    Parameters
    ----------
    path : str or Path
        A file that holds nothing yet, unless one of these says what to do with what it holds:
    append : bool
        Write below it. The columns there must be those of this run.
    overwrite : bool
        Replace it when training starts.

    Raises ValueError for both at once. When training starts, raises FileExistsError for a file that is
    not empty if neither is set, and for one that is no history if `append` is; OSError where it cannot be
    written.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import Network, mlp
    >>> from fuseprop.callbacks import HistoryCSV
    >>> network = Network(mlp([2, 1]), "half_squared_error", seed=0, device="cpu")
    >>> history = network.fit(np.ones((4, 2)), np.ones(4), epochs=2, callbacks=[HistoryCSV("history.csv")])
    >>> with open("history.csv") as file:
    ...     print(file.readline().split(",")[:2])
    ['epoch', 'train_loss']
    """

    of_first = True

    def __init__(self, path: str | Path, *, append: bool = False, overwrite: bool = False) -> None:
        if append and overwrite:
            raise ValueError("append and overwrite exclude each other: ask for one of them.")
        self._path = as_path(path, "history.csv")
        self._append, self._overwrite = append, overwrite
        self._file: TextIO | None = None
        self._columns: list[str] = []
        self._lacking: tuple[int, str] | None = None  # from which epoch on the file lacks lines, and why

    def start(self, epochs: int, history: History) -> None:
        """Open the file, and check what it holds."""
        self._lacking, self._columns, torn = None, [], False
        if self._path.is_file() and self._path.stat().st_size:
            if self._append or history.epochs:
                self._columns, torn = _columns_of(self._path)
            elif not (self._overwrite or history.resumed):
                raise FileExistsError(
                    EEXIST,
                    "this file holds the history of another run; pass append=True to write below it, "
                    "overwrite=True to replace it, or name another file",
                    str(self._path),
                )
        if history.epochs:
            self._go_back(history)
            torn = False
        mode: Literal["a", "w"] = "a" if self._append or history.epochs else "w"
        self._file = self._path.open(mode, newline="", encoding="utf-8", buffering=1)
        if torn:
            self._write([])  # ends the line that a killed run has left unfinished

    def epoch_end(self, history: History) -> None:
        """Write the epoch's line, after the header if the file has none."""
        entry = history.entry()
        if not self._columns:
            self._columns = list(entry)
            self._write(self._columns)
        if set(self._columns) == set(entry):
            self._write([entry[name] for name in self._columns], history.epochs)
        else:
            here, wanted = (", ".join(map(shown, names)) for names in (self._columns[:MANY], entry))
            self._fail(f"has the columns {here}, but this run {wanted}", 1)

    def end(self, history: History) -> None:
        """Close the file, and warn where it lacks something."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self._fail(f"cannot be written: {error.strerror}", history.epochs)
        self._file = None
        if self._lacking is not None and self._lacking[0] <= history.epochs:
            epoch, why = self._lacking
            place = shown(self._path, None)
            warn_user(f"{place} lacks the history from epoch {epoch} on: it {why}.", UserWarning)

    def _go_back(self, history: History) -> None:
        """Let the file end with the epochs that there are: a killed run may have written more."""
        entries = [history.entry(epoch) for epoch in range(1, history.epochs + 1)]
        lines = self._path.read_bytes().splitlines(keepends=True) if self._columns else []
        self._columns = self._columns or list(entries[0])
        if set(self._columns) != set(entries[0]):
            return  # `epoch_end` says so
        place = self._columns.index("epoch")
        firsts = [i for i, line in enumerate(lines) if line.split(b",")[place : place + 1] == [b"1"]]
        begin = firsts[-1] if firsts else len(lines)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not lines:
            writer.writerow(self._columns)
        writer.writerows([entry[name] for name in self._columns] for entry in entries)
        write_atomically(self._path, b"".join(lines[:begin]), text.getvalue().encode())

    def _write(self, cells: list[str] | list[float], epoch: int = 0) -> None:
        """Write the line of an epoch, or one before the first epoch's."""
        if self._file is None:
            return
        try:
            csv.writer(self._file, lineterminator="\n").writerow(cells)
        except OSError as error:
            with suppress(OSError):
                self._file.close()  # writes what is left of the line, if that is possible by now
                epoch += 1
            self._fail(f"cannot be written: {error.strerror}", max(epoch, 1))

    def _fail(self, why: str, epoch: int) -> None:
        """Remember from which epoch on lines are lacking, and why; close the file: training goes on."""
        self._lacking = self._lacking or (epoch, why)
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._file = None


def _columns_of(path: Path) -> tuple[list[str], bool]:
    """Return the header of a file that is not empty, and whether its last line lacks a newline."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        line = file.readline(LONGEST_HEADER + 1)
    if len(line) > LONGEST_HEADER:
        raise FileExistsError(
            EEXIST,
            "what this file begins with is no header of a history; pass overwrite=True to replace it, or "
            "name another file",
            str(path),
        )
    with path.open("rb") as lines:
        lines.seek(-1, os.SEEK_END)
        return next(csv.reader([line]), []), lines.read() != b"\n"

"""The history as a CSV file that grows with it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TextIO

from ..history import History


class HistoryCSV:
    """Write a line an epoch, at once: what is there survives a crash, and can be watched.

    The columns are those of `History.entry`. A file of that name is replaced when training starts. Raises
    OSError where it cannot be written, before training rather than after it.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._file: TextIO | None = None

    def start(self, epochs: int, history: History) -> None:
        """Open the file, empty."""
        self._file = self._path.open("w", newline="", encoding="utf-8", buffering=1)

    def epoch_end(self, history: History) -> None:
        """Write the epoch's line, after the header if it is the first."""
        assert self._file is not None
        writer = csv.writer(self._file, lineterminator="\n")
        entry = history.entry()
        if history.epochs == 1:
            writer.writerow(entry)
        writer.writerow(entry.values())

    def end(self, history: History) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

"""A measurement over many rows, in pieces between which one looks at a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil
from time import perf_counter

from .pieces import Pieces


class Measuring:
    """A measurement over many rows, in pieces between which one looks at a training.

    Parameters
    ----------
    pieces : Pieces
        Of so many rows.
    synchronize, look : callable
        Wait for the device; look.
    """

    def __init__(self, pieces: Pieces, synchronize: Callable[[], None], look: Callable[[], None]) -> None:
        self._pieces, self._synchronize, self._look = pieces, synchronize, look
        self._rows, self._since = 0, perf_counter()

    def pieces(self, count: int, chunk: int) -> Iterator[slice]:
        """Yield slices of `count` rows, first to last, each of whole chunks but the last; look in between."""
        start = 0
        while start < count:
            stop = min(count, start + chunk * ceil(self._pieces.steps / chunk))
            yield slice(start, stop)
            if stop < count:
                self.look(stop - start)
            start = stop

    def look(self, rows: int) -> None:
        """Look, after so many rows of a measurement that goes on; not each time, where they are few."""
        self._rows += rows
        if self._rows < self._pieces.steps:
            return
        self._synchronize()
        self._pieces.took(self._rows, perf_counter() - self._since)
        self._look()
        self._rows, self._since = 0, perf_counter()

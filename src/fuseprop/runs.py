"""An epoch's compiled steps: in as few calls as there are programs, or one by one where somebody looks on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count, islice

from .backend import AnyBackend, Array, Program, Runner
from .callbacks import BatchCallback, Callback
from .history import History
from .optimizers import Optimizer


@dataclass(frozen=True)
class Runs:
    """The steps of an epoch.

    Attributes
    ----------
    backend : Backend
    runs : sequence of (Runner, int)
        What replays a step, and how often in a row.
    cursor : (1,)
        Where the epoch stands, in rows; a step's last act is to move it on.
    batch_size : int
        Rows of every step but the last.
    """

    backend: AnyBackend
    runs: Sequence[tuple[Runner, int]]
    cursor: Array
    batch_size: int

    @classmethod
    def compiled(
        cls, backend: AnyBackend, programs: Sequence[tuple[Program, int]], cursor: Array, batch_size: int
    ) -> Runs:
        """Return the steps of these programs, each taken so many times in a row."""
        runs = [(backend.compile(program), times) for program, times in programs]
        return cls(backend, runs, cursor, batch_size)

    def take(
        self,
        optimizer: Optimizer,
        *,
        before: Callable[[int], None] | None = None,
        after: Callable[[int], None] | None = None,
    ) -> None:
        """Take all steps, each between ``before(number)`` and ``after(number)``, from number 1.

        Whatever interrupts that, the optimizer knows how many steps were taken.
        """
        try:
            numbers = count(1)
            for replay, times in self.runs:
                if before is None and after is None:
                    replay(times)
                    continue
                for number in islice(numbers, times):
                    if before is not None:
                        before(number)
                    replay(1)
                    if after is not None:
                        after(number)
        except BaseException:
            optimizer.steps += self._taken()
            raise
        optimizer.steps += sum(times for _, times in self.runs)

    def _taken(self) -> int:
        rows = int(self.backend.to_host(self.cursor)[0])
        return -(-rows // self.batch_size)


def telling(callbacks: Sequence[Callback], history: History) -> Callable[[int], None] | None:
    """Return what tells the end of each batch, by its number, to those who ask; None if nobody does."""
    watchers = [callback for callback in callbacks if isinstance(callback, BatchCallback)]

    def tell(number: int) -> None:
        for watcher in watchers:
            watcher.batch_end(history, number)

    return tell if watchers else None

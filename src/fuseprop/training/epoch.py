"""An epoch on the device: its compiled steps, and the one array of what the host reads of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, count, islice, pairwise
from typing import Generic, NamedTuple

from ..backend import A, AnyBackend, Array, HostArray, Program, Runner
from ..callbacks import BatchCallback, Callback
from ..callbacks.history import History
from ..optimizers import Optimizer


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


class Results(NamedTuple, Generic[A]):
    """The parts of the array for n rows, m held-out rows and L layers whose norms are measured.

    Attributes
    ----------
    losses, hits : (n,)
        Of the rows in the order of the epoch.
    held_out : (2 m,)
        Losses and then hits: see `Evaluation`.
    square : (1,)
        The sum of squares of all parameters: where it is finite, they all are.
    norms : (2 L,)
        See `LayerNorms`.
    """

    losses: A
    hits: A
    held_out: A
    square: A
    norms: A


class EpochResults:
    """The array, for `rows` rows, `held_out` held-out rows and `layers` layers whose norms are measured.

    Attributes
    ----------
    on_device : Results
        Views of it, to be written to.
    """

    def __init__(self, backend: AnyBackend, *, rows: int, held_out: int, layers: int) -> None:
        self._backend = backend
        self._ends = list(accumulate((rows, rows, 2 * held_out, 1, 2 * layers), initial=0))
        self._array = backend.zeros((self._ends[-1],))
        self.on_device: Results[Array] = Results(*(self._array[a:b] for a, b in pairwise(self._ends)))

    def read(self) -> Results[HostArray]:
        """Return copies on the host, which waits for the device."""
        host = self._backend.to_host(self._array)
        return Results(*(host[a:b] for a, b in pairwise(self._ends)))

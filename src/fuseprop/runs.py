"""An epoch's compiled steps: in as few calls as there are programs, or one by one where somebody looks on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count, islice

from .backend import AnyBackend, Array, Runner
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

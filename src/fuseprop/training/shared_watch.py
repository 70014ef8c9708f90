"""What looks at a training of several processes between its steps: all look, and decide, alike."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import Any

from ..world import Processes
from .measuring import Measuring
from .watch import INTERRUPTED, Stopped, Watch


class SharedWatch(Watch):
    """A training of several processes as it is seen between its steps: see `Watch`.

    Process 0 says when all look next, and when a checkpoint is due, which it writes; the state that goes into
    it is that of all. Where one process is asked to end training, all end it, behind the same step.

    Parameters
    ----------
    world : Processes
    interrupted : callable
        Whether Ctrl-C has asked this process to end training.
    keeps : bool
        Whether process 0 has a keeper.
    """

    def __init__(
        self, world: Processes, interrupted: Callable[[], bool], *given: Any, keeps: bool, **settings: Any
    ) -> None:
        self._world, self._interrupted, self._keeps = world, interrupted, keeps
        self._agreed = 1  # steps until all look
        super().__init__(*given, **settings)

    def _touch(self, *, begins: bool) -> None:
        """Do nothing: a state takes all processes."""

    def piece(self) -> int:
        """See `Watch`."""
        return self._agreed

    def counts(self, steps: int) -> bool:
        """See `Watch`."""
        self._steps += steps
        if self._keeper is not None:
            self._keeper.took(steps)
        return self._steps >= self._agreed

    def look(self, taken: int) -> None:
        """See `Watch`."""
        self._synchronize()
        self._pieces.took(self._steps, perf_counter() - self._since)
        self._decide(taken, epoch_ended=False)
        self._steps, self._since = 0, perf_counter()

    def begin_measuring(self, taken: int) -> Measuring | None:
        """Return None: processes measure different numbers of rows, and look when all are done."""
        return None

    def epoch_ended(self, *, last: bool) -> None:
        """See `Watch`."""
        if not last:
            self._decide(None, epoch_ended=True)

    def interrupted(self) -> None:
        """Do nothing: training ends behind a step, or with the job."""

    def _decide(self, taken: int | None, *, epoch_ended: bool) -> None:
        """Let all processes go on, keep a checkpoint or end training, as they agree."""
        due = self._keeper is not None and self._keeper.is_due(epoch_ended=epoch_ended)
        found = self._world.gathered((self._reason(), due, super().piece()))
        _, due, self._agreed = found[0]
        reason = next((asked for asked, *_ in found if asked is not None), None)
        if reason is not None:
            self._keep(taken, wait=True)
            raise Stopped(reason)
        if due:
            self._keep(taken)

    def _reason(self) -> str | None:
        return INTERRUPTED if self._interrupted() else super()._reason()

    def _keep(self, taken: int | None, *, wait: bool = False) -> None:
        if self._keeper is not None:
            super()._keep(taken, wait=wait)
        elif self._keeps:
            with suppress(Exception):  # as there
                self._state(taken, self._copies)  # this process's part of it

"""What looks at a training between its steps: it writes checkpoints, and ends it where asked to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn

from ..backend import AnyBackend
from ..callbacks import Together
from ..optimizers.protocol import ToHost
from .copies import Copies
from .measuring import Measuring
from .pieces import Pieces

if TYPE_CHECKING:
    from ..checkpoints import Keeper

SPARE = 1.0
"""Seconds of work that Ctrl-C may cost at most, about, where it comes between steps."""

INTERRUPTED = "interrupted"
"""Why training has ended that Ctrl-C has ended."""


class Stopped(Exception):
    """A callback has asked for the end of training; the argument says why."""


class Watch:
    """A training as it is seen between its steps.

    Parameters
    ----------
    together : Together
        Asked whether training should end.
    backend : Backend
    state : callable
        ``state(steps, to_host)`` returns all that training goes on from, as plain data: within an epoch, of
        which so many steps were taken, perhaps all but no measurement, or behind one (None).
    keeper : Keeper, optional
        Open; writes the states.
    begins : bool
        Whether training stands between two epochs.
    """

    def __init__(
        self,
        together: Together,
        backend: AnyBackend,
        state: Callable[[int | None, ToHost], dict[str, Any]],
        keeper: Keeper | None,
        *,
        begins: bool,
    ) -> None:
        self._together, self._synchronize = together, backend.synchronize
        self._state, self._keeper = state, keeper
        self._copies, self._spares = Copies(backend), Copies(backend)
        self._spare: dict[str, Any] | None = None  # of the last moment between epochs that is not written
        self._spared, self._pause = perf_counter(), SPARE
        self._asked: str | None = None
        self._pieces, self._measured = Pieces(), Pieces()
        self._steps, self._since = 0, perf_counter()
        if keeper is not None:
            self._touch(begins=begins)

    def _touch(self, *, begins: bool) -> None:
        """Touch the memory that checkpoints take; what fails here fails again when one is due."""
        with suppress(Exception):
            touched = self._state(None if begins else 0, self._copies)
            self._spare = touched if begins else None

    def begin_epoch(self) -> None:
        """The next step is the first of an epoch, or of what is left of one."""
        self._steps, self._since = 0, perf_counter()

    @property
    def due(self) -> int | None:
        """In how many steps a checkpoint is due; None where steps do not decide."""
        return None if self._keeper is None else self._keeper.steps_left()

    def piece(self) -> int:
        """Return how many steps to take until the next `look`, at least 1."""
        return self._pieces.steps if self.due is None else max(1, min(self._pieces.steps, self.due))

    def counts(self, steps: int) -> bool:
        """Count steps that were taken; return whether it is time to look."""
        self._steps += steps
        if self._keeper is not None:
            self._keeper.took(steps)
        return self._steps >= self._pieces.steps or self.due == 0

    def wants_to_look(self) -> bool:
        """Whether a callback asks for the end of training, or time calls for a checkpoint."""
        return self._reason() is not None or self._is_time()

    def look(self, taken: int) -> None:
        """Look: the epoch goes on behind the `taken` steps. Raises Stopped where training should end."""
        self._synchronize()
        self._pieces.took(self._steps, perf_counter() - self._since)
        self._end_if_asked(taken)
        if self._keeper is not None and self._keeper.is_due(epoch_ended=False):
            self._keep(taken)
        self._steps, self._since = 0, perf_counter()

    def begin_measuring(self, taken: int) -> Measuring | None:
        """All steps of an epoch, `taken` in number, are sent; return what looks at measuring, if any."""
        return Measuring(self._measured, self._synchronize, lambda: self._look_at_measurement(taken))

    def _look_at_measurement(self, taken: int) -> None:
        """Look in the midst of a measurement, which is made anew where training goes on from here.

        So time alone calls for a checkpoint: those due by steps or epochs are written behind the epoch.
        """
        self._end_if_asked(taken)
        if self._is_time():
            self._keep(taken)

    def epoch_ended(self, *, last: bool) -> None:
        """Look behind an epoch. Raises Stopped as `look`."""
        if not last:
            self._end_if_asked(None)
            if self._keeper is not None and self._keeper.is_due(epoch_ended=True):
                self._keep(None)
            elif self._keeper is not None and perf_counter() - self._spared > self._pause:
                self._keep_spare()

    def finished(self) -> None:
        """Write the last checkpoint: training has come to its end."""
        self._keep(None, wait=True)

    def stop(self, taken: int) -> NoReturn:
        """End training behind so many steps of an epoch, where Ctrl-C has left a whole number of them."""
        self._keep(taken, wait=True)
        raise Stopped(INTERRUPTED)

    def interrupted(self) -> None:
        """Write a checkpoint of the last moment between epochs, where Ctrl-C has come at an unknown one."""
        if self._keeper is not None and self._spare is not None:
            self._keeper.finish_writing()
            self._keeper.keep(self._spare, wait=True)

    def _keep_spare(self) -> None:
        """Keep the state in memory for `interrupted`; so seldom that it costs a 200th of the time at most."""
        begin, self._spare = perf_counter(), None
        with suppress(Exception):
            self._spare = self._state(None, self._spares)
        self._spared = perf_counter()
        self._pause = max(SPARE, 200 * (self._spared - begin))

    def _end_if_asked(self, taken: int | None) -> None:
        reason = self._reason()
        if reason is not None:
            self._keep(taken, wait=True)
            raise Stopped(reason)

    def _reason(self) -> str | None:
        """Return why a callback asks for the end: the first answer stands."""
        self._asked = self._together.asks_to_stop() if self._asked is None else self._asked
        return self._asked

    def _is_time(self) -> bool:
        keeper = self._keeper
        return keeper is not None and keeper.steps_left() is None and keeper.is_due(epoch_ended=False)

    def _keep(self, taken: int | None, *, wait: bool = False) -> None:
        if self._keeper is not None:
            self._keeper.finish_writing()
            self._spare, self._spared = None, perf_counter()
            try:
                state = self._state(taken, self._copies)
            except Exception as error:  # of a user's callback too: nothing beside training ends it
                self._keeper.fail(error)
            else:
                self._keeper.keep(state, wait=wait)

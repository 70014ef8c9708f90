"""All callbacks of one training, told as one: what one of them raises keeps nothing from the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .history import History
from .protocol import Callback


class Together:
    """Callbacks in their order; each is told of an epoch and of the end, whatever those before it raise.

    What was raised first then comes through, and a note on it says what the others raised; but where one of
    them raised what ends the process, such as KeyboardInterrupt, that comes through. After a `start` that
    raises nobody else is started, and `end` is told to those whose `start` was called.
    """

    def __init__(self, callbacks: Iterable[Callback]) -> None:
        self._callbacks = list(callbacks)
        self._started: list[Callback] = []

    def start(self, epochs: int, history: History) -> None:
        """Training begins and means to run for `epochs` epochs."""
        for callback in self._callbacks:
            self._started.append(callback)
            callback.start(epochs, history)

    def epoch_end(self, history: History) -> None:
        """An epoch is complete."""
        _tell(self._callbacks, lambda callback: callback.epoch_end(history))

    def end(self, history: History, error: BaseException | None = None) -> None:
        """Training has ended, by `error` where there is one, which then is the first that was raised."""
        _tell(self._started, lambda callback: callback.end(history), error)


def _tell(
    callbacks: Iterable[Callback], tell: Callable[[Callback], None], underway: BaseException | None = None
) -> None:
    """Tell all; raise what is to come through, unless it is `underway`, and note the others on it."""
    raised: list[tuple[str, BaseException]] = []
    if underway is not None:
        raised.append(("training", underway))
    for callback in callbacks:
        try:
            tell(callback)
        except BaseException as error:
            raised.append((type(callback).__name__, error))
    if not raised:
        return
    errors = [error for _, error in raised]
    chosen = next((error for error in errors if not isinstance(error, Exception)), errors[0])
    for name, other in raised:
        if other is not chosen:
            chosen.add_note(f"{name} raised {type(other).__name__} too: {other}")
    if chosen is not underway:
        raise chosen

"""All callbacks of one training, called as one: an exception of one of them does not skip the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .history import History
from .protocol import BatchCallback, Callback, ResumableCallback


class Together:
    """Callbacks in their order; each is told of an epoch and of the end, whatever those before it raise.

    What was raised first then comes through, and a note on it says what the others raised; but where one of
    them raised what ends the process, such as KeyboardInterrupt, that comes through. After a `start` that
    raises nobody else is started, and `end` is told to those whose `start` was called.
    """

    def __init__(self, callbacks: Iterable[Callback]) -> None:
        self.callbacks = list(callbacks)
        self._started: list[Callback] = []

    def start(self, epochs: int, history: History) -> None:
        """Training begins and means to run for `epochs` epochs."""
        for callback in self.callbacks:
            self._started.append(callback)
            callback.start(epochs, history)

    def batch_notifier(self, history: History) -> Callable[[int], None] | None:
        """Return what calls `batch_end`, with a batch's number, on the callbacks that have it; else None."""
        watching = [callback for callback in self.callbacks if isinstance(callback, BatchCallback)]

        def notify(number: int) -> None:
            for callback in watching:
                callback.batch_end(history, number)

        return notify if watching else None

    def epoch_end(self, history: History) -> None:
        """An epoch is complete."""
        _tell(self.callbacks, lambda callback: callback.epoch_end(history))

    def state_dict(self) -> dict[str, Any]:
        """Return what the callbacks carry, in their order; None for one that has no `state_dict`."""
        states = [
            callback.state_dict() if isinstance(callback, ResumableCallback) else None
            for callback in self.callbacks
        ]
        return {"callbacks": states}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let as many callbacks of the same kinds, which have been started, go on from what they carried."""
        for callback, carried in zip(self.callbacks, state["callbacks"], strict=True):
            if isinstance(callback, ResumableCallback) and carried is not None:
                callback.load_state_dict(carried)

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

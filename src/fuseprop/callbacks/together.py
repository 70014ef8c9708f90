"""All callbacks of one training, called as one: an exception in one of them does not skip the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..checks.quoting import shown
from ..checks.states import SEQUENCE, STATE, TEXT, check_state
from .history import History
from .protocol import BatchCallback, Callback, ResumableCallback, StoppingCallback, is_of_first

MOST = 10
"""So many kinds of callbacks are named at most."""


class Together:
    """Callbacks in their order; `epoch_end` and `end` reach each of them, also after one has raised.

    The first exception is raised when all have been called, with a note on what the others raised; but an
    exception that ends the process, such as KeyboardInterrupt, goes before all others. Where a `start`
    raises, the callbacks after it are not started; `end` is called on it and on those before it.

    Parameters
    ----------
    callbacks : iterable of Callback
    is_first : bool
        Whether this process is the only one, or process 0 of several. Others have no callbacks `of_first`,
        and go on from what those of process 0 carried without these.

    Examples
    --------
    >>> from fuseprop import EarlyStopping
    >>> from fuseprop.callbacks import OnEpochEnd, Together
    >>> together = Together([EarlyStopping(), OnEpochEnd(lambda history: None)])
    """

    def __init__(self, callbacks: Iterable[Callback], *, is_first: bool = True) -> None:
        self.callbacks = [each for each in callbacks if is_first or not is_of_first(each)]
        self._is_first = is_first
        self._started: list[Callback] = []

    def start(self, epochs: int, history: History) -> None:
        """Training begins and means to run for `epochs` epochs."""
        self._started = []
        for callback in self.callbacks:
            self._started.append(callback)
            callback.start(epochs, history)

    def batch_notifier(self, history: History) -> Callable[[int], None] | None:
        """Return what calls `batch_end` on the callbacks that have it; None where none has."""
        called = [callback for callback in self.callbacks if isinstance(callback, BatchCallback)]

        def notify(number: int) -> None:
            for callback in called:
                callback.batch_end(history, number)

        return notify if called else None

    @property
    def may_stop(self) -> bool:
        """Whether a callback may end training between two steps."""
        return any(isinstance(callback, StoppingCallback) for callback in self.callbacks)

    def asks_to_stop(self) -> str | None:
        """Return the reason of the first callback that asks training to end now; None where none does."""
        asked = (callback for callback in self.callbacks if isinstance(callback, StoppingCallback))
        reasons = (callback.asks_to_stop() for callback in asked)
        return next((reason for reason in reasons if reason is not None), None)

    def epoch_end(self, history: History) -> None:
        """An epoch is complete."""
        _call_all(self.callbacks, lambda callback: callback.epoch_end(history))

    def state_dict(self) -> dict[str, Any]:
        """Return what the callbacks carry that carry something, in their order, each with its type's name.

        Raises TypeError for a callback whose `state_dict` returns no dict.
        """
        states: list[dict[str, Any]] = []
        for kind, callback in self._resumable():
            carried: object = callback.state_dict()
            if not isinstance(carried, Mapping):
                raise TypeError(f"{kind}.state_dict() returned {carried!r:.60}, expected a dict.")
            state: dict[str, Any] = {"kind": kind, "carried": carried}
            states.append({**state, "of_first": True} if is_of_first(callback) else state)
        return {"callbacks": states}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let callbacks go on from what they carried: those of the same kinds, that have been started.

        Raises ValueError where there are others that carry something.
        """
        check_state("Together", state, callbacks=SEQUENCE)
        for each in state["callbacks"]:
            check_state("a callback", each, kind=TEXT, carried=STATE)
        carried = [each for each in state["callbacks"] if self._is_first or not each.get("of_first")]
        given, own = [each["kind"] for each in carried], self._resumable()
        kinds = [kind for kind, _ in own]
        if given != kinds:
            raise ValueError(
                f"the training that goes on had the callbacks {_in_words(given)}, and this one has "
                f"{_in_words(kinds)}. Give the same, in the same order; those that carry nothing count not."
            )
        for (_, callback), each in zip(own, carried, strict=True):
            callback.load_state_dict(each["carried"])

    def _resumable(self) -> list[tuple[str, ResumableCallback]]:
        return [(type(each).__name__, each) for each in self.callbacks if isinstance(each, ResumableCallback)]

    def end(self, history: History, error: BaseException | None = None) -> None:
        """Training has ended; `error`, where there is one, counts as raised before those of the callbacks."""
        _call_all(self._started, lambda callback: callback.end(history), error)


def _call_all(
    callbacks: Iterable[Callback], call: Callable[[Callback], None], underway: BaseException | None = None
) -> None:
    """Call all; raise the exception that goes before the others, unless it is `underway` already."""
    raised: list[tuple[str, BaseException]] = []
    if underway is not None:
        raised.append(("training", underway))
    for callback in callbacks:
        try:
            call(callback)
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


def _in_words(kinds: list[str]) -> str:
    return ", ".join(map(shown, kinds[:MOST])) + (", ..." if kinds[MOST:] else "") or "none"

"""What a callback is: anything with these methods may be handed to `Network.fit`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from ..checks.settings import check_methods
from .history import History


class Callback(Protocol):
    """Called when training starts, after each epoch, and when it ends; ends it by `History.stop`."""

    def start(self, epochs: int, history: History) -> None:
        """Training begins and means to run for `epochs` epochs."""

    def epoch_end(self, history: History) -> None:
        """An epoch is complete; `history` has its entry."""

    def end(self, history: History) -> None:
        """Training has ended, also where an error ended it; see `history.stop_reason`."""


@runtime_checkable
class BatchCallback(Callback, Protocol):
    """A callback with `batch_end`, for which training goes step by step, not one call a program."""

    def batch_end(self, history: History, batch: int) -> None:
        """The network has learned from a batch, counted from 1. Its loss has not been copied to the host."""


@runtime_checkable
class StoppingCallback(Callback, Protocol):
    """A callback that can end training between two steps, not only after an epoch as `History.stop` does."""

    def asks_to_stop(self) -> str | None:
        """Return why training is to end now, for `History.stop_reason`; None to go on.

        Asked between steps, at least every 0.05 s, or after each step where a step takes longer. It is to be
        quick, as training waits for it.
        """


@runtime_checkable
class ResumableCallback(Callback, Protocol):
    """A callback that carries something from epoch to epoch, and can go on from it in another training.

    Both methods are called between `start` and `end`. A callback without them begins anew.
    """

    def state_dict(self) -> dict[str, Any]:
        """Return what it carries, as plain data: numbers, strings, NumPy arrays, None, lists and dicts."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""


def is_of_first(callback: Callback) -> bool:
    """Whether only process 0 has use for a callback, where several train together: one that writes a file.

    Such a callback has a true attribute `of_first`.
    """
    return bool(getattr(callback, "of_first", False))


def check_callbacks(callbacks: object) -> None:
    """Raise TypeError for what is no sequence of callbacks, and for a class in the place of its object.

    Examples
    --------
    >>> from fuseprop import EarlyStopping
    >>> from fuseprop.callbacks import check_callbacks
    >>> check_callbacks([EarlyStopping()])
    """
    if not isinstance(callbacks, Iterable):
        raise TypeError(
            f"callbacks must be a sequence such as [EarlyStopping(patience=10)], got {callbacks!r:.100}."
        )
    for callback in callbacks:
        expected = "an object with start, epoch_end and end, such as EarlyStopping(patience=10)"
        check_methods("a callback", callback, ("start", "epoch_end", "end"), expected)

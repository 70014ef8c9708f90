"""What a callback is: anything with these methods may be handed to `Network.fit`."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ..history import History


class Callback(Protocol):
    """Told when training starts, after each epoch, and when it ends; asks for its end by `History.stop`."""

    def start(self, epochs: int, history: History) -> None:
        """Training begins and means to run for `epochs` epochs."""

    def epoch_end(self, history: History) -> None:
        """An epoch is complete; `history` has its entry."""

    def end(self, history: History) -> None:
        """Training has ended, for whatever `history.stop_reason` says; called on errors too."""


@runtime_checkable
class BatchCallback(Callback, Protocol):
    """A callback that is told of each batch too, because it has this method; the others cost nothing."""

    def batch_end(self, history: History, batch: int) -> None:
        """Learned from a batch, counted from 1; its loss is still on the device, nobody has waited for it."""

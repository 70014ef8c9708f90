"""What a user is told when a loss explodes."""

from __future__ import annotations

from .history import History


class DivergenceError(ArithmeticError):
    """A loss stopped being finite. The network holds its best finite weights.

    Attributes
    ----------
    history : History
        The completed epochs; its stop_reason is "diverged".
    epoch : int
        The epoch that failed, counted from 1.
    batch : int or None
        The batch that failed, counted from 1; None if it was the validation loss.
    layer : int
        The layer with the largest gradient, counted from 1.
    """

    def __init__(self, message: str, history: History, epoch: int, batch: int | None, layer: int) -> None:
        super().__init__(message)
        self.history = history
        self.epoch = epoch
        self.batch = batch
        self.layer = layer

"""A function as a callback."""

from __future__ import annotations

from collections.abc import Callable

from .history import History


class OnEpochEnd:
    """Call ``function(history)`` after each epoch; its result is ignored, its exceptions end training."""

    def __init__(self, function: Callable[[History], object]) -> None:
        self._function = function

    def start(self, epochs: int, history: History) -> None:
        """Do nothing."""

    def epoch_end(self, history: History) -> None:
        """Call the function."""
        self._function(history)

    def end(self, history: History) -> None:
        """Do nothing."""

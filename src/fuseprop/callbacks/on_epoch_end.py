"""A function as a callback."""

from __future__ import annotations

from collections.abc import Callable

from .history import History


class OnEpochEnd:
    """Call ``function(history)`` after each epoch; its result is ignored, its exceptions end training.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import Network, mlp
    >>> from fuseprop.callbacks import OnEpochEnd
    >>> network = Network(mlp([2, 1]), "half_squared_error", seed=0, device="cpu")
    >>> told = OnEpochEnd(lambda history: print("epoch", len(history.train_loss)))
    >>> history = network.fit(np.ones((4, 2)), np.ones(4), epochs=2, callbacks=[told])
    epoch 1
    epoch 2
    """

    def __init__(self, function: Callable[[History], object]) -> None:
        self._function = function

    def start(self, epochs: int, history: History) -> None:
        """Do nothing."""

    def epoch_end(self, history: History) -> None:
        """Call the function."""
        self._function(history)

    def end(self, history: History) -> None:
        """Do nothing."""

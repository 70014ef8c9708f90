"""Early stopping: training ends when its loss no longer falls, and the network keeps its best weights."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from ..checks.settings import is_finite_number, positive_integer
from ..checks.states import COUNT, NUMBER, check_state
from .history import History
from .patience import Patience


class EarlyStopping:
    """Stop after `patience` epochs without an improvement by more than `min_delta`.

    Epochs are judged by their validation loss, or by the training loss where there is no validation. The
    network ends with the weights of the best epoch however training ends: by patience, at the last epoch, by
    Ctrl-C or an error. (Prechelt 1998, "Early stopping - but when?")

    Parameters
    ----------
    patience : int
        At least 1.
    min_delta : float
        At least 0. Epochs that are better by less do not count as improvements, but may still be the best.

    Raises ValueError for numbers outside these ranges.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import EarlyStopping, Network, mlp
    >>> network = Network(mlp([2, 1]), "half_squared_error", seed=0, device="cpu")
    >>> stop = EarlyStopping(patience=2)
    >>> history = network.fit(
    ...     np.eye(2), np.ones(2), epochs=100, validation=(np.eye(2), np.zeros(2)), callbacks=[stop]
    ... )
    >>> len(history.train_loss) < 100
    True
    """

    def __init__(self, patience: int = 10, min_delta: float = 0.0) -> None:
        self.patience = positive_integer("patience", patience)
        if not (is_finite_number(min_delta) and min_delta >= 0):
            raise ValueError(f"min_delta must be a number of at least 0, got {min_delta!r}.")
        self.min_delta = min_delta
        self._reference, self._patience = inf, Patience(self.patience)

    def start(self, epochs: int, history: History) -> None:
        """Ask for the best weights at the end."""
        history.restore_best = True
        self._reference, self._patience = inf, Patience(self.patience)

    def epoch_end(self, history: History) -> None:
        """Count the epochs without an improvement."""
        improved = history.score < self._reference - self.min_delta
        if improved:
            self._reference = history.score
        self._patience.epoch_ended(improved=improved)
        if self._patience.is_over:
            history.stop("early stopping")

    def end(self, history: History) -> None:
        """Do nothing: the training loop restores the best weights."""

    def state_dict(self) -> dict[str, Any]:
        """Return the settings, the loss to improve upon, and the number of epochs in a row that did not."""
        settings = {"patience": self.patience, "min_delta": self.min_delta}
        return {**settings, "reference": self._reference, **self._patience.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned, with the same settings; ValueError for others."""
        check_state("EarlyStopping", state, patience=COUNT, min_delta=NUMBER, reference=NUMBER, count=COUNT)
        for name in ("patience", "min_delta"):
            if state[name] != getattr(self, name):
                raise ValueError(
                    f"EarlyStopping has {name}={getattr(self, name)}, and the training that goes on had "
                    f"{state[name]}. Give the same."
                )
        self._reference = state["reference"]
        self._patience.load_state_dict(state)

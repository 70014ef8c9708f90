"""What decides between epochs how training goes on: the reported loss, the weights to go back to, the end."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from math import isfinite
from typing import Any, NoReturn, Protocol

import numpy as np

from ..backend import HostArray
from ..callbacks.history import History
from ..metrics import weighted_mean
from .best import BestWeights
from .divergence import DivergenceError, largest_gradient
from .epoch import Epoch, EpochResults
from .evaluation import Evaluation
from .observers import SumOfSquares


class Rules(Protocol):
    """How one kind of training decides; the loop calls these methods in this order.

    ``start``, then for each epoch ``begin_epoch``, ``train_loss`` and ``judge``, then ``finish`` unless
    training was interrupted or failed, ``settle`` however it ended, and ``conclude`` unless it failed.
    """

    def start(self) -> None:
        """Training begins with the weights as they are."""

    def begin_epoch(self, sums: HostArray) -> None:
        """Set the optimizer's numbers for an epoch whose batches' weights add up to `sums`, (batches,)."""

    def train_loss(self, results: EpochResults, history: History) -> float:
        """Return the loss to report; may raise DivergenceError. The epoch is not in `history` yet."""

    def judge(self, history: History) -> None:
        """Look at the epoch that is in `history` now: keep its weights, change the rate, ask for the end."""

    def finish(self, history: History) -> None:
        """Training has come to its end."""

    def settle(self, history: History) -> None:
        """Decide which weights training ends with."""

    def conclude(self, history: History) -> None:
        """Warn of what the user should know; all callbacks have been told of the end."""

    def state_dict(self) -> dict[str, Any]:
        """Return what the rules carry from one epoch to the next, as plain data."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""


class FitRules:
    """The rules of `Network.fit`: a loss that is not finite is an error, and the best weights are kept.

    Parameters
    ----------
    epoch : Epoch
    squares : SumOfSquares
        One of the epoch's observers.
    validation : Evaluation, optional
        Another one.
    """

    def __init__(self, epoch: Epoch, squares: SumOfSquares, validation: Evaluation | None) -> None:
        self._epoch, self._stack, self._optimizer = epoch, epoch.stack, epoch.optimizer
        self._squares, self._validation = squares, validation
        self._best = BestWeights(self._stack.parameters)
        self._kept = ""

    def start(self) -> None:
        """Keep the starting weights."""
        self._best.start()

    def begin_epoch(self, sums: HostArray) -> None:
        """The optimizer's numbers are the user's."""

    def train_loss(self, results: EpochResults, history: History) -> float:
        """Return the weighted mean of all rows' losses; raise DivergenceError where it is not finite."""
        losses, order = results.losses, results.order
        train_loss = weighted_mean(losses, results.weights)
        if not isfinite(train_loss):
            row = int(np.argmax(np.where(np.isfinite(losses), losses, np.inf)))  # the first that is not
            batch = row // self._epoch.batch_size + 1
            self._diverge(history, f"the loss became {losses[row]}", order, batch)
        if not isfinite(self._squares.square) and not self._stack.parameters.are_finite():
            self._diverge(history, "the weights stopped being finite", order, len(self._epoch.batches))
        if self._validation is not None and not isfinite(self._validation.loss):
            self._diverge(history, f"the validation loss became {self._validation.loss}", order, None)
        return train_loss

    def judge(self, history: History) -> None:
        """Keep the weights of the epoch with the lowest score."""
        self._best.offer(history.score, history.epochs)
        history.best_epoch = self._best.epoch

    def finish(self, history: History) -> None:
        """All epochs are done, or a callback has said why not."""
        history.stop("finished")

    def settle(self, history: History) -> None:
        """Go back to the best weights where a callback asked for them, or the last ones are not finite."""
        self._kept = "of the last step"
        complete = history.stop_reason not in (None, "interrupted")  # no step since the last epoch's end
        if history.restore_best:
            if not (complete and self._best.epoch == history.epochs):
                self._restore()
            self._kept = f"{self._best.describe()}, the best,"
        elif not complete and not self._stack.parameters.are_finite():
            self._restore()
            self._kept = self._best.describe()

    def conclude(self, history: History) -> None:
        """Warn of an interruption, and say which weights are kept."""
        if history.stop_reason == "interrupted":
            warnings.warn(
                f"training interrupted in epoch {history.epochs + 1}; the weights {self._kept} are kept.",
                UserWarning,
                stacklevel=6,
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the best weights."""
        return {"best": self._best.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self._best.load_state_dict(state["best"])

    def _restore(self) -> None:
        self._best.restore()
        self._optimizer.reset()

    def _diverge(self, history: History, what: str, order: HostArray, batch: int | None) -> NoReturn:
        """Go back to the best finite weights, look for the layer that exploded, and raise."""
        self._restore()
        batches = len(self._epoch.batches)
        norm, i = largest_gradient(self._epoch, order, batch or batches)
        self._restore()
        history.stop_reason = "diverged"
        number = history.epochs + 1
        layer = self._stack.layers[i]
        rate = self._optimizer.current_learning_rate
        where = "" if batch is None else f", batch {batch} of {batches}"
        raise DivergenceError(
            f"{what} in epoch {number}{where} (learning_rate={rate:g}). Going through that epoch again "
            f"from the kept weights, the largest gradient is {norm:.3g}, in layer {i + 1} "
            f"({layer.inputs} -> {layer.outputs}, {layer.activation}). The weights "
            f"{self._best.describe()} were kept. Try a smaller learning rate, smaller starting weights or "
            f"clip_norm; standardize inputs and targets if they are not.",
            history,
            number,
            batch,
            i + 1,
        )

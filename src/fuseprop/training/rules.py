"""Decisions between epochs: the reported loss, the best weights, the end of training."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, NoReturn, Protocol

import numpy as np

from ..backend import HostArray
from ..callbacks.history import History
from ..checks.states import STATE, check_state
from ..checks.warning import warn_user
from ..metrics import weighted_mean
from ..optimizers.protocol import ToHost
from .best import BestWeights
from .divergence import DivergenceError, largest_gradient
from .epoch import Epoch, EpochResults
from .evaluation import Evaluation
from .observers import SumOfSquares

FIT_INTERRUPTED = "training interrupted"
"""The beginning of the warning with which `Network.fit` returns after Ctrl-C."""


class Rules(Protocol):
    """The decisions of one kind of training; the loop calls these methods in this order.

    ``start``, then for each epoch ``begin_epoch``, ``train_loss`` and ``judge``, then ``finish`` unless
    training was interrupted or failed, ``settle`` however it ended, and ``conclude`` unless it failed.
    """

    def start(self) -> None:
        """Training begins, from the parameters as they are."""

    def begin_epoch(self, sums: HostArray) -> None:
        """Set the optimizer's settings for an epoch whose batches' weights add up to `sums`, (batches,)."""

    def train_loss(self, results: EpochResults, history: History) -> float:
        """Return the loss to report; may raise DivergenceError. The epoch is not in `history` yet."""

    def judge(self, history: History) -> None:
        """Judge the epoch, now in `history`: keep its weights, change the rate, call `history.stop`."""

    def finish(self, history: History) -> None:
        """All epochs are done, or `history.stop_reason` says why training ends before."""

    def settle(self, history: History) -> None:
        """Decide which weights training ends with."""

    def conclude(self, history: History) -> None:
        """Warn the user; `end` has been called on all callbacks."""

    def state_dict(self, to_host: ToHost | None = None) -> dict[str, Any]:
        """Return what the rules carry from one epoch to the next, as plain data.

        The backend copies arrays to the host, or `to_host`.
        """

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned; to be called after `start`, which begins anew."""


class FitRules:
    """The rules of `Network.fit`: a loss that is not finite is an error, and the best weights are kept.

    Parameters
    ----------
    epoch : Epoch
    squares : SumOfSquares
        One of the epoch's observers.
    validation : Evaluation, optional
        Another one, where there are held-out rows.
    """

    def __init__(self, epoch: Epoch, squares: SumOfSquares, validation: Evaluation | None) -> None:
        self._epoch, self._stack, self._optimizer = epoch, epoch.stack, epoch.optimizer
        self._squares, self._validation = squares, validation
        self._best = BestWeights(self._stack.parameters)
        self._kept = ""  # which weights `settle` has kept, in words
        self._judged = 0  # the optimizer's steps when an epoch was judged last

    def start(self) -> None:
        """Keep the starting weights."""
        self._best.start()
        self._judged = self._optimizer.steps

    def begin_epoch(self, sums: HostArray) -> None:
        """Do nothing: the optimizer has the user's settings."""

    def train_loss(self, results: EpochResults, history: History) -> float:
        """Return the weighted mean of all rows' losses; raise DivergenceError where it is not finite."""
        losses, order = results.losses, results.order
        train_loss = weighted_mean(losses, results.weights)
        if not isfinite(train_loss):
            first_not_finite = np.argmax(np.where(np.isfinite(losses), losses, np.inf))
            row = int(first_not_finite)
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
        self._judged = self._optimizer.steps

    def finish(self, history: History) -> None:
        """Call the end "finished", unless a callback has given another reason."""
        history.stop("finished")

    def settle(self, history: History) -> None:
        """Restore the best weights where `history.restore_best` says so, or the last ones are not finite."""
        self._kept = "of the last step"
        complete = self._optimizer.steps == self._judged
        if history.restore_best:
            if not (complete and self._best.epoch == history.epochs):
                self._restore()
            self._kept = f"{self._best.describe()}, the best,"
        elif not complete and not self._stack.parameters.are_finite():
            self._restore()
            self._kept = self._best.describe()

    def conclude(self, history: History) -> None:
        """Warn of an interruption, and say which weights are kept."""
        if history.stop_reason in ("interrupted", "terminated"):
            warn_user(
                f"{FIT_INTERRUPTED} in epoch {history.epochs + 1}; the weights {self._kept} are kept.",
                UserWarning,
            )

    def state_dict(self, to_host: ToHost | None = None) -> dict[str, Any]:
        """Return the best weights."""
        return {"best": self._best.state_dict(to_host)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        check_state("FitRules", state, best=STATE)
        self._best.load_state_dict(state["best"])
        self._judged = self._optimizer.steps

    def _restore(self) -> None:
        self._best.restore()
        self._optimizer.reset()

    def _diverge(self, history: History, what: str, order: HostArray, batch: int | None) -> NoReturn:
        """Restore the best finite weights, find the layer whose gradient exploded, and raise."""
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

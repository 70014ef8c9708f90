"""Decisions between epochs: the reported loss, the best weights, the end of training."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Protocol

import numpy as np

from ..backend import HostArray
from ..callbacks.history import History
from ..checks.quoting import counted
from ..checks.states import COUNT, STATE, Kind, check_state
from ..checks.warning import warn_user
from ..metrics import weighted_mean
from ..optimizers.protocol import ToHost, scalable
from .best import BestWeights
from .changed import SettingChanged
from .divergence import MOST_HALVINGS, DivergenceError, largest_gradient
from .epoch import Epoch, EpochResults
from .evaluation import Evaluation
from .observers import SumOfSquares

FIT_INTERRUPTED = "training interrupted"
"""The beginning of the warning with which `Network.fit` returns after Ctrl-C."""

HALVINGS = Kind(
    f"a whole number up to {MOST_HALVINGS}", lambda value: COUNT.fits(value) and value <= MOST_HALVINGS
)


class Rules(Protocol):
    """The decisions of one kind of training; the loop calls these methods in this order.

    ``start``, then for each epoch ``begin_epoch``, ``train_loss`` and ``judge``, then ``finish`` unless
    training was interrupted or failed, ``settle`` however it ended, and ``conclude`` unless it failed.
    """

    def start(self) -> None:
        """Training begins, from the parameters as they are."""

    def begin_epoch(self, sums: HostArray) -> None:
        """Set the optimizer's settings for an epoch whose batches' weights add up to `sums`, (batches,)."""

    def train_loss(self, results: EpochResults, history: History) -> float | None:
        """Return the loss to report; None where the epoch does not count, and what it has learned is undone.

        The epoch is not in `history` yet. May raise DivergenceError.
        """

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
    halves : bool
        Whether a training that diverges goes on from its best weights with half the learning rate, up to
        `MOST_HALVINGS` times. The optimizer is a scalable one then.
    """

    def __init__(
        self, epoch: Epoch, squares: SumOfSquares, validation: Evaluation | None, *, halves: bool = False
    ) -> None:
        self._epoch, self._stack, self._optimizer = epoch, epoch.stack, epoch.optimizer
        self._squares, self._validation = squares, validation
        self._best = BestWeights(self._stack.parameters)
        self._kept = ""  # which weights `settle` has kept, in words
        self._judged = 0  # the optimizer's steps when an epoch was judged last
        self._halves, self._halvings = halves, 0

    def start(self) -> None:
        """Keep the starting weights."""
        self._best.start()
        self._halve(0)
        self._judged = self._optimizer.steps

    def begin_epoch(self, sums: HostArray) -> None:
        """Do nothing: the optimizer has the user's settings."""

    def train_loss(self, results: EpochResults, history: History) -> float | None:
        """Return the weighted mean of all rows' losses.

        Where a loss or a weight is not finite, raises DivergenceError, or goes back to the best weights,
        halves the learning rate and returns None.
        """
        train_loss = weighted_mean(results.losses, results.weights)
        diverged = self._divergence(train_loss, results)
        if diverged is None:
            return train_loss
        what, batch = diverged
        if not self._halves or self._halvings == MOST_HALVINGS:
            raise self._end(history, what, results.order, batch)
        self._undo(history, what, batch)
        return None

    def _divergence(self, train_loss: float, results: EpochResults) -> tuple[str, int | None] | None:
        """Return what is not finite, in words, and the batch in which it became that; None where all is.

        No batch is to blame for the validation loss.
        """
        if not isfinite(train_loss):
            losses = results.losses
            place = int(np.argmax(np.where(np.isfinite(losses), losses, np.inf)))
            return f"the loss became {losses[place]}", results.batch_of(place)
        if not isfinite(self._squares.square) and not self._stack.parameters.are_finite():
            return "the weights stopped being finite", len(self._epoch.batches)
        if self._validation is not None and not isfinite(self._validation.loss):
            return f"the validation loss became {self._validation.loss}", None
        return None

    def judge(self, history: History) -> None:
        """Keep the weights of the epoch with the lowest score."""
        self._best.offer(history.score, history.epochs)
        history.best_epoch = self._best.epoch
        self._judged = self._optimizer.steps

    def finish(self, history: History) -> None:
        """Call the end "finished", unless a callback has given another reason."""
        history.stop("finished")

    def settle(self, history: History) -> None:
        """Restore the best weights where `history.restore_best` says so, or the last ones are not finite.

        The optimizer has its own learning rates again.
        """
        self._halve(0)
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
        """Return the best weights, and how often the learning rate was halved."""
        return {"best": self._best.state_dict(to_host), "halvings": self._halvings}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        check_state("FitRules", state, best=STATE)
        halvings = state.get("halvings", 0)  # checkpoints of earlier versions have none
        check_state("FitRules", {"halvings": halvings}, halvings=HALVINGS)
        self._best.load_state_dict(state["best"])
        self._halve(halvings)
        self._judged = self._optimizer.steps

    def _restore(self) -> None:
        self._best.restore()
        self._optimizer.reset()

    def _halve(self, times: int) -> None:
        """Let the optimizer's learning rates be halved so many times from what they are by themselves."""
        if times or self._halvings:
            scalable(self._optimizer).rate_scale = 0.5**times
        self._halvings = times

    def _undo(self, history: History, what: str, batch: int | None) -> None:
        """Go back to the best weights, with half the learning rate from there on."""
        number, before = history.epochs + 1, self._optimizer.current_learning_rate
        self._restore()
        self._judged = self._optimizer.steps
        self._halve(self._halvings + 1)
        rate = self._optimizer.current_learning_rate
        history.halvings.append({"epoch": number, "learning_rate": rate})
        warn_user(
            f"{what} in epoch {number}{self._where(batch)} (learning_rate={before:g}): training goes on from "
            f"the weights {self._best.describe()} with half the learning rate, {rate:g}.",
            SettingChanged,
        )

    def _where(self, batch: int | None) -> str:
        return "" if batch is None else f", batch {batch} of {len(self._epoch.batches)}"

    def _end(self, history: History, what: str, order: HostArray, batch: int | None) -> DivergenceError:
        """Restore the best finite weights; return an error that names the layer whose gradient exploded."""
        self._restore()
        batches = len(self._epoch.batches)
        norm, i = largest_gradient(self._epoch, order, batch or batches)
        self._restore()
        history.stop_reason = "diverged"
        number = history.epochs + 1
        layer = self._stack.layers[i]
        rate = self._optimizer.current_learning_rate
        often = f", halved {counted(self._halvings, 'time')}" if self._halvings else ""
        return DivergenceError(
            f"{what} in epoch {number}{self._where(batch)} (learning_rate={rate:g}{often}). Going through "
            f"that epoch again from the kept weights, the largest gradient is {norm:.3g}, in layer {i + 1} "
            f"({layer.inputs} -> {layer.outputs}, {layer.activation}). The weights "
            f"{self._best.describe()} were kept. Try a smaller learning rate, smaller starting weights or "
            f"clip_norm; standardize inputs and targets if they are not.",
            history,
            number,
            batch,
            i + 1,
        )

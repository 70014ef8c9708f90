"""The solvers "sgd" and "adam": scikit-learn's rules for penalty, rate, patience, scores and the end.

For each batch scikit-learn minimises sum_i w_i loss_i / sum_i w_i + alpha / (2 sum_i w_i) ||W||^2, so that
the decay differs from step to step where rows have weights. The loss that it reports of an epoch is the mean
of these numbers over rows, each with the weights W from before the batch's own update.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..backend import HostArray
from ..callbacks.history import History
from ..callbacks.progress import Verbose
from ..checks.states import NUMBER, STATE, check_state
from ..checks.warning import warn_user
from ..layers.stack import Stack
from ..optimizers.protocol import ToHost
from ..training.best import BestWeights
from ..training.epoch import EpochResults
from ..training.observers import Norms
from ..training.rows import Rows
from ..training.step import batch_bounds
from .curves import curves_of, set_curves
from .improvement import Improvement
from .observers import HeldOut, Outputs, SquaredWeights
from .optimizer_state import OptimizerState
from .reported import Reported

ADVICE = "Standardize X, and y where it is numbers, or take a smaller learning rate."


class StochasticRules:
    """The `Rules` of one `fit` or `partial_fit` of an estimator.

    They read the estimator's parameters and set the attributes that scikit-learn documents.

    Parameters
    ----------
    estimator : BaseMLP
    stack : Stack
    rows : Rows
        The rows to learn from.
    batch_size : int
    validation : HeldOut, optional
        One of the epoch's observers.
    first : bool
        Whether training begins anew, and does not go on from an earlier call.
    incremental : bool
        Whether this is a `partial_fit`: one epoch.

    Attributes
    ----------
    optimizer : Adam or MomentumSGD
    observers : list of Observer
        The epoch's observers, from which these rules take the reported loss, the norms and the validation.
    """

    def __init__(
        self,
        estimator: Any,
        stack: Stack,
        rows: Rows,
        batch_size: int,
        validation: HeldOut | None,
        *,
        first: bool,
        incremental: bool,
    ) -> None:
        self._estimator, self._stack, self._rows = estimator, stack, rows
        self._validation, self._first, self._incremental = validation, first, incremental
        self._state: OptimizerState = estimator._optimizer
        self.optimizer = self._state.make(estimator)
        self._starts, self._sizes = batch_bounds(len(rows), batch_size)
        self._shares = self._sizes / len(rows)
        self._decays_for: float | None = None  # the alpha that the decay was computed from last
        self._reported = Reported.of(stack)
        backend = stack.parameters.backend
        self._outputs = Outputs(backend, stack, len(rows)) if self._reported.by_output else None
        self._squares = SquaredWeights(backend, stack, len(self._starts)) if estimator.alpha else None
        observers = [self._outputs, self._squares, Norms(stack.parameters), validation]
        self.observers = [observer for observer in observers if observer is not None]
        self._improvement = Improvement.of(estimator)
        self._best = BestWeights(stack.parameters)
        self._score = np.nan
        self._restored = False
        self._verbose = Verbose(estimator.verbose)
        self.begin_epoch(self._sizes.astype(np.float64))

    def start(self) -> None:
        """Keep the starting weights, and count iterations from 0."""
        self._best.start()
        self._estimator.n_iter_ = 0

    def begin_epoch(self, sums: HostArray) -> None:
        """Set the learning rate, and the decay of batches whose weights add up to `sums`."""
        schedule = self._estimator.learning_rate
        self.optimizer.learning_rate = schedule if callable(schedule) else self._state.learning_rate
        alpha = self._estimator.alpha
        if self._rows.weights is None and alpha == self._decays_for:
            return
        self._decays_for = alpha
        decay = _divided(alpha, sums)
        if (decay < 0).any():
            raise ValueError(
                f"the sample weights of a batch add up to {sums[decay < 0][0]:g}; with alpha above 0 they "
                f"must not add up to less than 0."
            )
        is_same = self._rows.weights is None and (decay == decay[0]).all()
        self.optimizer.weight_decay = float(decay[0]) if is_same else decay

    def train_loss(self, results: EpochResults, history: History) -> float:
        """Return the loss without the penalty.

        The loss with it becomes `loss_` and the next entry of `loss_curve_`; `n_iter_` and `t_` count.
        """
        order, losses, sums = results.order, results.losses, results.sums
        outputs = targets = losses  # which are not read unless `by_output`
        if self._outputs is not None:
            outputs, targets = self._outputs.outputs, self._rows.targets.values[order]
        losses = self._reported.losses(losses, outputs, targets)
        weighted = losses if results.weights is None else losses * results.weights
        means = _divided(np.add.reduceat(weighted, self._starts, dtype=np.float64), sums)
        penalties: HostArray | float = 0.0
        if self._squares is not None:
            penalties = _divided(0.5 * self._estimator.alpha * self._squares.squares, sums)

        estimator = self._estimator
        estimator.n_iter_ += 1
        estimator.t_ += len(order)
        estimator.loss_ = float(np.dot(means + penalties, self._shares))
        estimator.loss_curve_.append(estimator.loss_)
        return float(np.dot(means, self._shares))

    def judge(self, history: History) -> None:
        """Count epochs without an improvement, adapt the learning rate, and stop training."""
        estimator = self._estimator
        if self._validation is not None:
            self._score = estimator._score_outputs(self._validation.outputs, self._validation.rows)
            # Validation reports the metric that training does; scikit-learn's score is R^2 for every loss.
            is_score = history.metric in ("r2", "accuracy")
            metric = self._score if is_score else self._validation.score
            history.validation_metric.append(metric)
        self._verbose.say(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")
        if not all(map(isfinite, history.weight_norms[-1])) and not self._stack.parameters.are_finite():
            history.stop_reason = "diverged"
        self._keep_if_best(history)
        history.best_epoch = self._best.epoch
        self._state.lower_with_rows_seen(estimator)
        if self._improvement.patience.is_over:
            self._stop_or_lower_the_rate(history)

    def finish(self, history: History) -> None:
        """Warn where training has reached `max_iter` or ends with a loss that is not finite."""
        estimator = self._estimator
        ran_out = estimator.n_iter_ == estimator.max_iter and history.stop_reason is None
        if ran_out and not self._incremental:
            self._warn(
                f"Maximum iterations ({estimator.max_iter}) reached and the optimization hasn't converged "
                f"yet."
            )
        history.stop("finished")
        if not np.isfinite(estimator.loss_) and history.stop_reason != "diverged":
            self._warn(
                f"the loss of the last epoch is {estimator.loss_}. The weights are finite, but so large that "
                f"predictions may not be. {ADVICE}"
            )

    def settle(self, history: History) -> None:
        """Restore the best weights for early stopping or a callback, and keep the optimizer's state."""
        # scikit-learn's early stopping restores the best weights of this call; a later call without an epoch
        # better than those of earlier calls ends with its last weights.
        estimator = self._estimator
        wanted = history.restore_best or (estimator.early_stopping and (self._first or self._best.epoch))
        self._restored = bool(wanted and (self._best.epoch or history.stop_reason != "diverged"))
        if self._restored:
            self._best.restore()
        self._state.keep(self.optimizer)
        estimator._no_improvement_count = self._improvement.patience.count

    def conclude(self, history: History) -> None:
        """Warn of lines that could not be printed, of restored weights after divergence, and of Ctrl-C."""
        self._verbose.warn()
        if self._restored and history.stop_reason == "diverged":
            self._warn(
                f"training diverged in epoch {history.epochs}, and the best weights, "
                f"{self._best.describe()}, were restored. {ADVICE}"
            )
        if history.stop_reason == "interrupted":
            warn_user("Training interrupted by user.")

    def state_dict(self, to_host: ToHost | None = None) -> dict[str, Any]:
        """Return learning rate, patience and best weights, and the estimator's curves and counters."""
        return {
            "curves": curves_of(self._estimator),
            "learning_rate": self._state.learning_rate,
            "improvement": self._improvement.state_dict(),
            "best": self._best.state_dict(to_host),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned: the estimator gets its curves and counters too."""
        parts = dict.fromkeys(("curves", "improvement", "best"), STATE)
        check_state("StochasticRules", state, learning_rate=NUMBER, **parts)
        set_curves(self._estimator, state["curves"])
        self._state.learning_rate = state["learning_rate"]
        self._improvement.load_state_dict(state["improvement"])
        self._best.load_state_dict(state["best"])

    def _keep_if_best(self, history: History) -> None:
        estimator, improvement = self._estimator, self._improvement
        diverged = history.stop_reason == "diverged"
        if estimator.early_stopping:
            estimator.validation_scores_.append(self._score)
            self._verbose.say(f"Validation score: {self._score:f}")
            if improvement.look_at(-self._score) and not diverged:
                self._best.offer(-self._score, history.epochs)
            estimator.best_validation_score_ = -improvement.best
        else:
            improvement.look_at(estimator.loss_)
            estimator.best_loss_ = improvement.best
            if not diverged:
                self._best.offer(history.score, history.epochs)

    def _stop_or_lower_the_rate(self, history: History) -> None:
        if self._state.lower_without_improvement(self._estimator):
            self._improvement.patience.count = 0
            next_step = f"Setting learning rate to {self._state.learning_rate:f}"
        else:
            adaptive = self._state.solver == "sgd" and self._estimator.learning_rate == "adaptive"
            next_step = "Learning rate too small. Stopping." if adaptive else "Stopping."
            history.stop("early stopping" if self._estimator.early_stopping else "converged")
        self._verbose.say(f"{self._improvement.describe()} {next_step}")

    def _warn(self, what: str) -> None:
        warn_user(f"Stochastic Optimizer: {what}", ConvergenceWarning)


def _divided(numbers: HostArray | float, sums: HostArray) -> HostArray:
    """Return numbers / sums, (batches,), and 0 for a batch whose weights add up to 0."""
    quotients: HostArray = np.divide(numbers, sums, out=np.zeros(len(sums)), where=sums != 0)
    return quotients

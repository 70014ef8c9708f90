"""The loop over epochs: shuffling, reporting, stopping, as scikit-learn does it, on fuseprop's epochs."""

from __future__ import annotations

import warnings
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..backend import AnyBackend, HostArray
from ..callbacks.history import History
from ..callbacks.progress import Verbose
from ..layers.stack import Stack
from ..training.best import BestWeights
from ..training.epoch import telling
from ..training.orders import Orders, unchanged
from .epochs import Epochs, Outcome
from .monitoring import Monitor
from .rates import OptimizerState
from .stopping import Patience, worst
from .task import Sample

ADVICE = "Standardize X, and y where it is numbers, or take a smaller learning rate."


class Stochastic:
    """One `fit` or `partial_fit` of an estimator by "sgd" or "adam".

    It reads the estimator's parameters and writes its attributes: what scikit-learn names, and `history_`.
    """

    def __init__(
        self,
        estimator: Any,
        backend: AnyBackend,
        stack: Stack,
        sample: Sample,
        validation: Sample | None,
    ) -> None:
        self._estimator, self._stack = estimator, stack
        self._rows, self._validation = sample.rows, validation
        self._state: OptimizerState = estimator._optimizer
        self._optimizer = self._state.make(estimator, stack.parameters)
        self._epochs = Epochs(
            backend,
            stack,
            self._optimizer,
            sample,
            validation,
            alpha=estimator.alpha,
            batch_size=_batch_size(estimator.batch_size, len(sample.rows)),
        )
        by_score = estimator.early_stopping
        best = estimator.best_validation_score_ if by_score else estimator.best_loss_
        self._patience = Patience(
            estimator.tol,
            estimator.n_iter_no_change,
            worst(by_score) if best is None else best,
            by_score,
            estimator._no_improvement_count,
        )
        self._best = BestWeights(stack.parameters)
        self._score = np.nan
        self._beside = backend.device != "cpu"
        self._verbose = Verbose(estimator.verbose)

    def run(self, history: History, monitor: Monitor, *, first: bool, incremental: bool) -> None:
        """Train until the estimator's rules, a callback or Ctrl-C end it."""
        estimator, epochs = self._estimator, 1 if incremental else self._estimator.max_iter
        callbacks = monitor.callbacks
        tell = telling(callbacks, history)
        self._best.start()
        history.metric = self._epochs.metric
        estimator.n_iter_ = 0
        orders = Orders(
            estimator._random_state,
            self._rows,
            epochs,
            draw=_shuffled if estimator.shuffle else unchanged,
            send=self._epochs.send,
            ahead=self._beside,
        )
        try:
            monitor.start(epochs, history)
            with self._epochs.session():
                for _ in range(epochs):
                    start = perf_counter()
                    order = orders.begin()
                    self._optimizer.learning_rate = self._rate()
                    history.learning_rate.append(self._optimizer.current_learning_rate)
                    outcome = self._epochs.run(order, tell, orders.send_next)
                    self._record(outcome, history, perf_counter() - start)
                    norms = np.array(outcome.weight_norms)
                    if not np.isfinite(norms).all() and not self._stack.parameters.are_finite():
                        history.stop_reason = "diverged"
                    self._judge(history)
                    monitor.epoch_end(history)
                    if history.stop_reason is not None:
                        break
            if estimator.n_iter_ == estimator.max_iter and history.stop_reason is None and not incremental:
                warnings.warn(
                    f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the "
                    f"optimization hasn't converged yet.",
                    ConvergenceWarning,
                    stacklevel=7,
                )
            history.stop("finished")
            if not np.isfinite(estimator.loss_) and history.stop_reason != "diverged":
                warnings.warn(
                    f"Stochastic Optimizer: the loss of the last epoch is {estimator.loss_}. The weights are "
                    f"finite, but so large that predictions may not be. {ADVICE}",
                    ConvergenceWarning,
                    stacklevel=7,
                )
        except KeyboardInterrupt:
            history.stop_reason = "interrupted"
        except BaseException as error:
            self._settle(history, first=first)
            monitor.end(history, error)
            raise
        restored = self._settle(history, first=first)
        monitor.end(history)
        self._verbose.warn()
        if restored and history.stop_reason == "diverged":
            warnings.warn(
                f"Stochastic Optimizer: training diverged in epoch {history.epochs}, and the best "
                f"weights, {self._best.describe()}, were restored. {ADVICE}",
                ConvergenceWarning,
                stacklevel=7,
            )
        if history.stop_reason == "interrupted":
            warnings.warn("Training interrupted by user.", UserWarning, stacklevel=7)

    def _settle(self, history: History, *, first: bool) -> bool:
        """Decide which weights training ends with, and keep what a later call goes on from.

        Return whether the best weights were put back.
        """
        # scikit-learn's early stopping goes back to the best weights of this call; where a later call has
        # none that are better, it ends with its last ones.
        estimator = self._estimator
        restore = history.restore_best or (estimator.early_stopping and (first or self._best.epoch))
        restored = bool(restore and (self._best.epoch or history.stop_reason != "diverged"))
        if restored:
            self._best.restore()
        self._state.keep(self._optimizer, self._stack.parameters)
        estimator._no_improvement_count = self._patience.count
        return restored

    def _rate(self) -> Any:
        schedule = self._estimator.learning_rate
        return schedule if callable(schedule) else self._state.learning_rate

    def _record(self, outcome: Outcome, history: History, seconds: float) -> None:
        estimator = self._estimator
        estimator.n_iter_ += 1
        estimator.t_ += len(self._rows)
        estimator.loss_ = outcome.loss
        estimator.loss_curve_.append(outcome.loss)
        history.train_loss.append(outcome.train_loss)
        history.train_metric.append(outcome.train_metric)
        history.gradient_norms.append(outcome.gradient_norms)
        history.weight_norms.append(outcome.weight_norms)
        history.seconds.append(seconds)
        if self._validation is not None and outcome.outputs is not None:
            history.validation_loss.append(outcome.validation_loss)
            self._score = estimator._score_outputs(outcome.outputs, self._validation)
            # What losses are explained by is told in the same words as for the training rows.
            told = outcome.validation_metric if history.metric == "d2" else self._score
            history.validation_metric.append(told)
        self._verbose.say(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")

    def _judge(self, history: History) -> None:
        """Count epochs without an improvement, adapt the learning rate, and ask for an end."""
        estimator, patience = self._estimator, self._patience
        diverged = history.stop_reason == "diverged"
        if estimator.early_stopping:
            score = self._score
            estimator.validation_scores_.append(score)
            self._verbose.say(f"Validation score: {score:f}")
            if patience.look_at(score) and not diverged:
                self._best.offer(-score, history.epochs)
            estimator.best_validation_score_ = patience.best
        else:
            patience.look_at(estimator.loss_)
            estimator.best_loss_ = patience.best
            if not diverged:
                self._best.offer(history.score, history.epochs)
        history.best_epoch = self._best.epoch
        self._state.after_epoch(estimator)
        if patience.is_over:
            self._stop_or_adapt(history)

    def _stop_or_adapt(self, history: History) -> None:
        if self._state.lower(self._estimator):
            self._patience.count = 0
            next_step = f"Setting learning rate to {self._state.learning_rate:f}"
        else:
            adaptive = self._state.solver == "sgd" and self._estimator.learning_rate == "adaptive"
            next_step = "Learning rate too small. Stopping." if adaptive else "Stopping."
            history.stop("early stopping" if self._estimator.early_stopping else "converged")
        self._verbose.say(f"{self._patience.describe()} {next_step}")


def _shuffled(rng: np.random.RandomState, order: HostArray) -> HostArray:
    """Shuffle as sklearn.utils.shuffle does, without its checks: 0.3 ms an epoch."""
    places = np.arange(len(order))
    rng.shuffle(places)
    shuffled: HostArray = order[places]
    return shuffled


def _batch_size(asked: int | str, rows: int) -> int:
    if asked == "auto":
        return min(200, rows)
    if int(asked) > rows:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            UserWarning,
            stacklevel=9,
        )
    return min(int(asked), rows)

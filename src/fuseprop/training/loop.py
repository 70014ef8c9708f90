"""The loop over epochs of `Network.fit` and the estimators: steps, results, rules, callbacks, Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from ..callbacks import Together
from ..callbacks.history import History
from .epoch import Epoch
from .orders import Orders
from .rules import Rules


class Training:
    """One run of training.

    Parameters
    ----------
    epoch : Epoch
        Its optimizer is prepared.
    rules : Rules
    orders : Orders
        The order of rows of each epoch, sent by `Epoch.send`.
    """

    def __init__(self, epoch: Epoch, rules: Rules, orders: Orders[Any]) -> None:
        self.epoch, self.rules, self.orders = epoch, rules, orders

    def run(self, epochs: int, together: Together, history: History) -> History:
        """Train for at most `epochs` epochs; return the history, with an entry for each.

        Ctrl-C ends training with the reason "interrupted". Any other exception is raised again, after the
        rules have settled the weights and `end` was called on the callbacks.
        """
        notify = together.batch_notifier(history)
        steps = _Steps(self.epoch)
        self.rules.start()
        # `Epoch` has prepared the optimizer, and only callbacks and weighted batches can change its numbers.
        prepared = not together.callbacks and self.epoch.weights is None
        try:
            together.start(epochs, history)
            with self.epoch.backend.session(steps.compiled.programs):
                for _ in range(epochs):
                    self._run_epoch(steps, history, notify, prepared=prepared)
                    prepared = False
                    together.epoch_end(history)
                    if history.stop_reason is not None:
                        break
            self.rules.finish(history)
        except KeyboardInterrupt:
            history.stop_reason = "interrupted"
        except BaseException as error:
            self.rules.settle(history)
            together.end(history, error)
            raise
        self.rules.settle(history)
        together.end(history)
        self.rules.conclude(history)
        return history

    def _run_epoch(
        self,
        steps: _Steps,
        history: History,
        notify: Callable[[int], None] | None,
        *,
        prepared: bool,
    ) -> None:
        start = perf_counter()
        epoch, optimizer = self.epoch, self.epoch.optimizer
        order = self.orders.begin()
        sums = epoch.sums
        self.rules.begin_epoch(sums)
        if not prepared:
            epoch.prepare()
            steps.renew()
        # An overflow that makes the loss infinite or nan is reported once, by the rules.
        with np.errstate(all="ignore"):
            epoch.take(steps.compiled, order, notify)
            epoch.measure()
            self.orders.send_next()  # a GPU is busy with this epoch while the host draws the next order
            results = epoch.read(order, sums)
            train_loss = self.rules.train_loss(results, history)
        history.train_loss.append(train_loss)
        history.train_metric.append(epoch.metric.score(results.losses, results.hits, results.weights))
        for observer in epoch.observers:
            observer.enter(history)
        history.learning_rate.append(optimizer.current_learning_rate)
        history.seconds.append(perf_counter() - start)
        optimizer.epochs += 1
        self.rules.judge(history)


class _Steps:
    """The compiled steps of an epoch, made anew where a callback has changed what the update does."""

    def __init__(self, epoch: Epoch) -> None:
        self._epoch = epoch
        self._key = self._update()
        self.compiled = epoch.compile()

    def renew(self) -> None:
        """Compile again where the optimizer's update has become another one: with a clip_norm, say."""
        key = self._update()
        if key != self._key:
            self._key, self.compiled = key, self._epoch.compile()

    def _update(self) -> object:
        return getattr(self._epoch.optimizer, "key", None)

"""The loop over epochs of `Network.fit` and the estimators: steps, results, rules, callbacks, the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from ..callbacks import Together
from ..callbacks.history import History
from ..optimizers.protocol import ToHost
from .epoch import Epoch
from .orders import Orders
from .rules import Rules
from .state import Parts, go_on_from, training_state
from .unison import Unison
from .watch import INTERRUPTED, Stopped, Watch

if TYPE_CHECKING:
    from ..checkpoints import Found, Keeper


class Training:
    """One run of training.

    Parameters
    ----------
    epoch : Epoch
        Its optimizer is prepared.
    rules : Rules
    orders : Orders
        The order of rows of each epoch, sent by `Epoch.send`.
    unison : Unison, optional
        Where several processes train as one.
    """

    def __init__(self, epoch: Epoch, rules: Rules, orders: Orders[Any], unison: Unison | None = None) -> None:
        self.epoch, self.rules, self.orders, self._unison = epoch, rules, orders, unison
        self._start = 0.0  # when the epoch has begun, by the clock of `perf_counter`

    def run(
        self,
        epochs: int,
        together: Together,
        history: History,
        *,
        keeper: Keeper | None = None,
        about: Callable[[], Mapping[str, Any]] = dict,
        resumed: Found | None = None,
    ) -> History:
        """Train until there are `epochs` epochs; return the history, with an entry for each.

        An open `keeper` writes checkpoints, which hold what `about` returns beside the training's state; it
        is asked once, when the steps are compiled. Training goes on from `resumed`, such a checkpoint, whose
        epochs the history has.

        A callback ends training within an epoch by `asks_to_stop`, with its reason, and Ctrl-C with the
        reason "interrupted". Any other exception is raised again, after the rules have settled the weights
        and `end` was called on the callbacks.
        """
        self.rules.start()
        try:
            with self._alike():
                together.start(epochs, history)
            if resumed is not None:
                go_on_from(resumed, self._parts(together))
            self._run(epochs, together, history, keeper, about, resumed)
            self.rules.finish(history)
        except Stopped as stopped:
            history.stop_reason, history.cut_short = str(stopped), True
        except KeyboardInterrupt:
            history.stop_reason, history.cut_short = INTERRUPTED, True
        except BaseException as error:
            self.rules.settle(history)
            together.end(history, error)
            raise
        self.rules.settle(history)
        with self._alike():
            together.end(history)
        self.rules.conclude(history)
        return history

    def _run(
        self,
        epochs: int,
        together: Together,
        history: History,
        keeper: Keeper | None,
        about: Callable[[], Mapping[str, Any]],
        resumed: Found | None,
    ) -> None:
        """Take all epochs that are left; raises Stopped where a callback ends training."""
        notify = together.batch_notifier(history)
        steps = _Steps(self.epoch)
        watch: Watch | None = None
        fixed = about()

        def state(taken: int | None, to_host: ToHost) -> dict[str, Any]:
            return {
                **fixed,
                "summary": _summary(epochs, history, taken),
                "training": self._state(together, history, taken, to_host),
            }

        within = None if resumed is None else resumed.state["training"]["within"]
        if self._unison is not None:
            watch = self._unison.watch(together, self.epoch.backend, state, keeper, begins=within is None)
        elif keeper is not None or together.may_stop:
            watch = Watch(together, self.epoch.backend, state, keeper, begins=within is None)
        # `Epoch` has prepared the optimizer, and only callbacks, weighted batches and an earlier training can
        # change its numbers.
        prepared = not together.callbacks and self.epoch.weights is None and resumed is None
        try:
            with self.epoch.backend.session(steps.compiled.programs):
                while history.epochs < epochs and history.stop_reason is None:
                    counts = self._run_epoch(steps, history, notify, watch, prepared=prepared, within=within)
                    prepared, within = False, None
                    if not counts:
                        continue
                    with self._alike():
                        together.epoch_end(history)
                    if self._unison is not None:
                        self._unison.judge_end(history)
                    if watch is not None:
                        last = history.epochs >= epochs or history.stop_reason is not None
                        watch.epoch_ended(last=last)
        except KeyboardInterrupt:
            if watch is not None:
                watch.interrupted()
            raise
        if watch is not None:
            watch.finished()

    def _run_epoch(
        self,
        steps: _Steps,
        history: History,
        notify: Callable[[int], None] | None,
        watch: Watch | None,
        *,
        prepared: bool,
        within: Mapping[str, Any] | None,
    ) -> bool:
        """Take an epoch; return whether it counts, and is in the history."""
        self._start, behind = perf_counter(), 0
        epoch, optimizer = self.epoch, self.epoch.optimizer
        order = self.orders.begin() if within is None else self.orders.again()
        sums = epoch.sums
        self.rules.begin_epoch(sums)
        if not prepared:
            epoch.prepare()
            steps.renew()
        if within is not None:
            behind = within["steps"]
            self._start -= within["seconds"]
            epoch.go_on(behind, within["results"])
        if watch is not None:
            watch.begin_epoch()
        # An overflow that makes the loss infinite or nan is reported once, by the rules.
        with np.errstate(all="ignore"):
            epoch.take(steps.compiled, order, notify, behind=behind, watch=watch)
            self.orders.send_next()  # a GPU is busy with this epoch while the host draws the next order
            results = epoch.read(order, sums)
            train_loss = self.rules.train_loss(results, history)
        if train_loss is None:
            self.orders.undo()
            return False
        history.train_loss.append(train_loss)
        history.train_metric.append(epoch.metric.score(results.losses, results.hits, results.weights))
        for observer in epoch.observers:
            observer.enter(history)
        history.learning_rate.append(optimizer.current_learning_rate)
        history.seconds.append(perf_counter() - self._start)
        optimizer.epochs += 1
        self.rules.judge(history)
        return True

    def _alike(self) -> AbstractContextManager[None]:
        """Let an error that one of several processes has in a block be one of all."""
        return nullcontext() if self._unison is None else self._unison.alike()

    def _parts(self, together: Together) -> Parts:
        return Parts(self.epoch, self.rules, self.orders, together)

    def _state(
        self, together: Together, history: History, taken: int | None, to_host: ToHost
    ) -> dict[str, Any]:
        """Return the state behind so many steps of an epoch, or behind an epoch."""
        within = None
        if taken is not None:
            results, seconds = self.epoch.results_so_far(taken, to_host), perf_counter() - self._start
            within = {"steps": taken, "results": results, "seconds": seconds}
        return training_state(self._parts(together), history, within, to_host)


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


def _summary(epochs: int, history: History, taken: int | None) -> dict[str, Any]:
    """Return where a training stands, for whoever looks into its checkpoint."""
    return {
        "epoch": history.epochs,
        "epochs": epochs,
        "steps": taken or 0,
        "finished": taken is None and (history.epochs >= epochs or history.stop_reason is not None),
        "reason": history.stop_reason,
        "best_epoch": history.best_epoch,
    }

"""The training loop: epochs of minibatches, validation, history, and what happens when a loss explodes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from math import isfinite
from time import perf_counter
from typing import NoReturn

import numpy as np

from ..backend import INTEGER, AnyBackend, HostArray, Program
from ..backend.recording import record
from ..callbacks import Callback, Together
from ..callbacks.history import History
from ..layers.parameters import LayerNorms, split_norms
from ..layers.stack import Stack
from ..metrics import make_metric, weighted_mean
from ..optimizers import Optimizer
from .best import BestWeights
from .divergence import DivergenceError, largest_gradient
from .epoch import EpochResults, Runs, telling
from .evaluation import evaluation
from .orders import Orders, shuffled, unchanged
from .out_of_memory import batches_of_epoch
from .rows import Rows, batch_shares
from .step import Batch, EpochState, training_step


class Training:
    """One run of training: the data on the device, the buffers, and the loop over epochs."""

    def __init__(
        self,
        backend: AnyBackend,
        stack: Stack,
        metric: str | None,
        optimizer: Optimizer,
        rows: Rows,
        *,
        batch_size: int,
        validation: Rows | None,
        norms: bool = False,
    ) -> None:
        self.backend = backend
        self.stack = stack
        self.optimizer = optimizer
        self.weights = rows.weights
        self.metric = make_metric(metric, stack.loss, stack.layers[-1], rows.targets, rows.weights)
        self.examples = rows.upload(backend)

        n = self.examples.rows
        self.results = EpochResults(
            backend,
            rows=n,
            held_out=0 if validation is None else len(validation.X),
            layers=len(stack.layers) if norms else 0,
        )
        results = self.results.on_device
        self._norms = LayerNorms(stack.parameters, results.norms) if norms else None
        self.validation = (
            None if validation is None else evaluation(backend, stack, metric, validation, results.held_out)
        )
        weighted = rows.weights is not None
        self.epoch = EpochState(
            order=backend.zeros((n,), INTEGER),
            cursor=backend.zeros((1,), INTEGER),
            losses=results.losses,
            hits=results.hits,
            row_weights=backend.zeros((n,)) if weighted else None,
            positions=backend.from_host(np.arange(n), dtype=INTEGER) if weighted else None,
        )
        self._best = BestWeights(stack.parameters)
        self.batch_size = min(batch_size, n)
        optimizer.prepare(stack.parameters, -(-n // self.batch_size))
        self.batches = batches_of_epoch(backend, stack, n, self.batch_size)

    def run(
        self, rng: np.random.Generator, epochs: int, *, shuffle: bool, callbacks: Sequence[Callback]
    ) -> History:
        """Train for `epochs` epochs and return their history.

        Raises DivergenceError as soon as an epoch's loss is not finite. Ctrl-C ends training with a warning;
        the network then keeps the weights of the last step (the best ones, if a callback asks for them, or
        where those of the last step are no longer finite).
        """
        history = History(metric=self.metric.name, validates=self.validation is not None)
        tell = telling(callbacks, history)
        programs, runs = self._compile_epoch(watched=tell is not None)
        orders = Orders(
            rng,
            np.arange(self.examples.rows),
            epochs,
            draw=shuffled if shuffle else unchanged,
            send=self.begin_epoch,
            ahead=self.backend.device != "cpu",
        )
        self._best.start()
        together = Together(callbacks)
        try:
            together.start(epochs, history)
            with self.backend.session(programs):
                for _ in range(epochs):
                    self._run_epoch(orders, history, runs, tell)
                    together.epoch_end(history)
                    if history.stop_reason is not None:
                        break
            history.stop("finished")
        except KeyboardInterrupt:
            history.stop_reason = "interrupted"
        except BaseException as error:
            self._settle(history)
            together.end(history, error)
            raise
        kept = self._settle(history)
        together.end(history)
        if history.stop_reason == "interrupted":
            warnings.warn(
                f"training interrupted in epoch {history.epochs + 1}; the weights {kept} are kept.",
                UserWarning,
                stacklevel=5,
            )
        return history

    def _settle(self, history: History) -> str:
        """Decide which weights training ends with, and say which."""
        complete = history.stop_reason not in (None, "interrupted")  # no step since the last epoch's end
        if history.restore_best:
            if not (complete and self._best.epoch == history.epochs):
                self._restore()
            return f"{self._best.describe()}, the best,"
        if not complete and not self.stack.parameters.are_finite():
            self._restore()
            return self._best.describe()
        return "of the last step"

    def _run_epoch(
        self,
        orders: Orders[np.random.Generator],
        history: History,
        runs: Runs,
        after: Callable[[int], None] | None,
    ) -> None:
        start = perf_counter()
        self.optimizer.prepare(self.stack.parameters, len(self.batches))
        order = orders.begin()
        # What overflows on the way to a loss that is not finite is reported once, as a DivergenceError.
        with np.errstate(over="ignore", invalid="ignore"):
            runs.take(self.optimizer, after=after)
            if self._norms is not None:
                self._norms.measure()
            if self.validation is not None:
                self.validation.launch()
            self.backend.sum_squares(self.stack.parameters.values, out=self.results.on_device.square)
            orders.send_next()  # all of this epoch is asked for: what the host does now costs a GPU no time
            self._read_epoch(history, order)
        history.learning_rate.append(self.optimizer.current_learning_rate)
        history.seconds.append(perf_counter() - start)
        self.optimizer.epochs += 1
        self._best.offer(history.score, history.epochs)
        history.best_epoch = self._best.epoch

    def _compile_epoch(self, *, watched: bool) -> tuple[list[Program], Runs]:
        """Record and compile the steps of an epoch.

        What the last one leaves in the gradients may be looked at; those who watch look after each.
        """
        *others, last = self.batches
        ending = self.program(last, gradients_are_read=True)
        programs = [(ending, 1)]
        if others:
            programs.insert(0, (self.program(others[0], gradients_are_read=watched), len(others)))
        runs = Runs.compiled(self.backend, programs, self.epoch.cursor, self.batch_size)
        return [program for program, _ in programs], runs

    def program(self, batch: Batch, *, gradients_are_read: bool = False) -> Program:
        """Record the step of such a batch; the optimizer must be prepared.

        Unless `gradients_are_read` between steps, a replay may leave anything in the flat gradients.
        """
        scratch = batch.scratch if gradients_are_read else [*batch.scratch, self.stack.parameters.gradients]

        def step(backend: AnyBackend) -> None:
            training_step(backend, self.stack, self.metric, self.optimizer, self.examples, self.epoch, batch)

        return record(self.backend, step, scratch)

    def begin_epoch(self, order: HostArray) -> None:
        """Send an epoch's order to the device, with each batch's weights, and go to its start.

        The epoch before may still be running there: a device does things in the order in which it is asked,
        so that its steps have read their order from the same memory by then.
        """
        backend, epoch = self.backend, self.epoch
        backend.from_host(order, out=epoch.order)
        backend.from_host(np.zeros(1, INTEGER), out=epoch.cursor)
        if epoch.row_weights is not None and self.weights is not None:
            backend.from_host(batch_shares(self.weights[order], self.batch_size), out=epoch.row_weights)

    def _read_epoch(self, history: History, order: HostArray) -> None:
        """Enter an epoch into the history: the one time in it that the host waits for the device."""
        weights = None if self.weights is None else self.weights[order]
        results = self.results.read()
        losses = results.losses
        train_loss = weighted_mean(losses, weights)
        if not isfinite(train_loss):
            row = int(np.argmax(np.where(np.isfinite(losses), losses, np.inf)))  # the first that is not
            self._diverge(history, f"the loss became {losses[row]}", order, row // self.batch_size + 1)
        if not isfinite(float(results.square[0])) and not self.stack.parameters.are_finite():
            self._diverge(history, "the weights stopped being finite", order, len(self.batches))
        held_out = None if self.validation is None else self.validation.score(results.held_out)
        if held_out is not None and not isfinite(held_out[0]):
            self._diverge(history, f"the validation loss became {held_out[0]}", order, None)
        history.train_loss.append(train_loss)
        history.train_metric.append(self.metric.score(losses, results.hits, weights))
        if held_out is not None:
            history.validation_loss.append(held_out[0])
            history.validation_metric.append(held_out[1])
        if self._norms is not None:
            gradients, weights_of_layers = split_norms(results.norms)
            history.gradient_norms.append(gradients)
            history.weight_norms.append(weights_of_layers)

    def _restore(self) -> None:
        self._best.restore()
        self.optimizer.reset()

    def _diverge(self, history: History, what: str, order: HostArray, batch: int | None) -> NoReturn:
        """Go back to the best finite weights, look for the layer that exploded, and raise."""
        self._restore()
        norm, i = largest_gradient(self, order, batch or len(self.batches))
        self._restore()
        history.stop_reason = "diverged"
        epoch = history.epochs + 1
        layer = self.stack.layers[i]
        rate = self.optimizer.current_learning_rate
        where = "" if batch is None else f", batch {batch} of {len(self.batches)}"
        raise DivergenceError(
            f"{what} in epoch {epoch}{where} (learning_rate={rate:g}). Going through that epoch again "
            f"from the kept weights, the largest gradient is {norm:.3g}, in layer {i + 1} "
            f"({layer.inputs} -> {layer.outputs}, {layer.activation}). The weights "
            f"{self._best.describe()} were kept. Try a smaller learning rate, smaller starting weights or "
            f"clip_norm; standardize inputs and targets if they are not.",
            history,
            epoch,
            batch,
            i + 1,
        )

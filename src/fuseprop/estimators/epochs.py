"""Epochs of minibatches in an order given from outside, and what scikit-learn reports of each.

scikit-learn minimises, for each batch, sum_i w_i loss_i / sum_i w_i + alpha / (2 sum_i w_i) ||W||^2, and adds
up these numbers, each with the weights W from before its own update, for the epoch's loss. So the decay
differs from step to step, and ||W||^2 is measured in every step; the host reads it once an epoch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from ..backend import INTEGER, AnyBackend, HostArray, Program
from ..backend.recording import record
from ..layers.parameters import LayerNorms, split_norms
from ..layers.stack import Stack
from ..metrics import make_metric
from ..optimizers import Adam, MomentumSGD
from ..training.epoch import Runs
from ..training.out_of_memory import batches_of_epoch
from ..training.rows import Examples
from ..training.step import Batch, EpochState, training_step
from .features import Features
from .heldout import HeldOut
from .reported import Reported
from .task import Sample


@dataclass(frozen=True)
class Outcome:
    """What one epoch was like.

    Attributes
    ----------
    loss : float
        As scikit-learn reports it, with the L2 term.
    train_loss, train_metric, validation_loss, validation_metric : float
        Without it; the last two are nan where there is no validation. Accuracy is not among the metrics of
        the validation: outputs tell it.
    outputs : (m, k), or None
        Of the validation rows, before the loss's link.
    gradient_norms, weight_norms : list of float
        A number a layer.
    """

    loss: float
    train_loss: float
    train_metric: float
    validation_loss: float
    validation_metric: float
    outputs: HostArray | None
    gradient_norms: list[float]
    weight_norms: list[float]


class Epochs:
    """The data on the device, the buffers, and an epoch over them.

    Parameters
    ----------
    sample : Sample
        What to learn from; its `rows` say which of them, and their number is n.
    validation : Sample, optional
        What to score after each epoch.
    alpha : float
        The L2 penalty.
    """

    def __init__(
        self,
        backend: AnyBackend,
        stack: Stack,
        optimizer: Adam | MomentumSGD,
        sample: Sample,
        validation: Sample | None,
        *,
        alpha: float,
        batch_size: int,
    ) -> None:
        self._backend, self._stack, self._optimizer = backend, stack, optimizer
        self._weights, self._targets, self._alpha = sample.weights, sample.targets, alpha
        self._reported = Reported.of(stack)
        own = sample.own_targets, sample.own_weights
        self._metric = make_metric(None, stack.loss, stack.layers[-1], *own)
        self.metric = self._metric.name
        self._features = Features(backend, sample.X)
        values, labels = sample.targets.values, sample.targets.labels
        target = backend.from_host(values, dtype=INTEGER if values is labels else None)
        self._examples = Examples(self._features.x, target, None if labels is None else target)

        n, layers = len(sample.rows), len(stack.layers)
        self._starts = np.arange(0, n, batch_size)
        self._sizes = np.minimum(batch_size, n - self._starts)

        # Everything that the host wants to know of an epoch lies in one array, to be read in one piece.
        k, m = stack.layers[-1].outputs, 0 if validation is None else len(validation.rows)
        penalties = len(self._starts) * layers if alpha else 0
        lengths = [n, n, n * k if self._reported.by_output else 0, penalties, 2 * layers, m * (1 + k)]
        self._ends = np.cumsum(lengths).tolist()
        self._results = backend.zeros((self._ends[-1],))
        losses, hits, self._logits, self._penalties, norms, held = (
            self._results[end - length : end] for end, length in zip(self._ends, lengths, strict=True)
        )
        self._norms = LayerNorms(stack.parameters, norms)
        self._heldout = None
        if validation is not None:
            features = self._features if validation.X is sample.X else Features(backend, validation.X)
            self._heldout = HeldOut(backend, stack, features, validation, held)
        self._squares = backend.zeros((layers,))
        self._at_penalty, self._at_logits = (backend.zeros((1,), INTEGER) for _ in range(2))
        weighted = sample.weights is not None
        self._epoch = EpochState(
            order=backend.zeros((n,), INTEGER),
            cursor=backend.zeros((1,), INTEGER),
            losses=losses,
            hits=hits,
            row_weights=backend.zeros((n,)) if weighted else None,
            positions=backend.from_host(np.arange(n), dtype=INTEGER) if weighted else None,
        )
        self.batches = batches_of_epoch(backend, stack, n, batch_size)
        self._sums = self._sizes.astype(np.float64)  # of each batch's weights, in the order that was sent
        self._runs: Runs | None = None

    def session(self) -> AbstractContextManager[None]:
        """Compile the steps, and return what surrounds the epochs that take them."""
        self._prepare(self._sums)  # from here on the optimizer has the buffers that a step needs
        times = Counter(self.batches)  # the last may be another than the others
        programs = [(self._program(batch), count) for batch, count in times.items()]
        self._runs = Runs.compiled(self._backend, programs, self._epoch.cursor, self.batches[0].rows)
        return self._backend.session([program for program, _ in programs])

    def run(
        self,
        order: HostArray,
        tell: Callable[[int], None] | None = None,
        meanwhile: Callable[[], None] | None = None,
    ) -> Outcome:
        """Learn from the rows in `order` (n,), once, in a session; return what the host then reads.

        The order has been sent. After each batch ``tell(number)`` is called, counted from 1; and
        ``meanwhile()`` when the device has been asked for all of the epoch, before the host waits for it.
        """
        backend, optimizer, sums = self._backend, self._optimizer, self._sums
        self._prepare(sums)

        def send(number: int) -> None:
            batch, start = self.batches[number - 1], self._starts[number - 1]
            self._features.send(order[start : start + batch.rows], out=batch.x)

        # What overflows on the way to weights that are not finite is said once, at the end of training.
        with np.errstate(all="ignore"):
            assert self._runs is not None
            self._runs.take(optimizer, before=send if self._features.x is None else None, after=tell)
            self._norms.measure()
            if self._heldout is not None:
                self._heldout.launch()
            optimizer.epochs += 1
            if meanwhile is not None:
                meanwhile()
            return self._read(backend.to_host(self._results), order, sums)

    def send(self, order: HostArray) -> None:
        """Send an epoch's order (n,), with each batch's weights, and go to its start.

        The epoch before may still be running on the device, which does things in the order it is asked to.
        """
        backend, epoch = self._backend, self._epoch
        backend.from_host(order, out=epoch.order)
        for cursor in (epoch.cursor, self._at_penalty, self._at_logits):
            backend.from_host(np.zeros(1, INTEGER), out=cursor)
        sums = self._sizes.astype(np.float64)
        if self._weights is not None and epoch.row_weights is not None:
            weights = self._weights[order]
            sums = np.add.reduceat(weights, self._starts, dtype=np.float64)
            of_rows = np.repeat(sums, self._sizes)
            # A batch in which every weight is 0 has no gradient.
            backend.from_host(
                np.divide(weights, of_rows, out=weights, where=of_rows != 0), out=epoch.row_weights
            )
        self._sums = sums

    def _prepare(self, sums: HostArray) -> None:
        """Prepare the optimizer for batches whose weights add up to `sums`."""
        decay = np.divide(self._alpha, sums, out=np.zeros_like(sums), where=sums != 0)
        if (decay < 0).any():
            raise ValueError(
                f"the sample weights of a batch add up to {sums[decay < 0][0]:g}; with alpha above 0 they "
                f"must not add up to less than 0."
            )
        same = self._weights is None and (decay == decay[0]).all()
        self._optimizer.weight_decay = float(decay[0]) if same else decay
        self._optimizer.prepare(self._stack.parameters, len(self.batches))

    def _program(self, batch: Batch) -> Program:
        stack, parameters = self._stack, self._stack.parameters
        scratch = (
            batch.scratch
            if self._examples.x is not None
            else [array for array in batch.scratch if array is not batch.x]
        )

        def step(backend: AnyBackend) -> None:
            if self._alpha:
                for i, (start, stop) in enumerate(parameters.weight_ranges):
                    backend.sum_squares(parameters.values[start:stop], out=self._squares[i : i + 1])
                backend.put_rows(self._squares, self._at_penalty, out=self._penalties)
                backend.advance(self._at_penalty, len(stack.layers))
            training_step(backend, stack, self._metric, self._optimizer, self._examples, self._epoch, batch)
            if self._reported.by_output:
                logits = batch.outputs[-1].reshape((batch.rows * stack.layers[-1].outputs,))
                backend.put_rows(logits, self._at_logits, out=self._logits)
                backend.advance(self._at_logits, logits.shape[0])

        return record(self._backend, step, scratch)

    def _read(self, results: HostArray, order: HostArray, sums: HostArray) -> Outcome:
        losses, hits, logits, penalties, norms, held = np.split(results, self._ends[:-1])
        weights = None if self._weights is None else self._weights[order]
        metric = self._metric.score(losses, hits, weights)
        targets = self._targets.values[order] if self._reported.by_output else losses
        losses = self._reported.losses(losses, logits.reshape(len(order), -1), targets)
        weighted = losses if weights is None else losses * weights
        totals = np.add.reduceat(weighted, self._starts, dtype=np.float64)
        squares = penalties.reshape(len(self.batches), -1).sum(axis=1, dtype=np.float64)
        means, penalties = (
            np.divide(part, sums, out=np.zeros_like(sums), where=sums != 0)
            for part in (totals, 0.5 * self._alpha * squares)
        )
        shares = self._sizes / len(order)
        validation_loss, validation_metric, outputs = np.nan, np.nan, None
        if self._heldout is not None:
            validation_loss, validation_metric, outputs = self._heldout.read(held)
        return Outcome(
            float(np.dot(means + penalties, shares)),
            float(np.dot(means, shares)),
            metric,
            validation_loss,
            validation_metric,
            outputs,
            *split_norms(norms),
        )

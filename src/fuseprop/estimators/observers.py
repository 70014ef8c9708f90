"""Measurements that scikit-learn's reports need: squared weights, outputs, and held-out rows."""

from __future__ import annotations

import numpy as np

from ..backend import INTEGER, AnyBackend, Array, HostArray
from ..callbacks.history import History
from ..layers.stack import Stack
from ..metrics import make_metric, weighted_mean
from ..training.features import Features
from ..training.forward import ForwardPass
from ..training.measuring import Measuring
from ..training.observers import Observer
from ..training.rows import Rows
from ..training.step import Batch
from .reported import Reported


class SquaredWeights(Observer):
    """||W||^2 of all layers before each step, for scikit-learn's penalty.

    Attributes
    ----------
    squares : (batches,) float64
        ||W||^2 before each step of the last epoch.
    """

    def __init__(self, backend: AnyBackend, stack: Stack, batches: int) -> None:
        layers = len(stack.layers)
        self._parameters, self._layers = stack.parameters, layers
        self._squares = backend.zeros((layers,))
        self._cursor = backend.zeros((1,), INTEGER)
        self.size = batches * layers

    def place(self, part: Array) -> None:
        """Take the part that holds ||W||^2 of each layer, step after step."""
        self._part = part

    def begin_epoch(self) -> None:
        """Write from the first step again."""
        self._parameters.backend.from_host(np.zeros(1, INTEGER), out=self._cursor)

    def go_on(self, steps: int, rows: int) -> None:
        """Write behind the squares of so many steps."""
        self._parameters.backend.from_host(np.array([steps * self._layers], INTEGER), out=self._cursor)

    def before_step(self, backend: AnyBackend, batch: Batch) -> None:
        """Square and add up the weights of each layer."""
        values = self._parameters.values
        for i, (start, stop) in enumerate(self._parameters.weight_ranges):
            backend.sum_squares(values[start:stop], out=self._squares[i : i + 1])
        backend.put_rows(self._squares, self._cursor, out=self._part)
        backend.advance(self._cursor, self._layers)

    def read(self, part: HostArray) -> None:
        """Add up the layers, in float64."""
        self.squares = part.reshape(-1, self._layers).sum(axis=1, dtype=np.float64)


class Outputs(Observer):
    """The last layer's outputs for each training row, before the update of its step.

    Attributes
    ----------
    outputs : (n, k)
        Outputs of the last epoch, in its order.
    """

    def __init__(self, backend: AnyBackend, stack: Stack, rows: int) -> None:
        self._backend, self._outputs_of_a_row = backend, stack.layers[-1].outputs
        self._cursor = backend.zeros((1,), INTEGER)
        self.size = rows * self._outputs_of_a_row

    def place(self, part: Array) -> None:
        """Take the part that holds the outputs, row after row."""
        self._part = part

    def begin_epoch(self) -> None:
        """Write from the first row again."""
        self._backend.from_host(np.zeros(1, INTEGER), out=self._cursor)

    def go_on(self, steps: int, rows: int) -> None:
        """Write behind the outputs of so many rows."""
        self._backend.from_host(np.array([rows * self._outputs_of_a_row], INTEGER), out=self._cursor)

    def after_step(self, backend: AnyBackend, batch: Batch) -> None:
        """Keep the outputs of the batch: the forward pass came before the update."""
        outputs = batch.outputs[-1].reshape((batch.rows * self._outputs_of_a_row,))
        backend.put_rows(outputs, self._cursor, out=self._part)
        backend.advance(self._cursor, outputs.shape[0])

    def read(self, part: HostArray) -> None:
        """Keep the outputs, row by row."""
        self.outputs = part.reshape(-1, self._outputs_of_a_row)


class HeldOut(Observer):
    """Rows that are not learned from, evaluated after each epoch.

    Its part of the results holds each row's loss, and then each row's outputs before the loss's link,
    (m + m k,) for m rows and k outputs.

    Parameters
    ----------
    features : Features
        X, of which `rows.numbers` selects the held-out rows.
    rows : Rows

    Attributes
    ----------
    loss, score : float
        Of the last `read`: the mean loss as scikit-learn reports it, and the metric, if it is one of losses.
    outputs : (m, k)
        The last layer's, of the last `read`.
    """

    def __init__(self, backend: AnyBackend, stack: Stack, features: Features, rows: Rows) -> None:
        self._backend, self._stack, self.rows = backend, stack, rows
        self._targets, self._weights = rows.own_targets, rows.own_weights
        self._metric = make_metric(None, stack.loss, stack.layers[-1], self._targets, self._weights)
        self._reported = Reported.of(stack)
        values = self._targets.values
        self._target = backend.from_host(values, dtype=INTEGER if stack.loss.takes_labels else None)
        self._count = len(rows)
        self._fetch = features.at(rows.numbers, self._count)
        self._forward = ForwardPass(backend, stack, gives="outputs", loss=True)
        self._forward.reserve(self._count)
        self.size = self._count * (1 + stack.layers[-1].outputs)

    def place(self, part: Array) -> None:
        """Take the part that holds the losses and then the outputs."""
        self._losses = part[: self._count]
        self._outputs = part[self._count :].reshape((self._count, self._stack.layers[-1].outputs))

    def measure(self, measuring: Measuring | None = None) -> None:
        """Compute losses and outputs of all rows, without waiting for the device."""
        self._forward.fetched(
            self._fetch,
            self._count,
            measuring,
            target=self._target,
            outputs=self._outputs,
            losses=self._losses,
        )

    def read(self, part: HostArray) -> None:
        """Keep the outputs, and take the mean loss and the metric from the losses."""
        losses, outputs = part[: self._count], part[self._count :]
        self.outputs = outputs.reshape(self._count, -1)
        self.score = self._metric.score(losses, np.zeros_like(losses), self._weights)
        losses = self._reported.losses(losses, self.outputs, self._targets.values)
        self.loss = weighted_mean(losses, self._weights)

    def enter(self, history: History) -> None:
        """Append the loss. The rules append the metric, which they take from the outputs."""
        history.validation_loss.append(self.loss)

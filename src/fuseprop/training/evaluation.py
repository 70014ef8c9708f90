"""Rows that are not learned from: their loss and metric, predictions, and decisions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import AnyBackend, Array, HostArray
from ..callbacks.history import History
from ..formulas.activation import ACTIVATIONS
from ..formulas.loss import AnyLoss
from ..layers.stack import Stack
from ..layers.targets import coding_of
from ..metrics import make_metric, weighted_mean
from .features import from_device, from_host, is_sparse
from .forward import Forward
from .observers import Observer
from .rows import Rows


class Evaluation(Observer):
    """Loss and metric of rows on the device, as often as they are measured; the validation of a training.

    Its part of the results holds each row's loss, and then each row's hit, (2 N,).

    Parameters
    ----------
    metric : str or None
        See `make_metric`.
    rows : Rows
        All N of them are evaluated.

    Attributes
    ----------
    loss, score : float
        The weighted mean loss and the metric, of the last `read`.
    """

    def __init__(self, backend: AnyBackend, stack: Stack, metric: str | None, rows: Rows) -> None:
        self._backend, self._stack, self._weights = backend, stack, rows.weights
        self.metric = make_metric(metric, stack.loss, stack.layers[-1], rows.targets, rows.weights)
        self._examples = rows.upload(backend)
        assert self._examples.x is not None
        self._forward = Forward(backend, stack, from_device(self._examples.x), len(rows))
        self.size = 2 * len(rows)
        self.loss = self.score = np.nan

    def place(self, part: Array) -> None:
        """Take the part that holds the losses and then the hits."""
        n = self._examples.rows
        self._losses, self._hits = part[:n], part[n:]

    def measure(self) -> None:
        """Compute losses and hits of all rows, without waiting for the device."""
        backend, examples = self._backend, self._examples
        for rows, batch, _, output in self._forward.chunks():
            target = examples.target[rows]
            labels = batch.labels if examples.labels is None else examples.labels[rows]
            self._stack.loss.apply(
                backend,
                output,
                target,
                batch.row_weights,
                losses=self._losses[rows],
                gradient=batch.gradients[-1],
            )
            self.metric.record(backend, output, target, labels, hits=self._hits[rows])

    def read(self, part: HostArray) -> None:
        """Take the mean loss and the metric from losses and hits."""
        losses, hits = np.split(part, 2)
        self.loss = weighted_mean(losses, self._weights)
        self.score = self.metric.score(losses, hits, self._weights)

    def enter(self, history: History) -> None:
        """Append loss and metric as those of the validation."""
        history.validation_loss.append(self.loss)
        history.validation_metric.append(self.score)


def evaluate(backend: AnyBackend, stack: Stack, metric: str | None, rows: Rows) -> dict[str, float]:
    """Return the weighted mean loss and the metric over rows, by name."""
    evaluation = Evaluation(backend, stack, metric, rows)
    results = backend.zeros((evaluation.size,))
    evaluation.place(results)
    evaluation.measure()
    evaluation.read(backend.to_host(results))
    return {"loss": evaluation.loss, evaluation.metric.name: evaluation.score}


def predict_rows(backend: AnyBackend, stack: Stack, X: Any) -> HostArray:
    """Return predictions (N, k): the last layer's outputs, through the loss's link.

    X (N, d) is a host array or a sparse matrix, whose rows are sent chunk by chunk, or an array of the
    backend's own.
    """
    is_on_host = isinstance(X, np.ndarray) or is_sparse(X)
    fetch = from_host(backend, X) if is_on_host else from_device(X)
    predictions = np.empty((X.shape[0], stack.layers[-1].outputs), backend.dtype)
    for rows, _, _, output in Forward(backend, stack, fetch, X.shape[0]).chunks():
        apply_link(backend, stack.loss, output)
        predictions[rows] = backend.to_host(output)
    return predictions


def apply_link(backend: AnyBackend, loss: AnyLoss, output: Array) -> None:
    """Turn the last layer's output (n, k) into predictions, in place."""
    if loss.link == "softmax":
        backend.softmax(output, out=output)
    elif loss.link != "identity":
        backend.bias_activation(output, None, ACTIVATIONS[loss.link]().formula, out=output)


def decide(stack: Stack, predictions: HostArray) -> HostArray:
    """Return class numbers (n,) for the softmax link, else "yes" or "no" per output (n, k), in its coding."""
    if stack.loss.link == "softmax":
        labels: HostArray = np.argmax(predictions, axis=1)
        return labels
    low, high = coding_of(stack.loss, stack.layers[-1])
    no, yes = (int(x) if float(x).is_integer() else x for x in (low, high))
    threshold = 0.5 if stack.loss.link == "sigmoid" else (low + high) / 2
    return np.where(predictions > threshold, yes, no)

"""Forward passes over rows that are not learned from: loss and metric, predictions, and decisions."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend, Array, HostArray
from ..formulas.activations import ACTIVATIONS
from ..formulas.losses import Loss
from ..layers.stack import Stack
from ..metrics import Metric, make_metric, weighted_mean
from .rows import Examples, Rows
from .step import Buffers

CHUNK = 1024
"""Rows at a time: large enough that the calls cost nothing, small enough to stay in the cache."""


class Evaluation:
    """Rows on the device, to be evaluated any number of times.

    Parameters
    ----------
    weights : (N,) host array, or None
        Sample weights.
    results : Array, (2 N,), optional
        Where each row's loss, and then each row's hit, are written; a new array by default.
    """

    def __init__(
        self,
        backend: AnyBackend,
        stack: Stack,
        metric: Metric,
        examples: Examples,
        weights: HostArray | None,
        results: Array | None = None,
    ) -> None:
        self.backend = backend
        self.stack = stack
        self.metric = metric
        self.examples = examples
        self.weights = weights
        self.buffers = Buffers(backend, stack, min(CHUNK, examples.rows))
        self.results = backend.zeros((2 * examples.rows,)) if results is None else results

    def run(self) -> tuple[float, float]:
        """Return the weighted mean loss and the metric with the parameters as they are."""
        self.launch()
        return self.score(self.backend.to_host(self.results))

    def launch(self) -> None:
        """Ask for losses and hits of all rows, and do not wait for them."""
        backend, examples, n = self.backend, self.examples, self.examples.rows
        losses, hits = self.results[:n], self.results[n:]
        for start in range(0, n, self.buffers.capacity):
            stop = min(start + self.buffers.capacity, n)
            batch = self.buffers.batch(stop - start)
            target = examples.target[start:stop]
            labels = batch.labels if examples.labels is None else examples.labels[start:stop]
            assert examples.x is not None
            output = self.stack.forward(backend, examples.x[start:stop], batch.outputs)
            self.stack.loss.apply(
                backend,
                output,
                target,
                batch.row_weights,
                losses=losses[start:stop],
                gradient=batch.gradients[-1],
            )
            self.metric.record(backend, output, target, labels, hits=hits[start:stop])

    def score(self, results: HostArray) -> tuple[float, float]:
        """Return the weighted mean loss and the metric from a host copy of `results`."""
        losses, hits = np.split(results, 2)
        return weighted_mean(losses, self.weights), self.metric.score(losses, hits, self.weights)


def evaluation(
    backend: AnyBackend, stack: Stack, metric: str | None, rows: Rows, results: Array | None = None
) -> Evaluation:
    """Upload rows that are to be evaluated, into `results`: see `Evaluation`."""
    made = make_metric(metric, stack.loss, stack.layers[-1], rows.targets, rows.weights)
    return Evaluation(backend, stack, made, rows.upload(backend), rows.weights, results)


def predict_rows(backend: AnyBackend, stack: Stack, X: HostArray) -> HostArray:
    """Return predictions (N, k) for rows (N, d): the last layer's outputs, through the loss's link."""
    buffers = Buffers(backend, stack, min(CHUNK, len(X)))
    predictions = np.empty((len(X), stack.layers[-1].outputs), backend.dtype)
    for start in range(0, len(X), buffers.capacity):
        rows = X[start : start + buffers.capacity]
        batch = buffers.batch(len(rows))
        backend.from_host(rows.astype(backend.dtype, copy=False), out=batch.x)
        output = stack.forward(backend, batch.x, batch.outputs)
        apply_link(backend, stack.loss, output)
        predictions[start : start + len(rows)] = backend.to_host(output)
    return predictions


def apply_link(backend: AnyBackend, loss: Loss, output: Array) -> None:
    """Turn the last layer's output (n, k) into predictions, in place."""
    if loss.link == "softmax":
        backend.softmax(output, out=output)
    elif loss.link == "sigmoid":
        backend.bias_activation(output, None, "sigmoid", out=output)
    elif loss.link == "exponential":
        backend.exponential(output, out=output)


def decide(stack: Stack, predictions: HostArray) -> HostArray:
    """Return class numbers (n,) for the softmax link, else "yes" or "no" per output (n, k), in its coding."""
    if stack.loss.link == "softmax":
        labels: HostArray = np.argmax(predictions, axis=1)
        return labels
    coding = ACTIVATIONS[stack.layers[-1].activation]
    return np.where(predictions > coding.threshold, int(coding.high), int(coding.low))

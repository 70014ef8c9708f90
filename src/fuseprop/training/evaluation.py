"""Rows that are not learned from: their loss and metric, predictions, and decisions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import AnyBackend, Array, HostArray
from ..callbacks.history import History
from ..layers.stack import Stack
from ..layers.targets import Targets, coding_of
from ..metrics import make_metric, weighted_mean
from ..world import ALONE, Processes
from .features import Fetch, from_device, from_host, is_sparse
from .forward import ForwardPass, rows_of
from .measuring import Measuring
from .observers import Observer
from .rows import Rows, upload_targets


class Evaluation(Observer):
    """Loss and metric of rows, as often as they are measured; the validation of a training.

    The rows are on the device; where it has no room for them, they are sent again for each measurement. Its
    part of the results holds each row's loss, and then each row's hit, (2 N,).

    Parameters
    ----------
    metric : str or None
        See `make_metric`.
    rows : Rows
        All N of them are evaluated.
    world : Processes, optional
        Several processes evaluate rows of their own, perhaps none, and measure those of all.

    Attributes
    ----------
    loss, score : float
        The weighted mean loss and the metric, of the last `read`.
    """

    def __init__(
        self,
        backend: AnyBackend,
        stack: Stack,
        metric: str | None,
        rows: Rows,
        world: Processes = ALONE,
    ) -> None:
        self._backend, self._stack, self._weights, self._world = backend, stack, rows.own_weights, world
        targets = rows.own_targets
        self.metric = make_metric(metric, stack.loss, stack.layers[-1], targets, self._weights, world)
        self._count = len(rows)
        self._examples = rows.upload(backend, may_stay=True)
        self._forward = ForwardPass(backend, stack, loss=True, metric=self.metric)
        self._forward.reserve(len(rows))
        self.size = 2 * len(rows)
        self.loss = self.score = np.nan

    def place(self, part: Array) -> None:
        """Take the part that holds the losses and then the hits."""
        n = self._count
        self._losses, self._hits = part[:n], part[n:]

    def measure(self, measuring: Measuring | None = None) -> None:
        """Compute losses and hits of all rows, without waiting for the device."""
        if not self._count:
            return
        examples = self._examples
        arrays = {
            "target": examples.target,
            "labels": examples.labels,
            "losses": self._losses,
            "hits": self._hits,
        }
        x, n = examples.x, examples.rows
        if x is None:
            self._forward.fetched(examples.features.at(None, n), n, measuring, **arrays)
        elif measuring is None:
            self._forward(x, **arrays)
        else:
            for rows in measuring.pieces(n, self._forward.rows_of_a_chunk(n)):
                self._forward(x[rows], **rows_of(arrays, rows))

    def read(self, part: HostArray) -> None:
        """Take the mean loss and the metric from losses and hits."""
        losses, hits = np.split(part, 2)
        self.loss = weighted_mean(losses, self._weights, self._world)
        hit = weighted_mean(hits, self._weights, self._world)
        self.score = self.metric.score(np.array([self.loss]), np.array([hit]), None)

    def enter(self, history: History) -> None:
        """Append loss and metric as those of the validation."""
        history.validation_loss.append(self.loss)
        history.validation_metric.append(self.score)


def evaluate(
    backend: AnyBackend, stack: Stack, metric: str | None, rows: Rows, world: Processes = ALONE
) -> dict[str, float]:
    """Return the weighted mean loss and the metric over rows, those of all processes, by name."""
    results = backend.zeros((2 * len(rows),))
    evaluation = Evaluation(backend, stack, metric, rows, world)
    evaluation.place(results)
    evaluation.measure()
    evaluation.read(backend.to_host(results))
    return {"loss": evaluation.loss, evaluation.metric.name: evaluation.score}


class RowScores:
    """The loss and the hit of each row, for targets that stay and inputs that are given for each call.

    Parameters
    ----------
    metric : str or None
        See `make_metric`.
    targets : Targets
        Of all N rows.
    """

    def __init__(self, backend: AnyBackend, stack: Stack, metric: str | None, targets: Targets) -> None:
        self._backend, self._stack = backend, stack
        self.metric = make_metric(metric, stack.loss, stack.layers[-1], targets, None)
        self._target, self._labels = upload_targets(backend, targets)
        self._forward = ForwardPass(backend, stack, loss=True, metric=self.metric)
        self._results = backend.zeros((2 * len(targets.values),))

    def __call__(self, fetch: Fetch) -> tuple[HostArray, HostArray]:
        """Return losses (N,) and hits (N,), 0 where the metric counts none; `fetch` gives the inputs."""
        n = self._target.shape[0]
        losses, hits = self._results[:n], self._results[n:]
        self._forward.fetched(fetch, n, target=self._target, labels=self._labels, losses=losses, hits=hits)
        results = self._backend.to_host(self._results)
        return results[:n], results[n:]


class Predictor:
    """The predictions of a stack, for any number of rows.

    One of these may be called from several threads; what it computes with, it makes once.
    """

    def __init__(self, backend: AnyBackend, stack: Stack) -> None:
        self._backend, self._stack = backend, stack
        self._forward = ForwardPass(backend, stack, gives="predictions")

    def on_device(self, X: Any) -> Array:
        """Return predictions (N, k) as a call does, as an array of the backend's own, which is the caller's.

        All of them are computed when it returns, so that any stream may read them.
        """
        backend, k = self._backend, self._stack.layers[-1].outputs
        predictions = backend.empty((X.shape[0], k))
        is_on_host = isinstance(X, np.ndarray) or is_sparse(X)
        fetch = from_host(backend, X) if is_on_host else from_device(X)

        def take(rows: slice, x: Array) -> None:
            self._forward.at_once(x, outputs=predictions[rows])

        self._forward.fetching(fetch, X.shape[0], take)
        backend.synchronize()
        return predictions

    def __call__(self, X: Any) -> HostArray:
        """Return predictions (N, k): the last layer's outputs, through the loss's link.

        X (N, d) is a host array or a sparse matrix, whose rows are sent chunk by chunk, or an array of the
        backend's own.
        """
        backend, n, k = self._backend, X.shape[0], self._stack.layers[-1].outputs
        predictions = np.empty((n, k), backend.dtype)
        in_place = isinstance(self._stack.parameters.values, np.ndarray)
        is_array = isinstance(X, np.ndarray)
        if in_place and is_array and X.dtype == backend.dtype and X.flags.c_contiguous:
            self._forward(X, outputs=predictions)
            return predictions
        fetch = from_host(backend, X) if is_array or is_sparse(X) else from_device(X)

        def take(rows: slice, x: Array) -> None:
            outputs = predictions[rows] if in_place else backend.empty((x.shape[0], k))
            self._forward.at_once(x, outputs=outputs)
            if not in_place:
                predictions[rows] = backend.to_host(outputs)

        self._forward.fetching(fetch, n, take)
        return predictions


def decide(stack: Stack, predictions: HostArray) -> HostArray:
    """Return class numbers (n,) for the softmax link, else "yes" or "no" per output (n, k), in its coding."""
    if stack.loss.link == "softmax":
        labels: HostArray = np.argmax(predictions, axis=1)
        return labels
    low, high = coding_of(stack.loss, stack.layers[-1])
    no, yes = (int(x) if float(x).is_integer() else x for x in (low, high))
    threshold = 0.5 if stack.loss.link == "sigmoid" else (low + high) / 2
    return np.where(predictions > threshold, yes, no)

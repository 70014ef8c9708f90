"""A validation set, scored after each epoch without a word to the host before all is asked for."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend, Array, HostArray
from ..layers.stack import Stack
from ..metrics import make_metric, weighted_mean
from ..training.evaluation import CHUNK
from ..training.step import Buffers
from .features import Features, Gatherer
from .reported import Reported
from .task import Sample


class HeldOut:
    """Rows that are not learned from.

    Parameters
    ----------
    features : Features
        Where the rows are found.
    sample : Sample
        Which rows, m of them, and what the network should say to them.
    results : Array, (m (1 + k),)
        Where each row's loss, and then each row's outputs before the loss's link, are written.
    """

    def __init__(
        self,
        backend: AnyBackend,
        stack: Stack,
        features: Features,
        sample: Sample,
        results: Array,
    ) -> None:
        m, k = len(sample.rows), stack.layers[-1].outputs
        self._targets = targets = sample.own_targets
        self._backend = backend
        self._stack = stack
        self._rows = Gatherer(backend, features, sample.rows)
        self._reported = Reported.of(stack)
        self._weights = sample.own_weights
        self._metric = make_metric(None, stack.loss, stack.layers[-1], targets, self._weights)
        takes = stack.loss.takes_labels
        self._target = backend.from_host(targets.values, dtype=targets.values.dtype if takes else None)
        self._losses = results[:m]
        self._outputs = results[m:].reshape((m, k))
        self._buffers = Buffers(backend, stack, min(CHUNK, m))
        self._count = m

    def launch(self) -> None:
        """Ask for losses and outputs of all rows, and do not wait for them."""
        backend, stack = self._backend, self._stack
        for start in range(0, self._count, self._buffers.capacity):
            stop = min(start + self._buffers.capacity, self._count)
            batch = self._buffers.batch(stop - start)
            self._rows.gather(start, out=batch.x)
            output = stack.forward(backend, batch.x, batch.outputs)
            backend.copy(output, out=self._outputs[start:stop])
            stack.loss.apply(
                backend,
                output,
                self._target[start:stop],
                batch.row_weights,
                losses=self._losses[start:stop],
                gradient=batch.gradients[-1],
            )

    def read(self, results: HostArray) -> tuple[float, float, HostArray]:
        """Return the mean loss, as reported, a metric of losses, and outputs from a copy of `results`."""
        losses, outputs = np.split(results, [self._count])
        outputs = outputs.reshape(self._count, -1)
        metric = self._metric.score(losses, np.zeros_like(losses), self._weights)
        losses = self._reported.losses(losses, outputs, self._targets.values)
        return weighted_mean(losses, self._weights), metric, outputs

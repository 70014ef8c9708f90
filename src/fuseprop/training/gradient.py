"""The gradient of the loss over all rows, which nothing is learned from: what L-BFGS asks for."""

from __future__ import annotations

import numpy as np

from ..backend import INTEGER, AnyBackend, HostArray, Runner
from ..backend.recording import record
from ..layers.stack import Stack
from ..metrics import make_metric
from .chunks import chunks, rows_of_a_chunk
from .rows import Rows
from .step import Buffers, EpochState, gradient_step


class Gradient:
    """sum_i v_i loss_i over n rows, differentiated by all parameters.

    Rows are taken in chunks of a fixed size, whose gradients add up on the host in float64.

    Parameters
    ----------
    backend : Backend
    stack : Stack
    rows : Rows
    shares : (n,)
        v_i.
    """

    def __init__(self, backend: AnyBackend, stack: Stack, rows: Rows, shares: HostArray) -> None:
        n = len(rows)
        self._backend, self._stack = backend, stack
        self._examples = rows.upload(backend)
        self._order = rows.order
        last = stack.layers[-1]
        self._metric = make_metric("loss", stack.loss, last, rows.own_targets, rows.own_weights)
        most = rows_of_a_chunk(backend, stack, n)
        self._chunks = list(chunks(n, most))
        self._buffers = Buffers(backend, stack, most)
        self._state = EpochState(
            order=backend.from_host(self._order, dtype=INTEGER),
            cursor=backend.zeros((1,), INTEGER),
            losses=backend.zeros((n,)),
            hits=backend.zeros((n,)),
            row_weights=backend.from_host(shares),
            positions=backend.from_host(np.arange(n), dtype=INTEGER),
        )
        self._runners: dict[int, Runner] = {}

    def __call__(self) -> tuple[HostArray, HostArray, HostArray]:
        """Return the gradient (P,) in float64, and each row's loss (n,) and outputs (n, k)."""
        backend, state = self._backend, self._state
        gradients = self._stack.parameters.gradients
        total, outputs = np.zeros(gradients.shape[0]), []
        backend.from_host(np.zeros(1, INTEGER), out=state.cursor)
        for rows in self._chunks:
            batch = self._buffers.batch(rows.stop - rows.start)
            if self._examples.x is None:
                self._examples.features.send(self._order[rows], out=batch.x)
            self._runner(batch.rows)(1)
            total += backend.to_host(gradients)
            outputs.append(backend.to_host(batch.outputs[-1]))
        return total, backend.to_host(state.losses), np.concatenate(outputs)

    def _runner(self, n: int) -> Runner:
        """Return what computes the gradient of the next n rows."""
        if n not in self._runners:
            batch, state = self._buffers.batch(n), self._state

            def step(backend: AnyBackend) -> None:
                gradient_step(backend, self._stack, self._metric, self._examples, state, batch)
                backend.put_rows(batch.losses, state.cursor, out=state.losses)
                backend.advance(state.cursor, n)

            read = [batch.outputs[-1], *([batch.x] if self._examples.x is None else [])]
            scratch = [array for array in batch.scratch if not any(array is each for each in read)]
            self._runners[n] = self._backend.compile(record(self._backend, step, scratch))
        return self._runners[n]

"""Forward passes over any number of rows: what a network answers to them, their losses and hits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from ..backend import AnyBackend, Array, Program
from ..backend.recording import record
from ..backend.seam import ByRows, option
from ..formulas.activation import ACTIVATIONS
from ..layers.stack import Stack
from ..metrics import Metric
from .features import Fetch
from .step import Batch, Buffers, bytes_of_a_row


class ForwardPass:
    """What a stack makes of rows that are on the device; nothing is learned.

    Where a backend has `by_rows`, one call of it takes all rows; elsewhere they are taken chunk by chunk.

    Parameters
    ----------
    backend : Backend
    stack : Stack
    gives : "predictions" | "outputs", optional
        What goes to `outputs`: the last layer's, through the loss's link or before it.
    loss : bool
        Whether losses are asked for.
    metric : Metric, optional
        Where it counts hits, these are asked for.
    """

    def __init__(
        self,
        backend: AnyBackend,
        stack: Stack,
        *,
        gives: Literal["predictions", "outputs"] | None = None,
        loss: bool = False,
        metric: Metric | None = None,
    ) -> None:
        self._backend, self._stack = backend, stack
        self._link = stack.loss.link if gives == "predictions" else "identity"
        self._gives, self._loss, self._metric = gives is not None, loss, metric
        self._own = threading.local()  # buffers: several threads may ask at once
        by_rows = option(backend, "by_rows")
        self._names: list[str] = []
        self._run = None if by_rows is None else self._whole(by_rows)

    def __call__(
        self,
        x: Array,
        *,
        target: Array | None = None,
        labels: Array | None = None,
        outputs: Array | None = None,
        losses: Array | None = None,
        hits: Array | None = None,
    ) -> None:
        """Take rows x, with what the loss and the metric compare them with, and write what is asked.

        x (n, d); target (n, k), or (n,) for a loss that takes labels; labels (n,), None where nothing is
        compared with them; outputs (n, k); losses and hits (n,).
        """
        given = {
            "x": x,
            "target": target,
            "labels": labels,
            "outputs": outputs,
            "losses": losses,
            "hits": hits,
        }
        if self._run is not None:
            self._run(*[given[name] for name in self._names])
            return
        n = x.shape[0]
        for rows in chunks(n, rows_of_a_chunk(self._backend, self._stack, n)):
            part = {name: None if array is None else array[rows] for name, array in given.items()}
            self._compute(self._backend, self._batch(rows.stop - rows.start), part)

    def reserve(self, rows: int) -> None:
        """Make the buffers for so many rows now, where there are any: so that memory is known to suffice."""
        if self._run is None:
            self._batch(rows_of_a_chunk(self._backend, self._stack, rows))

    def _batch(self, rows: int) -> Batch:
        """Return buffers of so many rows; of the chunks of a call, the first has most."""
        buffers: Buffers | None = getattr(self._own, "buffers", None)
        if buffers is None or buffers.capacity < rows:
            buffers = self._own.buffers = Buffers(self._backend, self._stack, rows, backward=False)
        return buffers.batch(rows)

    def _compute(self, backend: AnyBackend, batch: Batch, given: Mapping[str, Array | None]) -> None:
        stack = self._stack
        x, losses, hits, outputs = (given[name] for name in ("x", "losses", "hits", "outputs"))
        target = batch.target if given["target"] is None else given["target"]
        labels = batch.labels if given["labels"] is None else given["labels"]
        assert x is not None
        output = stack.forward(backend, x, batch.outputs)
        if self._loss and losses is not None:
            gradient = batch.gradients[-1]
            stack.loss.apply(backend, output, target, batch.row_weights, losses=losses, gradient=gradient)
        if self._metric is not None and hits is not None:
            self._metric.record(backend, output, target, labels, hits=hits)
        if not self._gives or outputs is None or outputs is output:
            return
        if self._link == "identity":
            backend.copy(output, out=outputs)
        elif self._link == "softmax":
            backend.softmax(output, out=outputs)
        else:
            backend.bias_activation(output, None, ACTIVATIONS[self._link]().formula, out=outputs)

    def _whole(self, by_rows: ByRows) -> Callable[..., None] | None:
        """Return what takes all rows in one call; None where the backend has nothing for this pass."""
        backend, stack = self._backend, self._stack
        batch = Buffers(backend, stack, 1, backward=False).batch(1)
        last = batch.outputs[-1]
        arrays = {
            "x": batch.x,
            "target": batch.target,
            "labels": batch.labels,
            "outputs": last if self._link == "identity" else backend.empty(last.shape),
            "losses": batch.losses,
            "hits": batch.hits,
        }
        program = record(backend, lambda recorder: self._compute(recorder, batch, arrays))
        touched = {id(array) for call in program.calls for array in (*call.reads, *call.writes)}
        asked = {"x", "target", "labels", *(["outputs"] if self._gives else []), "losses", "hits"}
        named = {id(array): name for name, array in reversed(arrays.items()) if name in asked}
        self._names = [name for key, name in named.items() if key in touched]
        scratch = [array for array in [*batch.outputs, *batch.gradients] if id(array) not in named]
        return by_rows(Program(program.calls, tuple(scratch)), [arrays[name] for name in self._names])


def chunks(count: int, most: int) -> Iterator[slice]:
    """Yield slices of so many rows, first to last, each of `most` but the last."""
    for start in range(0, count, most):
        yield slice(start, min(start + most, count))


def rows_of_a_chunk(backend: AnyBackend, stack: Stack, count: int) -> int:
    """Return how many rows a chunk has: as many as fit into the backend's `chunk_bytes`, and at least 1."""
    room: int = option(backend, "chunk_bytes")
    return max(1, min(count, room // bytes_of_a_row(backend, stack, backward=False)))


def fetched(backend: AnyBackend, stack: Stack, fetch: Fetch, count: int) -> Iterator[tuple[slice, Array]]:
    """Yield `count` rows x (n, d) chunk by chunk, each with where it is among them."""
    most = rows_of_a_chunk(backend, stack, count)
    room = backend.empty((most, stack.layers[0].inputs))
    for rows in chunks(count, most):
        yield rows, fetch(rows.start, room[: rows.stop - rows.start])

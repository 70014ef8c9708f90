"""Forward passes over any number of rows: what a network answers to them, their losses and hits."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from typing import Literal

from ..backend import AnyBackend, Array, OutOfMemory, Program
from ..backend.recording import record
from ..backend.seam import ByRows, option
from ..formulas.activation import ACTIVATIONS
from ..layers.stack import Stack
from ..metrics import Metric
from .chunks import in_chunks, rows_of_a_chunk
from .features import Fetch
from .measuring import Measuring
from .step import Batch, Buffers


class ForwardPass:
    """What a stack makes of rows that are on the device; nothing is learned.

    Where a backend has `by_rows`, one call of it takes all rows; elsewhere they are taken chunk by chunk, in
    smaller ones where the device has no room.

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
        self._most = sys.maxsize  # rows of a chunk
        by_rows = option(backend, "by_rows")
        self._names: list[str] = []
        self._run = None if by_rows is None else self._whole(by_rows)

    def __call__(self, x: Array, **given: Array | None) -> None:
        """Take rows x (n, d), with what the loss and the metric compare them with, and write what is asked.

        `given` are, where they are asked for or read: target (n, k), or (n,) for a loss that takes labels;
        labels (n,); outputs (n, k); losses and hits (n,).
        """
        if self._run is not None:
            self.at_once(x, **given)
            return
        n = x.shape[0]
        most = self.rows_of_a_chunk(n)
        in_chunks(n, most, lambda rows: self.at_once(x[rows], **rows_of(given, rows)))

    def at_once(self, x: Array, **given: Array | None) -> None:
        """Take rows as a call does, but raise OutOfMemory where there is no room for all of them at once."""
        if self._run is not None:
            self._run(*[x if name == "x" else given.get(name) for name in self._names])
            return
        n = x.shape[0]
        try:
            self._compute(self._backend, self._buffers(n).batch(n), x, **given)
        except OutOfMemory:
            self._own.buffers = None
            raise

    def fetched(
        self, fetch: Fetch, count: int, measuring: Measuring | None = None, **arrays: Array | None
    ) -> None:
        """Take `count` rows, fetched chunk by chunk; `arrays` are the others of a call, of all rows.

        Between two chunks `measuring` may look.
        """

        def take(rows: slice, x: Array) -> None:
            self.at_once(x, **rows_of(arrays, rows))
            if measuring is not None and rows.stop < count:
                measuring.look(rows.stop - rows.start)

        self.fetching(fetch, count, take)

    def fetching(self, fetch: Fetch, count: int, take: Callable[[slice, Array], None]) -> None:
        """Call ``take(rows, x)`` for `count` rows x (n, d), chunk by chunk, with where they are among all.

        Where `take` runs out of memory, as `at_once` may, it is called again with fewer rows.
        """
        inputs, room = self._stack.layers[0].inputs, None

        def fetched(rows: slice) -> None:
            nonlocal room
            n = rows.stop - rows.start
            try:
                if room is None:
                    room = self._backend.empty((n, inputs))
                take(rows, fetch(rows.start, room[:n]))
            except OutOfMemory:
                room = None
                raise

        in_chunks(count, self.rows_of_a_chunk(count), fetched)

    def reserve(self, rows: int) -> None:
        """Make the buffers for so many rows now, where there are any, so that memory is known to suffice.

        Where there is no room for those of a chunk, chunks are smaller from now on, and leave as much again.
        """
        if self._run is not None:
            return
        wanted = self.rows_of_a_chunk(rows)
        most = in_chunks(wanted, wanted, lambda chunk: self._buffers(chunk.stop - chunk.start))
        if most < wanted:
            self._most, self._own.buffers = max(1, most // 2), None
            self._buffers(self._most)

    def rows_of_a_chunk(self, count: int) -> int:
        """Return how many of so many rows a chunk has."""
        return min(self._most, rows_of_a_chunk(self._backend, self._stack, count))

    def _buffers(self, rows: int) -> Buffers:
        """Return this thread's buffers, of at least so many rows."""
        buffers: Buffers | None = getattr(self._own, "buffers", None)
        if buffers is None or buffers.capacity < rows:
            self._own.buffers = buffers = None  # the new ones may have room in their place alone
            buffers = self._own.buffers = Buffers(self._backend, self._stack, rows, backward=False)
        return buffers

    def _compute(
        self,
        backend: AnyBackend,
        batch: Batch,
        x: Array,
        *,
        target: Array | None = None,
        labels: Array | None = None,
        outputs: Array | None = None,
        losses: Array | None = None,
        hits: Array | None = None,
    ) -> None:
        stack = self._stack
        target = batch.target if target is None else target
        labels = batch.labels if labels is None else labels
        output = stack.forward(backend, x, batch.outputs)
        if self._loss and losses is not None:
            gradient = batch.gradients[-1]
            stack.loss.apply(backend, output, target, batch.row_weights, losses=losses, gradient=gradient)
        if self._metric is not None and hits is not None:
            self._metric.record(backend, output, target, labels, hits=hits)
        if not self._gives or outputs is None or outputs is output:
            return
        apply_link(backend, self._link, output, out=outputs)

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
        program = record(backend, lambda recorder: self._compute(recorder, batch, **arrays))
        touched = {id(array) for call in program.calls for array in (*call.reads, *call.writes)}
        asked = {"x", "target", "labels", *(["outputs"] if self._gives else []), "losses", "hits"}
        named = {id(array): name for name, array in reversed(arrays.items()) if name in asked}
        self._names = [name for key, name in named.items() if key in touched]
        scratch = [array for array in [*batch.outputs, *batch.gradients] if id(array) not in named]
        return by_rows(Program(program.calls, tuple(scratch)), [arrays[name] for name in self._names])


def rows_of(arrays: Mapping[str, Array | None], rows: slice) -> dict[str, Array | None]:
    """Return these rows of all arrays that are there."""
    return {name: None if array is None else array[rows] for name, array in arrays.items()}


def apply_link(backend: AnyBackend, link: str, output: Array, *, out: Array) -> None:
    """Write the predictions (n, k) that a loss's link makes of the last layer's output (n, k)."""
    if link == "identity":
        backend.copy(output, out=out)
    elif link == "softmax":
        backend.softmax(output, out=out)
    else:
        backend.bias_activation(output, None, ACTIVATIONS[link]().formula, out=out)

"""One training step: a fixed sequence of backend calls on fixed buffers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backend import INTEGER, AnyBackend, Array, HostArray
from ..backend.seam import for_processes
from ..layers.stack import Stack
from ..metrics import Metric
from ..optimizers import Optimizer
from ..world import ALONE, Processes
from .rows import Examples


@dataclass(frozen=True, eq=False)
class Batch:
    """Buffers of n rows: the gathered examples, and everything that a step computes from them.

    x (n, d), target (n, k) or (n,) labels, labels (n,), row_weights, losses and hits (n,). outputs and
    gradients hold (n, m) for each layer: its activated output, and dL/d output in the backward pass. dropped
    holds (n, m), the output after dropout, for the layers with a dropout rate, None for the others; sums
    holds (n, m), the weighted sums, for the layers whose slope needs them, or for all.
    """

    x: Array
    target: Array
    labels: Array
    row_weights: Array
    losses: Array
    hits: Array
    outputs: list[Array]
    gradients: list[Array]
    dropped: list[Array | None]
    sums: list[Array | None]

    @property
    def rows(self) -> int:
        """How many rows there are, n."""
        return self.x.shape[0]

    @property
    def scratch(self) -> list[Array]:
        """Arrays that no later step reads."""
        return [
            *(self.x, self.target, self.labels, self.losses, self.hits),
            *self.outputs,
            *self.gradients,
            *(array for array in (*self.dropped, *self.sums) if array is not None),
        ]


class Buffers:
    """The memory of passes of up to `capacity` rows; `batch(n)` has views of the first n rows.

    Parameters
    ----------
    capacity : int
    backward : bool
        Whether all layers have gradient buffers; otherwise the last one alone, for the loss.
    dropout : bool
        Whether the layers with a dropout rate have buffers for their outputs after dropout.
    all_sums : bool
        Whether all layers have buffers for their weighted sums; otherwise those whose slope needs them.
    """

    def __init__(
        self,
        backend: AnyBackend,
        stack: Stack,
        capacity: int,
        *,
        backward: bool = True,
        dropout: bool = False,
        all_sums: bool = False,
    ) -> None:
        self.capacity = capacity
        self._backend = backend
        self._labels = backend.empty((capacity,), INTEGER)
        self._x = backend.empty((capacity, stack.layers[0].inputs))
        self._target = (
            self._labels if stack.loss.takes_labels else backend.empty((capacity, stack.layers[-1].outputs))
        )
        self._losses = backend.empty((capacity,))
        self._hits = backend.zeros((capacity,))
        self._outputs = [backend.empty((capacity, layer.outputs)) for layer in stack.layers]
        self._gradients = [
            backend.empty((capacity, layer.outputs))
            for layer in (stack.layers if backward else stack.layers[-1:])
        ]
        self._dropped = [
            backend.empty((capacity, layer.outputs)) if dropout and layer.dropout else None
            for layer in stack.layers
        ]
        self._sums = [
            backend.empty((capacity, layer.outputs)) if all_sums or (backward and layer.keeps_sums) else None
            for layer in stack.layers
        ]
        self._batches: dict[int, Batch] = {}

    def batch(self, n: int) -> Batch:
        """Return the buffers of n rows, each of weight 1/n; equal n give the same object."""
        if n not in self._batches:
            self._batches[n] = Batch(
                x=self._x[:n],
                target=self._target[:n],
                labels=self._labels[:n],
                row_weights=self._backend.from_host(np.full(n, 1.0 / n)),
                losses=self._losses[:n],
                hits=self._hits[:n],
                outputs=[output[:n] for output in self._outputs],
                gradients=[gradient[:n] for gradient in self._gradients],
                dropped=[None if dropped is None else dropped[:n] for dropped in self._dropped],
                sums=[None if sums is None else sums[:n] for sums in self._sums],
            )
        return self._batches[n]


def batch_bounds(rows: int, batch_size: int) -> tuple[HostArray, HostArray]:
    """Return where each batch of an epoch starts, and how many rows it has, (batches,) each.

    All have `batch_size` rows, but the last, which has the rows that remain.
    """
    starts = np.arange(0, rows, batch_size)
    return starts, np.minimum(batch_size, rows - starts)


def bytes_of_a_row(backend: AnyBackend, stack: Stack, *, backward: bool = True, dropout: bool = False) -> int:
    """Return the bytes of a row in `Buffers`, with two row weights: in a full batch and in the last one."""
    widths = [layer.outputs for layer in stack.layers]
    target = 0 if stack.loss.takes_labels else widths[-1]
    gradients = sum(widths) if backward else widths[-1]
    dropped = sum(layer.outputs for layer in stack.layers if dropout and layer.dropout)
    sums = sum(layer.outputs for layer in stack.layers if backward and layer.keeps_sums)
    losses_hits_weights = 4
    values = stack.layers[0].inputs + target + losses_hits_weights + sum(widths) + gradients + dropped + sums
    return INTEGER.itemsize + values * backend.dtype.itemsize


@dataclass(frozen=True)
class EpochState:
    """The state of an epoch on the device: its order and cursor, and the results of its steps.

    Of the n rows of an epoch: order (n,) int64, cursor (1,) int64, losses and hits (n,) in the epoch's order;
    where rows are weighted, row_weights (n,) in that order, each batch summing to 1, and positions (n,) = 0,
    1, 2, ...
    """

    order: Array
    cursor: Array
    losses: Array
    hits: Array
    row_weights: Array | None
    positions: Array | None


def gradient_step(
    backend: AnyBackend, stack: Stack, metric: Metric, examples: Examples, epoch: EpochState, batch: Batch
) -> None:
    """Gather the batch at the cursor; compute losses, hits and the gradient of every parameter."""
    if examples.x is not None:
        backend.take_rows(examples.x, epoch.order, epoch.cursor, out=batch.x)
    backend.take_rows(examples.target, epoch.order, epoch.cursor, out=batch.target)
    if examples.labels is not None and not stack.loss.takes_labels:
        backend.take_rows(examples.labels, epoch.order, epoch.cursor, out=batch.labels)
    if epoch.row_weights is not None and epoch.positions is not None:
        backend.take_rows(epoch.row_weights, epoch.positions, epoch.cursor, out=batch.row_weights)

    output = stack.forward(backend, batch.x, batch.outputs, batch.dropped, batch.sums)
    stack.loss.apply(
        backend, output, batch.target, batch.row_weights, losses=batch.losses, gradient=batch.gradients[-1]
    )
    metric.record(backend, output, batch.target, batch.labels, hits=batch.hits)
    stack.backward(backend, batch.x, batch.outputs, batch.gradients, batch.dropped, batch.sums)
    if stack.dropout is not None:
        stack.dropout.advance(backend)


def training_step(
    backend: AnyBackend,
    stack: Stack,
    metric: Metric,
    optimizer: Optimizer,
    examples: Examples,
    epoch: EpochState,
    batch: Batch,
    world: Processes = ALONE,
) -> None:
    """Learn from the batch at the cursor, keep its losses and hits, and move the cursor on.

    Each of several processes has its own rows of the batch, whose weights are those of the whole batch: what
    all learn from is the sum of their gradients.

    A step reads and writes the arguments alone, and no host value changes it: repeating the same call learns
    from the next batch.
    """
    gradient_step(backend, stack, metric, examples, epoch, batch)
    if world.size == 1:
        optimizer.update(backend, stack.parameters)
    backend.put_rows(batch.losses, epoch.cursor, out=epoch.losses)
    if metric.counts_hits:
        backend.put_rows(batch.hits, epoch.cursor, out=epoch.hits)
    backend.advance(epoch.cursor, batch.rows)
    if world.size > 1:  # at the end: what comes before it is one program of the device
        for_processes(backend).all_reduce(stack.parameters.gradients, world)
        optimizer.update(backend, stack.parameters)

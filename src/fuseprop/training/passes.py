"""One pass at a time: a forward pass, a backward pass, an update, each by a call of its own."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backend import AnyBackend, Array, HostArray, Runner
from ..backend.recording import record
from ..backend.seam import option
from ..checks.arrays import as_sample_weights, check_range
from ..layers.stack import Places, Stack
from ..layers.targets import encode_targets
from ..optimizers import Optimizer
from .forward import ForwardPass
from .step import Batch, Buffers

KEPT = 4
"""For so many numbers of rows buffers are kept, and as many compiled passes for each."""


@dataclass(frozen=True)
class Room:
    """The buffers of passes of n rows, and what is compiled over them."""

    batch: Batch
    compiled: dict[Hashable, Runner]


class Passes:
    """Passes of host rows, whose buffers are kept: forward, backward from there, or a whole step."""

    def __init__(self, backend: AnyBackend, stack: Stack) -> None:
        self._backend = backend
        self._stack = stack
        self._rooms: dict[int, Room] = {}
        self._room: Room | None = None
        self._dropped: Places = None
        # Where rows are taken as a whole, every way to compute a pass has the same numbers; elsewhere a pass
        # that is made once is not worth compiling.
        self._compiles = option(backend, "by_rows") is not None

    @cached_property
    def _forward(self) -> ForwardPass:
        return ForwardPass(self._backend, self._stack, gives="outputs")

    @property
    def batch(self) -> Batch:
        """The buffers of the last `forward`; raises RuntimeError where there was none."""
        if self._room is None:
            raise RuntimeError("there is nothing to backpropagate yet: call forward(X) first.")
        return self._room.batch

    def forward(self, X: HostArray, *, dropout: bool = False, sums: bool = False) -> HostArray:
        """Return the last layer's output (n, k) for checked rows X (n, d): see `Network.forward`.

        With `sums`, each layer's weighted sums are left in the batch.
        """
        backend, stack, batch = self._backend, self._stack, self._take(X, dropout=dropout)
        output = batch.outputs[-1]
        with np.errstate(over="ignore", invalid="ignore"):
            if not sums and (self._dropped is None or stack.dropout is None):
                self._forward(batch.x, outputs=output)
            else:
                stack.forward(backend, batch.x, batch.outputs, self._dropped, batch.sums)
        return backend.to_host(output)

    def backward(self, target: object, sample_weight: object = None) -> float:
        """Return the loss of the last `forward`, and compute the gradients: see `Network.backward`."""
        batch = self.batch
        weights = self._compare(target, sample_weight)
        with np.errstate(over="ignore", invalid="ignore"):
            self._run(("gradient", self._dropped is None), self._gradient)
        return self._loss(batch, weights)

    def learn(
        self,
        X: HostArray,
        target: object,
        sample_weight: object,
        optimizer: Optimizer,
    ) -> float:
        """Return the loss before a step that learns from checked rows X: see `Network.train_step`."""
        stack, batch = self._stack, self._take(X, dropout=True)
        weights = self._compare(target, sample_weight)
        optimizer.prepare(stack.parameters, 1)  # binds it to this network, once all is checked

        def step(backend: AnyBackend) -> None:
            self._gradient(backend)
            if stack.dropout is not None:
                stack.dropout.advance(backend)
            optimizer.update(backend, stack.parameters)

        with np.errstate(over="ignore", invalid="ignore"):
            key: Hashable = getattr(optimizer, "key", None)
            self._run(key, step, [*batch.outputs, *batch.gradients, *_there(batch.sums)])
        optimizer.steps += 1
        return self._loss(batch, weights)

    def _take(self, X: HostArray, *, dropout: bool) -> Batch:
        """Send rows to buffers of their own number."""
        backend, rows = self._backend, len(X)
        if rows not in self._rooms:
            buffers = Buffers(backend, self._stack, rows, dropout=True, all_sums=True)
            _keep(self._rooms, rows, Room(buffers.batch(rows), {}))
        self._room = self._rooms[rows]
        batch = self._room.batch
        backend.from_host(X.astype(backend.dtype, copy=False), out=batch.x)
        self._dropped = batch.dropped if dropout else None
        return batch

    def _compare(self, target: object, sample_weight: object) -> NDArray[np.float64]:
        """Send what the outputs are compared with; return the weights (n,), which add up to 1."""
        backend, stack, batch = self._backend, self._stack, self.batch
        targets = encode_targets(target, stack.loss, stack.layers[-1], batch.rows)
        weights = (
            np.ones(batch.rows)
            if sample_weight is None
            else as_sample_weights(sample_weight, batch.rows).copy()
        )
        weights /= weights.sum()
        try:
            with np.errstate(over="raise"):
                values = targets.values.astype(batch.target.dtype, copy=False)
        except FloatingPointError:  # an overflow in the cast; a check before it would read the target twice
            check_range("target", targets.values, backend.dtype)
            raise
        backend.from_host(values, out=batch.target)
        backend.from_host(weights.astype(backend.dtype), out=batch.row_weights)
        return weights

    def _loss(self, batch: Batch, weights: NDArray[np.float64]) -> float:
        return float(np.dot(self._backend.to_host(batch.losses).astype(np.float64), weights))

    def _gradient(self, backend: AnyBackend) -> None:
        """Compute everything up to the gradient of every parameter."""
        stack, batch = self._stack, self.batch
        output = stack.forward(backend, batch.x, batch.outputs, self._dropped, batch.sums)
        stack.loss.apply(
            backend,
            output,
            batch.target,
            batch.row_weights,
            losses=batch.losses,
            gradient=batch.gradients[-1],
        )
        stack.backward(backend, batch.x, batch.outputs, batch.gradients, self._dropped, batch.sums)

    def _run(self, key: Hashable, step: Callable[[AnyBackend], None], scratch: Sequence[Array] = ()) -> None:
        """Make the calls of a step, compiled if it has a key: steps of equal keys make the same calls."""
        if key is None or not self._compiles or self._room is None:
            step(self._backend)
            return
        compiled = self._room.compiled
        if key not in compiled:
            program = record(self._backend, step, [*scratch, *_there(self.batch.dropped)])
            _keep(compiled, key, self._backend.compile(program))
        compiled[key](1)


def _keep(kept: dict[Any, Any], key: Hashable, value: object) -> None:
    """Keep a value, and `KEPT` at most: the oldest goes first."""
    if len(kept) >= KEPT:
        del kept[next(iter(kept))]
    kept[key] = value


def _there(places: Sequence[Array | None]) -> list[Array]:
    return [place for place in places if place is not None]

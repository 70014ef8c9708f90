"""An epoch on the device: the order of its rows, its batches, its compiled steps, one array of results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from ..backend import INTEGER, AnyBackend, Array, HostArray, Program, Runner
from ..backend.program import StoppableRunner
from ..backend.recording import record
from ..layers.stack import Stack
from ..metrics import make_metric
from ..optimizers import Optimizer
from ..optimizers.protocol import ToHost, resumable
from ..world import ALONE, Processes
from .observers import Observer
from .out_of_memory import batches_of_epoch
from .rows import Examples, Rows
from .step import Batch, EpochState, batch_bounds, training_step
from .watch import Watch


@dataclass(frozen=True)
class EpochResults:
    """The results of an epoch over n rows, on the host.

    Attributes
    ----------
    order : (n,)
        The rows' numbers, in the order in which they were learned from.
    losses, hits : (n,)
        Each row's loss and hit, in this order.
    weights : (n,), or None
        Sample weights, in this order.
    sums : (batches,) float64
        The sum of weights of each batch; where rows have none, its number of rows.
    of_a_batch : int
        How many of the n each batch but the last has.
    """

    order: HostArray
    losses: HostArray
    hits: HostArray
    weights: HostArray | None
    sums: HostArray
    of_a_batch: int

    def batch_of(self, place: int) -> int:
        """Return the batch, counted from 1, of one of the n."""
        return place // self.of_a_batch + 1


class Epoch:
    """The steps of an epoch, with the rows, buffers and results that they work on, on the device.

    Parameters
    ----------
    backend : Backend
    stack : Stack
    metric : str or None
        See `make_metric`.
    optimizer : Optimizer
        The constructor prepares it for the first epoch.
    rows : Rows
        The n rows to learn from.
    batch_size : int
        At least 1; the last batch takes what is left.
    examples : Examples, optional
        The rows on the device; uploaded here by default.
    observers : sequence of Observer

    Attributes
    ----------
    state : EpochState
    batches : list of Batch
        One for each step, over the same buffers; those of equal size are the same object.
    sums : (batches,) float64
        The sum of weights of each batch, in the order that was sent last; its number of rows without weights.

    Raises OutOfMemory, which names the batch_size that would fit, where the device has too little memory.
    """

    def __init__(
        self,
        backend: AnyBackend,
        stack: Stack,
        metric: str | None,
        optimizer: Optimizer,
        rows: Rows,
        *,
        batch_size: int,
        examples: Examples | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.backend, self.stack, self.optimizer = backend, stack, optimizer
        targets, weights = rows.own_targets, rows.own_weights
        self.metric = make_metric(metric, stack.loss, stack.layers[-1], targets, weights, self.world)
        self.examples = rows.upload(backend) if examples is None else examples
        self.weights = rows.weights
        self.observers = observers

        n, self.batch_size = self._layout(len(rows), batch_size)
        self._ends = list(accumulate([n, n, *(observer.size for observer in observers)], initial=0))
        self._results = backend.zeros((self._ends[-1],))
        losses, hits, *parts = (self._results[a:b] for a, b in pairwise(self._ends))
        for observer, part in zip(observers, parts, strict=True):
            observer.place(part)
        weighted = self._is_weighted
        self.state = EpochState(
            order=backend.zeros((n,), INTEGER),
            cursor=backend.zeros((1,), INTEGER),
            losses=losses,
            hits=hits,
            row_weights=backend.zeros((n,)) if weighted else None,
            positions=backend.from_host(np.arange(n), dtype=INTEGER) if weighted else None,
        )
        self.starts, self.sizes = batch_bounds(n, self.batch_size)
        self.sums = self.sizes.astype(np.float64)
        self.prepare()
        self.batches = batches_of_epoch(backend, stack, self.sizes)

    def _layout(self, rows: int, batch_size: int) -> tuple[int, int]:
        """Return how many rows of an epoch, and of each batch but the last, this device learns from."""
        return rows, min(batch_size, rows)

    @property
    def _is_weighted(self) -> bool:
        """Whether rows have weights on the device, beside those of their batch."""
        return self.weights is not None

    @property
    def world(self) -> Processes:
        """The processes whose gradients are added up."""
        return ALONE

    def prepare(self) -> None:
        """Let the optimizer send the numbers of the next epoch's steps."""
        self.optimizer.prepare(self.stack.parameters, len(self.starts))

    def send(self, order: HostArray) -> None:
        """Send an epoch's order (n,) and its batches' weights to the device, and move to the epoch's start.

        The epoch before may still be running there, and reads its order from the same memory: a device works
        in the order of the calls, and so overwrites the order after those steps.
        """
        backend, state = self.backend, self.state
        backend.from_host(self.rows_of(order), out=state.order)
        backend.from_host(np.zeros(1, INTEGER), out=state.cursor)
        for observer in self.observers:
            observer.begin_epoch()
        if state.row_weights is not None:
            shares, self.sums = self._shares(order)
            backend.from_host(shares, out=state.row_weights)

    def rows_of(self, order: HostArray) -> HostArray:
        """Return the numbers of the rows, on this device, that are learned from in an epoch's order."""
        return order

    def _shares(self, order: HostArray) -> tuple[HostArray, HostArray]:
        """Return what each row is of the weights of its batch, in an epoch's order, and these sums."""
        assert self.weights is not None
        weights = self.weights[order]
        sums = np.add.reduceat(weights, self.starts, dtype=np.float64)
        return shares_of(weights, np.repeat(sums, self.sizes)), sums

    def is_order(self, order: HostArray, rows: HostArray) -> bool:
        """Whether an array may be an order of these rows, as `send` takes it."""
        return (
            order.shape == rows.shape and order.dtype.kind in "iu" and (np.sort(order) == np.sort(rows)).all()
        )

    def compile(self) -> CompiledEpoch:
        """Record and compile the steps: one program, and one more for a last batch of fewer rows."""
        first, last, steps = self.batches[0], self.batches[-1], len(self.batches)
        programs = [(self.program(first), steps if last is first else steps - 1)]
        if last is not first:
            programs.append((self.program(last), 1))
        return CompiledEpoch.of(self.backend, programs, self.state.cursor, self.batch_size)

    def program(self, batch: Batch) -> Program:
        """Record the step of a batch; the optimizer must be prepared."""
        scratch = batch.scratch
        if self.examples.x is None:  # the host writes each batch's rows before its step
            scratch = [array for array in scratch if array is not batch.x]

        def step(backend: AnyBackend) -> None:
            for observer in self.observers:
                observer.before_step(backend, batch)
            training_step(
                backend,
                self.stack,
                self.metric,
                self.optimizer,
                self.examples,
                self.state,
                batch,
                self.world,
            )
            for observer in self.observers:
                observer.after_step(backend, batch)

        return record(self.backend, step, scratch)

    def go_on(self, steps: int, results: HostArray) -> None:
        """Go on behind the first steps of the epoch whose order was sent last, which left these results.

        The optimizer is prepared for the whole epoch. `results` is what `results_so_far` returned.
        """
        backend, rows = self.backend, min(steps * self.batch_size, self._ends[1])
        backend.from_host(np.array([rows], INTEGER), out=self.state.cursor)
        self._carry(steps, results)
        for observer in self.observers:
            observer.go_on(steps, rows)
        resumable(self.optimizer).skip(steps)

    def _carry(self, steps: int, results: HostArray) -> None:
        """Take the results of the first steps of an epoch."""
        self.backend.from_host(results, out=self._results)

    @property
    def blank_results(self) -> HostArray:
        """An array of the shape and the dtype of what `results_so_far` returns."""
        return np.zeros(self._results.shape, self.backend.dtype)

    def results_so_far(self, steps: int, to_host: ToHost) -> HostArray:
        """Return a copy of the results array, of which the first steps of an epoch have written a part."""
        return to_host(self._results)

    def take(
        self,
        compiled: CompiledEpoch,
        order: HostArray,
        after: Callable[[int], None] | None = None,
        *,
        behind: int = 0,
        watch: Watch | None = None,
    ) -> None:
        """Take all steps over the order that was sent last, but for the first ones, `behind` which to go on.

        After each step, call ``after(number)``, from 1; after the last one, let the observers measure, which
        does not wait for the device. After each piece of either, let `watch` look.
        """
        rows = self.rows_of(order)

        def send_rows(number: int) -> None:
            batch, start = self.batches[number - 1], self.starts[number - 1]
            self.examples.features.send(rows[start : start + batch.rows], out=batch.x)

        def measure() -> None:
            measuring = None if watch is None else watch.begin_measuring(len(self.starts))
            for observer in self.observers:
                observer.measure(measuring)

        before = send_rows if self.examples.x is None else None
        compiled.take(self.optimizer, before=before, after=after, measure=measure, behind=behind, watch=watch)

    def read(self, order: HostArray, sums: HostArray) -> EpochResults:
        """Return the results of an epoch; here the host waits for the device.

        `order` and `sums` are those of that epoch: by now those of the next one may have been sent.
        """
        host = self.backend.to_host(self._results)
        losses, hits, *parts = (host[a:b] for a, b in pairwise(self._ends))
        for observer, part in zip(self.observers, parts, strict=True):
            observer.read(part)
        return self._united(order, losses, hits, sums)

    def _united(self, order: HostArray, losses: HostArray, hits: HostArray, sums: HostArray) -> EpochResults:
        """Return the results of all processes from this one's."""
        weights = None if self.weights is None else self.weights[order]
        return EpochResults(order, losses, hits, weights, sums, self.batch_size)


def shares_of(weights: HostArray, sums: HostArray) -> HostArray:
    """Return what each row is of the sum of its batch's weights; 0 where that is 0. All (n,)."""
    return np.divide(weights, sums, out=np.zeros_like(weights), where=sums != 0)


@dataclass(frozen=True)
class CompiledEpoch:
    """The compiled steps of an epoch: one replay call a program, or step by step, as `take` is called.

    Attributes
    ----------
    backend : Backend
    programs : sequence of Program
    runs : sequence of (Runner, int)
        A replay of each program, and how many steps in a row it takes.
    cursor : (1,)
        How many rows of the epoch were learned from; each step ends by moving it on.
    batch_size : int
        Rows of every step but the last.
    """

    backend: AnyBackend
    programs: Sequence[Program]
    runs: Sequence[tuple[Runner, int]]
    cursor: Array
    batch_size: int

    @classmethod
    def of(
        cls, backend: AnyBackend, programs: Sequence[tuple[Program, int]], cursor: Array, batch_size: int
    ) -> CompiledEpoch:
        """Compile programs, each given with the number of steps in a row that it takes."""
        runs = [(backend.compile(program), times) for program, times in programs]
        return cls(backend, [program for program, _ in programs], runs, cursor, batch_size)

    def take(
        self,
        optimizer: Optimizer,
        *,
        before: Callable[[int], None] | None = None,
        after: Callable[[int], None] | None = None,
        measure: Callable[[], None] | None = None,
        behind: int = 0,
        watch: Watch | None = None,
    ) -> None:
        """Take all steps but the first ones, `behind` which to go on; all are counted from 1.

        Each is taken between ``before(number)`` and ``after(number)``, and in pieces between which `watch`
        looks; ``measure()`` follows the last one. `optimizer.steps` counts the steps when all that is done;
        where an exception ends it early, those that were taken.
        """
        ends = list(accumulate(times for _, times in self.runs))
        by_step = before is not None or after is not None
        taken = behind
        try:
            for (replay, _), end in zip(self.runs, ends, strict=True):
                while taken < end:
                    if watch is None or by_step or not isinstance(replay, StoppableRunner):
                        steps = 1 if by_step else end - taken
                        if watch is not None:
                            steps = min(steps, watch.piece())
                        if before is not None:
                            before(taken + 1)
                        replay(steps)
                        if after is not None:
                            after(taken + steps)
                        looks = watch is not None and watch.counts(steps)
                    else:
                        steps = self._until(replay, watch, taken, end)
                        looks = True
                    taken += steps
                    if watch is not None and looks and taken < ends[-1]:
                        watch.look(taken)
            if measure is not None:
                measure()
        except BaseException:
            optimizer.steps += self._taken()
            raise
        optimizer.steps += ends[-1]

    def _until(self, replay: StoppableRunner, watch: Watch, taken: int, end: int) -> int:
        """Take steps behind the `taken` ones until `watch` wants to look, at least one; return how many."""
        due = watch.due
        most = end - taken if due is None else min(end - taken, max(1, due))
        try:
            replay.until(most, lambda: watch.wants_to_look() and self._taken() > taken)
        except KeyboardInterrupt:
            if self._taken() > taken:
                watch.stop(self._taken())
            raise
        steps = self._taken() - taken
        watch.counts(steps)
        return steps

    def _taken(self) -> int:
        rows = int(self.backend.to_host(self.cursor)[0])
        return -(-rows // self.batch_size)

"""How several processes train as one: they begin alike, go on alike, and end alike."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np

from ..backend.seam import for_processes
from ..callbacks.history import History
from ..checks.quoting import counted
from ..layers.stack import Stack
from ..optimizers import Optimizer
from ..optimizers.protocol import resumable
from ..world import ALONE, Processes, agreeing, check_alike
from .held_out import split_of_all
from .observers import SumOfSquares
from .orders import generator_state, set_generator_state
from .rows import Rows, check_rows, no_rows
from .sameness import digests_of
from .shared_watch import SharedWatch
from .state import numbers_of

MOST_COMPARED = 64
"""So many rows of each process are compared before all are."""


class Unison:
    """What the processes that train a stack together agree on.

    Parameters
    ----------
    world : Processes
    stack : Stack

    Attributes
    ----------
    keeps : bool
        Whether process 0 writes checkpoints.

    Raises BackendUnavailable where the backend cannot add up over processes.
    """

    def __init__(self, world: Processes, stack: Stack) -> None:
        self.world, self._stack, self.keeps = world, stack, False
        self._squares: SumOfSquares | None = None
        self._interrupted = False
        if world.size > 1:
            for_processes(stack.parameters.backend)

    # The beginning

    def begin(
        self, rng: np.random.Generator, optimizer: Optimizer | None, settings: Mapping[str, Any]
    ) -> None:
        """Let all begin from where process 0 stands: parameters, masks, generator, moments.

        Raises ValueError in all where their settings, plain data by name, differ; TypeError for an optimizer
        that cannot be sent.
        """
        backend, parameters = self._stack.parameters.backend, self._stack.parameters
        carried = None if optimizer is None else resumable(optimizer)
        numbers = {} if optimizer is None else numbers_of(optimizer)
        kind = {"backend": backend.name, "dtype": str(backend.dtype), **self._stack.described()}
        check_alike(self.world, {**kind, "optimizer": type(optimizer).__name__, **numbers, **settings})
        dropout = self._stack.dropout
        state: dict[str, Any] = self.world.of_first(
            {
                "generator": generator_state(rng),
                "parameters": backend.to_host(parameters.values),
                "masks": None if dropout is None else (dropout.seeds, backend.to_host(dropout.step)),
                "optimizer": None if carried is None else carried.state_dict(),
            }
        )
        set_generator_state(rng, state["generator"])
        backend.from_host(state["parameters"], out=parameters.values)
        if dropout is not None:
            seeds, step = state["masks"]
            dropout.seeds[:] = seeds
            backend.from_host(step, out=dropout.step)
        if carried is not None and self.world.rank:
            carried.load_state_dict(state["optimizer"])

    def rows(self, X: object, target: object, sample_weight: object = None, *, to_learn: bool = True) -> Rows:
        """Return this process's own rows, checked, perhaps none; X (n, d) then has the shape (0, d).

        Raises ValueError and TypeError in all processes where the rows of one are refused, where those of
        some have weights or labels and those of others have not, and where all were given the same rows
        `to_learn` from, as if each had the whole table.
        """
        rows: Rows | None = None
        with agreeing(self.world):
            if not _is_empty(X):
                rows = check_rows(self._stack, X, target, sample_weight, others=True)
        weighted = sample_weight is not None
        kind = None if rows is None else rows.targets.labels is not None
        found = self.world.gathered((kind, weighted))
        labelled = [(rank, has) for rank, (has, _) in enumerate(found) if has is not None]
        self._check_kinds("a target with labels", labelled)
        self._check_kinds("a sample_weight", [(rank, has) for rank, (_, has) in enumerate(found)])
        own = 0.0 if rows is None or rows.weights is None else rows.weights.sum()
        if weighted and not self.world.total(own):
            raise ValueError("sample_weight must not be negative and not all zero.")
        if rows is None:
            return no_rows(self._stack, labelled=any(has for _, has in labelled), weighted=weighted)
        if to_learn:
            self._check_different(rows, everywhere=len(labelled) == self.world.size)
        return rows

    def _check_kinds(self, what: str, found: list[tuple[int, bool]]) -> None:
        has, lacks = ([rank for rank, there in found if there is wanted] for wanted in (True, False))
        if has and lacks:
            raise ValueError(
                f"process {has[0]} was given {what}, and process {lacks[0]} was not. Give all processes the "
                f"same kind of rows."
            )

    def _check_different(self, rows: Rows, *, everywhere: bool) -> None:
        """Raise ValueError where all processes have the same rows."""
        world, backend = self.world, self._stack.parameters.backend
        if world.size == 1 or not everywhere:
            return
        for some in (rows.take(np.arange(min(len(rows), MOST_COMPARED))), rows):
            digests = world.gathered(str((len(rows), digests_of(backend, some, "rows"))))
            if len(set(digests)) > 1:
                return
        raise ValueError(
            f"all {world.size} processes were given the same {counted(len(rows), 'row')}, and each is to "
            f"have rows of its own. Where each has the whole table, give X[world.rows(len(X))], and targets "
            f"and weights likewise."
        )

    def split(self, rows: Rows, rng: np.random.Generator, share: float) -> tuple[Rows, Rows]:
        """Return the rows to learn from and those held out, a share of those of all processes."""
        classes = rows.own_targets.classes(self._stack.loss)
        kept, held_out = rows.divided(*split_of_all(self.world, rng, len(rows), share, classes))
        return self._some(kept), self._some(held_out)

    def _some(self, rows: Rows) -> Rows:
        if len(rows):
            return rows
        labelled, weighted = rows.targets.labels is not None, rows.weights is not None
        return no_rows(self._stack, labelled=labelled, weighted=weighted)

    # On the way

    def observes(self, squares: SumOfSquares) -> None:
        """Take what is compared after each epoch: the sum of squares of the parameters."""
        self._squares = squares

    def alike(self) -> AbstractContextManager[None]:
        """Let an error of one process in a block be one of all: see `agreeing`."""
        return agreeing(self.world)

    def watch(self, *given: Any, **settings: Any) -> SharedWatch:
        """Return what looks at training: see `Watch`."""
        return SharedWatch(self.world, lambda: self._interrupted, *given, keeps=self.keeps, **settings)

    def judge_end(self, history: History) -> None:
        """Let training end in all processes where a callback has ended it in one; compare the parameters.

        Raises RuntimeError where they differ: sums over processes were not the same in all.
        """
        square = 0.0 if self._squares is None else self._squares.square
        found = self.world.gathered((history.stop_reason, square))
        reason = next((reason for reason, _ in found if reason is not None), None)
        if reason is not None:
            history.stop(reason)
        ranks = [rank for rank, (_, other) in enumerate(found) if other != found[0][1]]
        if ranks:
            raise RuntimeError(
                f"after epoch {history.epochs} the parameters of process {ranks[0]} are not those of process "
                f"0: an object of one's own, such as a schedule or an optimizer, does another thing there, "
                f"or the MPI or NCCL in use does not give all the same sums."
            )

    @contextmanager
    def training(self) -> Iterator[None]:
        """Let the first Ctrl-C end training behind a step, in all; masks of dropout are this process's own.

        The second Ctrl-C is KeyboardInterrupt. Where a program has a handler of its own, that stays.
        """
        dropout = self._stack.dropout
        if dropout is not None:
            dropout.process = self.world.rank
        own = signal.getsignal(signal.SIGINT)
        is_held = own is signal.default_int_handler
        is_held = is_held and threading.current_thread() is threading.main_thread()

        def hold(*_: Any) -> None:
            self._interrupted = True
            signal.signal(signal.SIGINT, own)

        if is_held:
            signal.signal(signal.SIGINT, hold)
        try:
            yield
        finally:
            if is_held:
                signal.signal(signal.SIGINT, own)
            if dropout is not None:
                dropout.process = 0


def rows_to_evaluate(
    stack: Stack, X: object, target: object, sample_weight: object = None, *, world: Processes = ALONE
) -> Rows:
    """Return a process's own rows, checked; in a `world` perhaps none."""
    if world is ALONE:
        return check_rows(stack, X, target, sample_weight)
    return Unison(world, stack).rows(X, target, sample_weight, to_learn=False)


def _is_empty(X: Any) -> bool:
    return hasattr(X, "__len__") and len(X) == 0

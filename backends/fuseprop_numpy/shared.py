"""Wide batches shared among threads, each with a BLAS of one thread, instead of products among BLAS threads.

So all of a step is done side by side, and not only its products: 1.2 times as fast at 784-512-512-10 with
1024 rows on two cores, and no thread waits spinning for another whose core is taken. At 128 rows the products
of half of them are no longer worth it (0.96).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache, partial
from typing import Any

import numpy as np

from fuseprop.backend import HostArray, Program

from .blocks import UPDATE_BLOCK
from .denormals import flushing
from .folding import folding
from .parts import CannotCutError, cut
from .replay import Replay
from .steps import once
from .threads import ONE_THREAD, multiplications

ROWS_EACH = 256
"""Rows of a thread from which on sharing pays."""

MULTIPLICATIONS = 1e8
"""Of all products of a step, for sharing to be worth two meetings of all threads: 0.1 ms, a few percent."""


class Shared:
    """Steps that threads do together; `run` does them."""

    def __init__(self, backend: Any, program: Program, threads: int) -> None:
        parts = cut(program, threads)
        fold = folding(program)
        rows = [Replay(backend, part, fold) for part in parts.rows]
        sums = [_summing(parts.gradients, *part) for part in parts.ranges]
        updates = [Replay(backend, part, fold) for part in parts.updates]
        self._rows = [partial(part.run, 1) for part in rows]
        self._updates = [
            once([(add, ()), (update.run, (1,))]) for add, update in zip(sums, updates, strict=True)
        ]

    def run(self, times: int) -> None:
        """Do that many steps."""
        for _ in range(times):
            side_by_side(self._rows)
            side_by_side(self._updates)


def sharing_threads(program: Program) -> int:
    """Return how many threads are to share a step: all that BLAS has where that pays, else 1."""
    gathered = [len(call.options["out"]) for call in program.calls if call.operation == "take_rows"]
    enough = gathered and multiplications(program) >= MULTIPLICATIONS
    threads = ONE_THREAD.outside() if enough else 1
    if threads == 1 or gathered[0] < ROWS_EACH * threads:
        return 1
    try:
        cut(program, 1)
    except CannotCutError:
        return 1
    return threads


def side_by_side(tasks: Sequence[Callable[[], None]]) -> None:
    """Do all tasks, the first in this thread; return when all are done, raise what one of them raised."""
    mine, *others = tasks
    errors = np.geterr()  # a new thread has NumPy's own, not those of the one that it works for

    def elsewhere(task: Callable[[], None]) -> None:
        with np.errstate(**errors):
            flushing(task)()

    futures = [_pool(len(others), os.getpid()).submit(elsewhere, task) for task in others]
    try:
        mine()
    finally:
        wait(futures)  # whatever happens here, nobody goes on writing
    for future in futures:
        future.result()


@lru_cache(maxsize=1)
def _pool(threads: int, process: int) -> ThreadPoolExecutor:  # noqa: ARG001 (a key)
    """Return the threads of this process: a forked one has none of its parent's."""
    return ThreadPoolExecutor(threads, thread_name_prefix="fuseprop")


def _summing(gradients: Sequence[HostArray], start: int, stop: int) -> Callable[[], None]:
    """Return what adds all gradients to the first ones, within a range, in blocks that stay in the cache."""
    first, *others = gradients
    return once(
        [
            (np.add, (first[a:b], other[a:b], first[a:b]))
            for a, b in ((a, min(a + UPDATE_BLOCK, stop)) for a in range(start, stop, UPDATE_BLOCK))
            for other in others
        ]
    )

"""Wide batches shared among threads: each multiplies with one BLAS thread.

So all of a step runs in parallel, where BLAS alone would share only its products: 1.2 times as fast at
784-512-512-10 with 1024 rows on two cores, and no thread spins while it waits for one whose core is taken. At
128 rows, products of half of them no longer gain from it (0.96).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache, partial
from typing import Any

import numpy as np

from fuseprop.backend import HostArray, Program

from .folding import folding
from .operations.calls import once
from .operations.updates import UPDATE_BLOCK
from .parts import CannotCutError, Parts, cut
from .replay.compile import CompiledProgram
from .threads.blas_limit import ONE_THREAD, multiplications
from .threads.denormals import flushing

ROWS_EACH = 256
"""Rows for each thread from which on sharing pays."""

MULTIPLICATIONS = 1e8
"""Multiplications of a step from which on sharing pays: all threads meet twice, which takes 0.1 ms."""


class Shared:
    """A step that threads take together; `run` takes it."""

    def __init__(self, backend: Any, program: Program, parts: Parts) -> None:
        fold = folding(program)
        rows = [CompiledProgram(backend, part, fold) for part in parts.rows]
        sums = [_summing(parts.gradients, *part) for part in parts.ranges]
        updates = [CompiledProgram(backend, part, fold) for part in parts.updates]
        self._rows = [partial(part.run, 1) for part in rows]
        self._updates = [
            once([(add, ()), (update.run, (1,))]) for add, update in zip(sums, updates, strict=True)
        ]

    def run(self, times: int) -> None:
        """Take that many steps."""
        for _ in range(times):
            side_by_side(self._rows)
            side_by_side(self._updates)


def shared_parts(program: Program) -> Parts | None:
    """Return a step in parts, one for each thread that BLAS has; None if it does not pay or cannot be cut."""
    gathered = [len(call.options["out"]) for call in program.calls if call.operation == "take_rows"]
    enough = gathered and multiplications(program) >= MULTIPLICATIONS
    threads = ONE_THREAD.outside() if enough else 1
    if threads == 1 or gathered[0] < ROWS_EACH * threads:
        return None
    try:
        return cut(program, threads)
    except CannotCutError:
        return None


def side_by_side(tasks: Sequence[Callable[[], None]]) -> None:
    """Run all tasks, the first in this thread; return when all have ended, raise what one of them raised."""
    mine, *others = tasks
    errors = np.geterr()  # a new thread begins with NumPy's default settings

    def elsewhere(task: Callable[[], None]) -> None:
        with np.errstate(**errors):
            flushing(task)()

    futures = [_pool(len(others), os.getpid()).submit(elsewhere, task) for task in others]
    try:
        mine()
    finally:
        wait(futures)  # no thread goes on writing, whatever was raised here
    for future in futures:
        future.result()


@lru_cache(maxsize=1)
def _pool(threads: int, process: int) -> ThreadPoolExecutor:  # noqa: ARG001 (a key)
    """Return this process's pool of threads; a forked process has none of its parent's threads."""
    return ThreadPoolExecutor(threads, thread_name_prefix="fuseprop")


def _summing(gradients: Sequence[HostArray], start: int, stop: int) -> Callable[[], None]:
    """Return a function that adds all gradients to the first, within a range, in blocks for the cache."""
    first, *others = gradients
    return once(
        [
            (np.add, (first[a:b], other[a:b], first[a:b]))
            for a, b in ((a, min(a + UPDATE_BLOCK, stop)) for a in range(start, stop, UPDATE_BLOCK))
            for other in others
        ]
    )

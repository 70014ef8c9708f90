"""As many cores, and threads of every library, as are asked for: for all that a measurement starts.

Environment variables limit BLAS, OpenMP and compiled steps. JAX takes a thread for each core that its process
may use, whatever they say, so that the cores themselves are limited too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fuseprop.benchmarks.machine import describe

VARIABLES = (
    "FUSEPROP_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
)


class TooMany(ValueError):
    """More threads were asked for than there are cores."""


@contextmanager
def limited(threads: int | None) -> Iterator[None]:
    """Give this process, and all that it starts, so many threads and cores; None leaves both as they are."""
    if threads is None:
        yield
        return
    before, kept = {name: os.environ.get(name) for name in VARIABLES}, _cores()
    chosen = _choice(kept, threads)
    os.environ.update(dict.fromkeys(VARIABLES, str(threads)))
    _bind(chosen)
    try:
        yield
    finally:
        _bind(kept)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def machine(threads: int | None) -> dict[str, Any]:
    """Return `describe`, as a process with so many threads sees the machine, and the threads with it."""
    if threads is None:
        return describe()
    cores = describe()["cores"]
    with limited(threads):
        done = subprocess.run(
            [sys.executable, "-m", "fuseprop.benchmarks.machine"],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return {**json.loads(done.stdout), "cores": cores, "threads": threads}


def cores() -> int:
    """Return how many cores this process may use."""
    return len(_cores()) or os.cpu_count() or 1


def _cores() -> set[int]:
    """Return the cores that this process may use, by their numbers; none where that cannot be told."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def _bind(cores: set[int]) -> None:
    if cores:
        os.sched_setaffinity(0, cores)


def _choice(cores: set[int], threads: int) -> set[int]:
    """Return as many of these, no two of them hyperthreads of one while that can be; the last ones.

    Interrupts and whatever else runs on a machine are found on the first ones.
    """
    if not cores:
        return cores
    if threads > len(cores):
        raise TooMany(f"there are {len(cores)} cores, and {threads} threads would take turns on them.")
    groups: dict[str, list[int]] = {}
    for core in sorted(cores, reverse=True):
        groups.setdefault(_siblings(core), []).append(core)
    rank = {core: group.index(core) for group in groups.values() for core in group}
    return set(sorted(cores, key=lambda core: (rank[core], -core))[:threads])


def _siblings(core: int) -> str:
    try:
        return Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list").read_text()
    except OSError:
        return str(core)

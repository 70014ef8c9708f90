"""Measure what the model of `scaling.py` is held against: sums and steps of 1 to 4 processes.

    python -m benchmarks.scaling_measured [--minutes 2.5] [--tiny]

`mpiexec` starts four processes of one thread each. Round by round, of each of the first one to four of them,
while the others sleep:

* sums: bare calls of MPI, of 10,000 to 1,000,000 floats;
* steps: a step of 784-512-512-10 with a batch of 1024 divided among them, which waits for the sum;
* beside: the same rows at the same time without a sum, with the update apart: what sharing a machine costs;
* rows: one process alone, with as many rows as a half, a third and a quarter of the batch have.

A time is that of the slowest process. The raw seconds go to `results/scaling/`, and the report makes the
section of README.md.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuseprop.backend.registry import load_backend
from fuseprop.benchmarks.machine import save
from fuseprop.world import World
from fuseprop.world.processes import Alone

from .processes import Apart, Steps, seconds, started, surroundings

RESULTS = Path(__file__).parent / "results" / "scaling"

PROCESSES, SIZES, BATCH, STEPS = (1, 2, 3, 4), [784, 512, 512, 10], 1024, 3
TINY, TINY_BATCH = [64, 32, 10], 24
FLOATS = (10_000, 30_000, 100_000, 300_000, 1_000_000)
IN_A_ROW = 300_000
"""Floats that are summed in one timing, at least: short sums many times, long ones at least three times."""


class Group(Alone):
    """The first processes of those that were started; the others sleep meanwhile.

    Attributes
    ----------
    inside : bool
        Whether this process is one of them.
    """

    def __init__(self, size: int) -> None:
        from mpi4py import MPI

        self._mpi, self._all = MPI, MPI.COMM_WORLD
        self.size, self.inside = size, MPI.COMM_WORLD.Get_rank() < size
        self._group = MPI.COMM_WORLD.Split(0 if self.inside else 1)

    def add(self, array: NDArray[Any]) -> None:
        """Sum an array over the group, in place."""
        self._group.Allreduce(self._mpi.IN_PLACE, array)

    def slowest(self, take: Callable[[], None]) -> float:
        """Return how long something takes the slowest that began together."""
        self._group.Barrier()
        return float(self._group.allreduce(seconds(take), self._mpi.MAX))

    @contextmanager
    def at_work(self) -> Iterator[bool]:
        """Say whether this process is one of the group, and wait asleep until the group has left."""
        yield self.inside
        # MPI waits by asking again and again, which would cost the group a core.
        request = self._all.Ibarrier()
        while not request.Test():
            sleep(1e-3)


def measure(minutes: float, sizes: list[int], batch: int) -> dict[str, dict[str, list[float]]]:
    """Measure in one of the processes; return seconds, one a round, by what and by how many processes."""
    from mpi4py import MPI

    backend = load_backend("numpy", "float32")
    groups = {processes: Group(processes) for processes in PROCESSES}
    steps = {
        processes: Steps(backend, sizes, batch // processes, STEPS)
        for processes, group in groups.items()
        if group.inside
    }
    ways: dict[int, dict[str, tuple[Callable[[], None], int]]] = {}
    for processes, own in steps.items():
        many = processes > 1
        ways[processes] = {f"steps of {processes}": (own.of(groups[processes] if many else Alone()), STEPS)}
        if many:
            ways[processes] |= {f"beside of {processes}": (own.of(Apart()), STEPS)}
            ways[processes] |= {
                f"sums of {processes}, {floats}": repeated(groups[processes], floats) for floats in FLOATS
            }
    if MPI.COMM_WORLD.Get_rank() == 0:
        ways[1] |= {f"rows of {each}": (steps[each].of(Alone()), STEPS) for each in PROCESSES[1:]}
    found: dict[str, list[float]] = {}
    number, began = 0, perf_counter()
    while MPI.COMM_WORLD.bcast(number < 2 or perf_counter() - began < 60 * minutes):
        for processes in PROCESSES[:: 1 if number % 2 else -1]:
            with groups[processes].at_work() as inside:
                asked = list(ways[processes].items()) if inside else []
                for name, (take, times) in asked[:: 1 if number % 2 else -1]:
                    once = groups[processes].slowest(take) / times
                    if number:  # the first round warms up
                        found.setdefault(name, []).append(once)
        number += 1
    return nested(found)


def repeated(group: Group, floats: int) -> tuple[Callable[[], None], int]:
    """Return what sums so many floats several times, and how often it does."""
    array, times = np.zeros(floats, np.float32), max(3, IN_A_ROW // floats)

    def take() -> None:
        for _ in range(times):
            group.add(array)

    return take, times


def nested(found: dict[str, list[float]]) -> dict[str, dict[str, list[float]]]:
    """Return what was found by its first word, and then by the rest."""
    by_what: dict[str, dict[str, list[float]]] = {}
    for name, each in found.items():
        what, of = name.split(" of ")
        by_what.setdefault(what, {})[of] = each
    return by_what


def main() -> None:
    """Start the processes, or be one of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=2.5, help="no round begins after; there is one")
    parser.add_argument("--tiny", action="store_true", help="a tiny network, as a trial")
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where the record goes")
    parser.add_argument("--within", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.within:
        arguments = ["--minutes", str(given.minutes), "--folder", str(given.folder.absolute())]
        arguments += ["--tiny"] if given.tiny else []
        raise SystemExit(started(max(PROCESSES), "benchmarks.scaling_measured", *arguments))
    from mpi4py import MPI

    World()  # an error in one process ends them all
    sizes, batch = (TINY, TINY_BATCH) if given.tiny else (SIZES, BATCH)
    load = os.getloadavg()[0]
    found = measure(given.minutes, sizes, batch)
    if MPI.COMM_WORLD.Get_rank():
        return
    record = {
        **surroundings(),
        "sizes": sizes,
        "batch": batch,
        "load": [load, os.getloadavg()[0]],
        "seconds": found,
    }
    print(save(record, given.folder))  # noqa: T201


if __name__ == "__main__":
    main()

"""What a step of two processes costs beside its parts: half of the rows each, and a sum over both.

    python -m benchmarks.processes [--rounds 300]

`mpiexec` starts two processes of one thread each. Round by round both do, at the same time, one after the
other, there and back, and equally often:

* half: a bare half of a step of 784-512-512-10 with a batch of 1024: 512 rows in each process, with the
  update in the pass of the gradient;
* bare_sum: a bare call of MPI that adds up as many numbers as there are parameters;
* all_reduce: the same through the backend;
* step: a step that waits for the sum;
* apart: a half that stops for a sum and gets none, which shows what it costs that the update comes apart.

A round is as long as the slower of the two processes needs. Then one process takes steps of a tiny network,
to see what a stop costs by itself.

The raw seconds go to `results/processes/`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuseprop import MomentumSGD, Network, mlp
from fuseprop.backend import INTEGER, AnyBackend, HostArray, Program, Runner
from fuseprop.backend.recording import record
from fuseprop.backend.registry import load_backend
from fuseprop.backend.seam import option
from fuseprop.benchmarks.intervals import Interval, ratio
from fuseprop.benchmarks.machine import describe, save, today
from fuseprop.layers.targets import encode_targets
from fuseprop.training.epoch import Epoch
from fuseprop.training.rows import Rows
from fuseprop.training.step import training_step
from fuseprop.world import Processes, World
from fuseprop.world.processes import Alone

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "processes"

PROCESSES, SIZES, BATCH, STEPS = 2, [784, 512, 512, 10], 1024, 3
TINY, TINY_BATCH, TINY_STEPS = [4, 16, 3], 32, 1000

REACHED, ALLOWED = 0.85, 1.2
"""What the issue of several processes asks for: of the parts' speed at least, of the bare sum at most."""


class Apart(Alone):
    """A process that stops for a sum as one of several does, and is alone all the same."""

    size = 2


class Steps:
    """A network and the steps that one process takes of it, over its own rows.

    Attributes
    ----------
    gradients : (P,)
    """

    def __init__(self, backend: AnyBackend, sizes: list[int], rows: int, steps: int) -> None:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((rows * steps, sizes[0]), np.float32)
        labels = rng.integers(0, sizes[-1], len(X))
        self._backend, self._steps = backend, steps
        network = Network(mlp(sizes), "softmax_cross_entropy", seed=0, backend=backend)
        targets = encode_targets(labels, network.stack.loss, network.layers[-1], len(X))
        self._epoch = Epoch(
            backend, network.stack, "loss", MomentumSGD(0.01, 0.9), Rows(X, targets, None), batch_size=rows
        )
        self._epoch.send(rng.permutation(len(X)))
        self._begin: HostArray = np.zeros(1, INTEGER)
        self.gradients = network.stack.parameters.gradients

    def of(self, world: Processes) -> Callable[[], None]:
        """Return what takes all steps with these processes."""
        run = self._compiled(world)

        def take() -> None:
            self._backend.from_host(self._begin, out=self._epoch.state.cursor)
            run(self._steps)

        return take

    def _compiled(self, world: Processes) -> Runner:
        epoch, (batch, *_) = self._epoch, self._epoch.batches

        def step(stand_in: AnyBackend) -> None:
            training_step(
                *(stand_in, epoch.stack, epoch.metric, epoch.optimizer),
                *(epoch.examples, epoch.state, batch, world),
            )

        program: Program = record(self._backend, step, batch.scratch)
        run = self._backend.compile(program)
        if self._backend.not_compiled is not None:  # type: ignore[attr-defined]
            raise SystemExit(f"the step is not compiled: {self._backend.not_compiled}.")  # type: ignore[attr-defined]
        return run


def seconds(take: Callable[[], None]) -> float:
    """Return how long something takes once."""
    began = perf_counter()
    take()
    return perf_counter() - began


def measure(rounds: int) -> dict[str, Any]:
    """Measure in one of the processes; return what all found, in seconds a step."""
    from mpi4py import MPI

    world, backend = World(), load_backend("numpy", "float32")
    steps = Steps(backend, SIZES, BATCH // PROCESSES, STEPS)
    array: NDArray[np.float32] = np.zeros_like(steps.gradients)
    reduce = option(backend, "all_reduce")

    def repeated(call: Callable[[], None]) -> Callable[[], None]:
        def all_of_them() -> None:
            for _ in range(STEPS):
                call()

        return all_of_them

    ways = {
        "half": steps.of(Alone()),
        "bare_sum": repeated(lambda: MPI.COMM_WORLD.Allreduce(MPI.IN_PLACE, array)),
        "all_reduce": repeated(lambda: reduce(array, world)),
        "step": steps.of(world),
        "apart": steps.of(Apart()),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(-3, rounds):
        # What comes second finds the array in the nearest cache.
        for name, take in list(ways.items())[:: 1 if number % 2 else -1]:
            world.total(0)  # both begin at once
            slower = float(world.greatest(seconds(take))) / STEPS
            if number >= 0:
                found[name].append(slower)
    return {"seconds": found, "parameters": array.size}


def measure_tiny(rounds: int) -> dict[str, list[float]]:
    """Measure steps of a tiny network, with a stop and without one; return seconds a step."""
    steps = Steps(load_backend("numpy", "float32"), TINY, TINY_BATCH, TINY_STEPS)
    ways = {"alone": steps.of(Alone()), "apart": steps.of(Apart())}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, take in ways.items():
            found[name].append(seconds(take) / TINY_STEPS)
    return found


def compared(found: dict[str, list[float]]) -> dict[str, Interval]:
    """Return the ratios that are asked for, round by round."""
    parts = [half + bare for half, bare in zip(found["half"], found["bare_sum"], strict=True)]
    return {
        "reached": ratio(parts, found["step"]),
        "all_reduce": ratio(found["all_reduce"], found["bare_sum"]),
        "apart": ratio(found["apart"], found["half"]),
    }


def said(record: dict[str, Any]) -> list[str]:
    """Return the record in lines."""
    found, ratios, tiny = record["seconds"], record["ratios"], record["tiny"]
    middles = ", ".join(f"{name} {1e3 * median(each):.2f}" for name, each in found.items())

    def line(name: str, what: str, mark: str) -> str:
        of = ratios[name]
        return f"{what}: {of['middle']:.3f} ({of['low']:.3f} to {of['high']:.3f}){mark}"

    return [
        f"median milliseconds: {middles}",
        line(
            "reached", "of the speed of its parts, half and bare_sum, a step reaches", f"; asked: {REACHED}"
        ),
        line("all_reduce", "bare_sums that all_reduce takes", f"; allowed: {ALLOWED}"),
        line("apart", "halves that a half takes whose update comes apart", ""),
        f"a stop by itself, at least: {1e6 * (min(tiny['apart']) - min(tiny['alone'])):.1f} us, beside "
        f"{1e6 * min(tiny['alone']):.1f} us of a step of {'-'.join(map(str, TINY))}",
    ]


def started(processes: int, module: str, *arguments: str) -> int:
    """Run a module in so many processes of one thread each, with `--within`; return the exit status."""
    beside = Path(sys.executable).parent / "mpiexec"
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None:
        raise SystemExit("there is no mpiexec. Install fuseprop with the extra mpi.")
    command = [mpiexec, "-n", str(processes), sys.executable, "-m", module, "--within", *arguments]
    one = {"FUSEPROP_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env={**os.environ, **one}, cwd=ROOT, check=False).returncode


def commit() -> str:
    """Return the commit that is measured."""
    git = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()


def surroundings() -> dict[str, Any]:
    """Return when, of which commit and where it was measured, with which MPI, for a record."""
    from mpi4py import MPI

    library = MPI.Get_library_version().splitlines()[0].strip("\x00")
    return {"date": today(), "commit": commit(), "machine": describe(), "mpi": library}


def main() -> None:
    """Start the processes, or be one of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where the record goes")
    parser.add_argument("--within", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.within:
        arguments = ["--rounds", str(given.rounds), "--folder", str(given.folder.absolute())]
        raise SystemExit(started(PROCESSES, "benchmarks.processes", *arguments))
    from mpi4py import MPI

    measured = measure(given.rounds)
    if MPI.COMM_WORLD.Get_rank():
        return
    record = {
        **surroundings(),
        "network": "-".join(map(str, SIZES)),
        "batch": BATCH,
        "processes": PROCESSES,
        **measured,
        "ratios": {name: vars(each) for name, each in compared(measured["seconds"]).items()},
        "tiny": measure_tiny(30),
    }
    print("\n".join(said(record)), flush=True)  # noqa: T201
    save(record, given.folder)


if __name__ == "__main__":
    main()

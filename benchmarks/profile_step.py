"""Measure in some seconds what each launch of a training step takes on a GPU, and write it to one JSON file.

``python -m benchmarks.profile_step`` captures every launch of the bare step by itself, many times in one CUDA
graph, and beside it the step as it is replayed. So the slowest launch is known, and how far each is from
moving its bytes as fast as a copy does. What fits in the L2 cache is found there, as in a step. Without a
GPU it says what is missing and ends with 2.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from fuseprop_cupy.nodes import Multiply, Node, Prepared
from fuseprop_cupy.plan import plan
from fuseprop_cupy.traffic import traffic

from fuseprop.backend import AnyBackend, BackendUnavailable
from fuseprop.registry import load_backend

from .compare import RESULTS
from .device import Stopwatch, cupy_stopwatch
from .machine import describe, save, today
from .networks import CASES
from .probe_gpu import MISSING
from .problem import Problem, make_problem
from .stepper import Stepper
from .tables import number, table

TIMES, LAUNCHES = 20, 5
"""How often a graph has a launch, and how often the graph is launched between two marks, once warm."""

NETWORKS = ("64-64-10-b128", "784-128-10-b128", "784-512-512-10-b128", "784-512-512-10-b1024", "4096x4-b4096")


class Profile:
    """The launches of one network's step, on a device whose lanes are at hand."""

    def __init__(self, backend: AnyBackend, problem: Problem, watch: Stopwatch) -> None:
        self._stepper, self._watch, self._lanes = Stepper(problem, backend), watch, backend.seam.lanes()
        self._problem = problem
        self._nodes = plan(backend, self._stepper.record()).nodes

    def record(self) -> dict[str, Any]:
        """Return the seconds of each launch in the order of the step, and of the step."""
        self._lanes.enter()
        calls = [self._lanes.prepare(node, 0) for node in self._nodes]
        for call in calls:  # CUDA loads kernels late, and not in a capture
            call()
        self._stepper.rewind()
        launches = [
            {**describe_node(node), "seconds": self._alone(call)}
            for node, call in zip(self._nodes, calls, strict=True)
        ]
        return {"network": self._problem.case.id, "launches": launches, "seconds": self._together()}

    def _alone(self, call: Prepared) -> float:
        """Return the seconds of one of many nodes in a row. The update's leave the cursor beyond all rows."""
        self._lanes.begin()
        try:
            for _ in range(TIMES):
                self._lanes.issue(0, call)
            graph = self._lanes.end()
        except BaseException:
            self._lanes.abandon()
            raise
        finally:
            self._lanes.enter()
        seconds = self._seconds(graph) / TIMES
        self._stepper.rewind()
        return seconds

    def _together(self) -> float:
        """Return the seconds of a step, in the epochs that it is replayed in."""
        self._stepper.rewind()
        epoch = self._problem.batches
        return self._seconds(lambda: self._stepper.steps(epoch)) / epoch

    def _seconds(self, call: Callable[[], object]) -> float:
        call()
        return self._watch.seconds(call, LAUNCHES)


def describe_node(node: Node) -> dict[str, Any]:
    """Return a launch's name and work: FLOPs of a product, the least bytes of the others."""
    if isinstance(node, Multiply):
        (n, d), (_, m) = node.a.shape, node.b.shape
        return {"name": f"product {n} x {d} x {m}", "flops": 2 * n * d * m}
    one = traffic(node)
    return {"name": one.name, "bytes": one.minimum}


@click.command(help=__doc__)
@click.option("--device", default="cuda", show_default=True, help="cuda, or cuda:1.")
@click.option("--network", "networks", multiple=True, type=click.Choice(sorted(CASES)), help="Some of them.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=RESULTS / "profiles",
    help="A folder.",
)
def main(device: str, networks: Sequence[str], output: Path) -> None:
    """Parse the command line."""
    start = time.monotonic()
    try:
        backend = load_backend(device)
    except BackendUnavailable as error:
        click.echo(f"{device} cannot be profiled: {error}", err=True)
        sys.exit(MISSING)
    profiles = []
    for name in networks or NETWORKS:
        problem = make_problem(CASES[name], "sigmoid", device=device)
        profiles.append(Profile(backend, problem, cupy_stopwatch()).record())
        click.echo(tables(profiles[-1]) + "\n")
    record = {"date": today(), "machine": describe(), "profiles": profiles}
    path = save(record, output)
    click.echo(f"{path}: {time.monotonic() - start:.1f} seconds", err=True)


def tables(profile: dict[str, Any]) -> str:
    """Return one network's launches, as Markdown."""
    launches = profile["launches"]
    one_by_one = sum(launch["seconds"] for launch in launches)
    rows = [[launch["name"], number(1e6 * launch["seconds"]), _rate(launch)] for launch in launches]
    rows.append(["all of them, one after the other", number(1e6 * one_by_one), ""])
    rows.append(["the step as it is replayed", number(1e6 * profile["seconds"]), ""])
    return table([profile["network"], "µs", "GB/s of the least bytes, or TFLOP/s"], rows)


def _rate(launch: dict[str, Any]) -> str:
    if "flops" in launch:
        return f"{number(1e-12 * launch['flops'] / launch['seconds'])} TFLOP/s"
    return f"{number(1e-9 * launch['bytes'] / launch['seconds'])} GB/s"


if __name__ == "__main__":
    main()

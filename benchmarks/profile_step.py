"""Measure in some seconds what each launch of a training step takes on a GPU, and write it to one JSON file.

``python -m benchmarks.profile_step`` captures every launch of the bare step by itself, many times in one CUDA
graph, and beside it the step as it is replayed, with all launches on one stream and with some that overlap on
two. So the slowest launch is known, how far each is from moving its bytes as fast as a copy does, and what
the second stream gains. What fits in the L2 cache is found there, as in a step. The file is written after
each network. Without a GPU it says what is missing and ends with 2.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import click
from fuseprop_cupy.device.nodes import Copy, Node, Prepared
from fuseprop_cupy.device.streams import COUNT
from fuseprop_cupy.replay import capture
from fuseprop_cupy.replay.plan import plan
from fuseprop_cupy.replay.traffic import traffic

from fuseprop.backend import AnyBackend, BackendUnavailable
from fuseprop.backend.registry import load_backend
from fuseprop.benchmarks.device import Stopwatch, cupy_stopwatch
from fuseprop.benchmarks.machine import describe, save, today
from fuseprop.benchmarks.networks import CASES
from fuseprop.benchmarks.problem import Problem, make_problem
from fuseprop.benchmarks.stepper import Stepper

from .compare import RESULTS
from .outlets import ready, say
from .probe_gpu import MISSING
from .tables import number, table

TIMES, LAUNCHES = 20, 5
"""How often a graph has a launch, and how often the graph is launched between two marks, once warm."""

CAPTURED = 2
"""How often an epoch is taken until all its graphs are captured."""

STREAMS = tuple(range(1, COUNT + 1))

NETWORKS = ("64-64-10-b128", "784-128-10-b128", "784-512-512-10-b128", "784-512-512-10-b1024", "4096x4-b4096")


class Profile:
    """The launches of one network's step, on the backend's device."""

    def __init__(self, backend: AnyBackend, problem: Problem, watch: Stopwatch) -> None:
        self._stepper, self._watch, self._streams = Stepper(problem, backend), watch, backend.seam.streams()
        self._problem = problem
        self._nodes = plan(backend, self._stepper.record()).nodes

    def record(self, streams: Sequence[int] = STREAMS) -> dict[str, Any]:
        """Return the seconds of each launch in the order of the step, and of the step by its streams."""
        self._streams.enter()
        calls = [self._streams.prepare(node, 0) for node in self._nodes]
        for call in calls:  # CUDA loads kernels late, and not in a capture
            call()
        self._stepper.rewind()
        launches = [
            {**describe_node(node), "seconds": self._alone(call)}
            for node, call in zip(self._nodes, calls, strict=True)
        ]
        steps = {str(count): self._together(count) for count in streams}
        return {"network": self._problem.case.id, "launches": launches, "steps": steps}

    def _alone(self, call: Prepared) -> float:
        """Return the seconds of one of many nodes in a row. The update's leave the cursor beyond all rows."""
        self._streams.begin()
        try:
            for _ in range(TIMES):
                self._streams.issue(0, call)
            graph = self._streams.end()
        except BaseException:
            self._streams.abandon()
            raise
        finally:
            self._streams.enter()
        seconds = self._seconds(graph) / TIMES
        self._stepper.rewind()
        return seconds

    def _together(self, streams: int) -> float:
        """Return the seconds of a step on so many streams, in the epochs that it is replayed in.

        An epoch's graph is captured when one is taken for the second time: the first begins call by call.
        """
        with on_streams(streams):
            take = self._stepper.compile()
        epoch, rewind = self._problem.batches, self._stepper.rewind
        for _ in range(CAPTURED):
            rewind()
            take(epoch)
        return median(self._watch.each(lambda: take(epoch), LAUNCHES, rewind)) / epoch

    def _seconds(self, call: Callable[[], object]) -> float:
        call()
        return self._watch.seconds(call, LAUNCHES)


def on_streams(count: int) -> Any:
    """Return a context in which steps are compiled for so many streams; the backend itself uses all."""
    chosen = capture.streams_of

    def at_most(*of: Any) -> list[int]:
        return [min(stream, count - 1) for stream in chosen(*of)]

    return patch.object(capture, "streams_of", at_most)


def describe_node(node: Node) -> dict[str, Any]:
    """Return a launch's name and work: FLOPs of a product, the least bytes of the others."""
    if not isinstance(node, Copy) and node.is_product:
        n, d, m = node.sizes
        return {"name": f"product {n} x {d} x {m}", "flops": 2 * n * d * m}
    one = traffic(node)
    return {"name": one.name, "bytes": one.minimum}


@click.command(help=__doc__)
@click.option("--device", default="cuda", show_default=True, help="cuda, or cuda:1.")
@click.option("--network", "networks", multiple=True, type=click.Choice(sorted(CASES)), help="Some of them.")
@click.option(
    "--streams",
    multiple=True,
    type=click.Choice([str(count) for count in STREAMS]),
    help="Replay steps on so many alone. [default: each number of them]",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=RESULTS / "profiles",
    help="A folder.",
)
def main(device: str, networks: Sequence[str], streams: Sequence[str], output: Path) -> None:
    """Parse the command line."""
    start = time.monotonic()
    try:
        backend = load_backend(device)
    except BackendUnavailable as error:
        click.echo(f"{device} cannot be profiled: {error}", err=True)
        sys.exit(MISSING)
    ready(output, "--output")
    record: dict[str, Any] = {"date": today(), "machine": describe(), "profiles": []}
    counts = sorted(map(int, streams)) or STREAMS
    for name in networks or NETWORKS:
        problem = make_problem(CASES[name], "sigmoid", device=device)
        profile = Profile(backend, problem, cupy_stopwatch()).record(counts)
        record["profiles"].append(profile)
        path = save(record, output)
        say(tables(profile) + "\n", err=False)
    say(f"{path}: {time.monotonic() - start:.1f} seconds")


def tables(profile: dict[str, Any]) -> str:
    """Return one network's launches, as Markdown."""
    launches = profile["launches"]
    one_by_one = sum(launch["seconds"] for launch in launches)
    rows = [[launch["name"], number(1e6 * launch["seconds"]), _rate(launch)] for launch in launches]
    rows.append(["all of them, one after the other", number(1e6 * one_by_one), ""])
    for streams, seconds in profile["steps"].items():
        on = "one stream" if streams == "1" else f"{streams} streams"
        rows.append([f"the step as it is replayed, on {on}", number(1e6 * seconds), ""])
    return table([profile["network"], "µs", "GB/s of the least bytes, or TFLOP/s"], rows)


def _rate(launch: dict[str, Any]) -> str:
    if "flops" in launch:
        return f"{number(1e-12 * launch['flops'] / launch['seconds'])} TFLOP/s"
    return f"{number(1e-9 * launch['bytes'] / launch['seconds'])} GB/s"


if __name__ == "__main__":
    main()

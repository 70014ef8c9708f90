"""Where the time of a step goes that is replayed as calls of NumPy, call by call.

``python -m benchmarks.calls 64-32-10-b32`` prints it as JSON. Every call of the step is timed by itself, in
the order of the step, again and again; what reading the clock costs is taken off. The sum is more than the
step takes: between two calls the clock is read, and the caches hear of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from statistics import median
from time import perf_counter
from typing import Any

import click
import numpy as np
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.replay import bound_calls

from fuseprop.benchmarks.networks import CASES
from fuseprop.benchmarks.problem import make_problem
from fuseprop.benchmarks.shortening import shortened
from fuseprop.benchmarks.stepper import Stepper
from fuseprop.benchmarks.turns import environment

from .checkout import ROOT

EXAMINED = ("64-32-10-b32", "784-512-512-10-b128")
"""One network that is all calls, and one that is all products."""

SECONDS, WARM_UP = 2.0, 20


@click.command(help=__doc__)
@click.argument("network", type=click.Choice(list(CASES)))
def main(network: str) -> None:
    """Parse the command line."""
    click.echo(json.dumps(calls(network)))


def calls(network: str, seconds: float = SECONDS) -> dict[str, Any]:
    """Return {"network", "calls": [{"call", "shapes", "seconds"}, ...]} of a step, in its order."""
    backend = NumpyBackend(replay="calls")
    stepper = Stepper(make_problem(CASES[network], "sigmoid"), backend)
    steps = bound_calls(backend, stepper.record())
    times: list[list[float]] = [[] for _ in steps]
    rounds, end = 0, perf_counter() + seconds
    while rounds < WARM_UP or perf_counter() < end:
        stepper.rewind()
        for (function, arguments), taken in zip(steps, times, strict=True):
            start = perf_counter()
            function(*arguments)
            taken.append(perf_counter() - start)
        rounds += 1
    clock = _clock()
    return {
        "network": network,
        "calls": [
            {
                "call": getattr(function, "__name__", None) or function.func.__name__,  # a partial's own
                "shapes": [list(a.shape) for a in arguments if isinstance(a, np.ndarray)],
                "seconds": median(taken[WARM_UP // 2 :]) - clock,
            }
            for (function, arguments), taken in zip(steps, times, strict=True)
        ],
    }


def _clock() -> float:
    """Return what reading the clock twice takes."""
    taken = []
    for _ in range(1000):
        start = perf_counter()
        taken.append(perf_counter() - start)
    return median(taken)


def examine(network: str) -> dict[str, Any]:
    """Return `calls` of a process of its own, or {"network", "error"}."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.calls", network],
        cwd=ROOT,
        env=environment([ROOT]),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return {"network": network, "error": shortened(said, 200)}
    return dict(json.loads(done.stdout))


if __name__ == "__main__":
    main()

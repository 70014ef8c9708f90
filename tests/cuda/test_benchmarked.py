"""Our own rows of a comparison on a GPU, on kernels that are executed by the host: they pass the gate."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

sys.path.insert(0, str(Path(__file__).parents[2]))  # the benchmarks are a package at the top of the checkout

from functools import partial
from inspect import signature

from host_device import HostRunBackend

from fuseprop.benchmarks.gate import Gate
from fuseprop.benchmarks.networks import CASES
from fuseprop.benchmarks.peers.fuseprop import _step
from fuseprop.benchmarks.problem import make_problem

CHOICES = "replay" in signature(HostRunBackend).parameters
REPLAYS = {"captured": 11, "fused": 11, "eager": 15} if CHOICES else {None: 15}


@pytest.mark.values
@pytest.mark.parametrize("replay", REPLAYS)
@pytest.mark.parametrize("network", ["2-8-1-b4", "64-32-10-b32"])
def test_every_way_of_ours_passes_the_gate(network, replay):
    problem = make_problem(CASES[network], "sigmoid", device="cuda")
    opened = partial(HostRunBackend, replay=replay) if CHOICES else HostRunBackend
    gate, running = Gate(problem), _step(opened, problem)
    assert running.unit in (1, problem.batches)
    running.run(gate.steps)
    verdict = gate.verdict(running.weights())
    assert verdict["error"] < verdict["bound"] / 10, verdict
    assert running.about()["launches"] == REPLAYS[replay]

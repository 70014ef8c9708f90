"""The gate opens for whoever trains the same network the same way, and for nobody else."""

import numpy as np
import pytest

from fuseprop.backend.registry import load_backend
from fuseprop.benchmarks import textbook
from fuseprop.benchmarks.gate import Gate, gate_steps
from fuseprop.benchmarks.networks import CASES, FULL_BATCH, Case
from fuseprop.benchmarks.problem import (
    LEARNING_RATE,
    MOMENTUM,
    SCALES,
    SCAN,
    Problem,
    batches_of,
    in_order,
    make_problem,
    scans,
)
from fuseprop.benchmarks.stepper import Stepper, make_network, make_optimizer
from fuseprop.benchmarks.textbook import Textbook

SMALL = ["2-8-1-b4", "64-32-10-b32", "64-64-10-b128"]


def trained(problem, steps):
    network = Textbook(problem, "float64")
    batches = problem.order.reshape(problem.batches, -1)
    for k in range(steps):
        network.step(batches[k % problem.batches])
    return network.weights


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("network", SMALL)
def test_ours_passes(network, activation):
    problem = make_problem(CASES[network], activation)
    gate = Gate(problem)
    stepper = Stepper(problem, load_backend("cpu"))
    stepper.run(gate.steps)
    verdict = gate.verdict(stepper.network.weights())
    assert verdict["passed"], verdict
    assert verdict["error"] < verdict["bound"] / 10


def test_fit_over_rows_in_order_passes():
    problem = in_order(make_problem(CASES["64-32-10-b32"], "sigmoid"))
    gate, network = Gate(problem), make_network(problem, load_backend("cpu"))
    network.fit(problem.X, problem.targets, make_optimizer(), epochs=1, batch_size=32, shuffle=False)
    assert gate.verdict(network.weights())["passed"]


def test_in_float64_ours_is_the_reference():
    problem = make_problem(CASES["64-32-10-b32"], "sigmoid")
    gate, stepper = Gate(problem), Stepper(problem, load_backend("cpu", "float64"))
    stepper.run(gate.steps)
    assert abs(gate.loss(stepper.network.weights()) - gate.reference) < 1e-12


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("network", SMALL)
@pytest.mark.parametrize(
    "wrong", ["learning rate", "momentum", "one step less", "nothing learned", "not a number"]
)
def test_wrong_training_is_refused(monkeypatch, network, activation, wrong):
    """1% more learning rate, 1% less momentum, 63 steps for 64."""
    problem = make_problem(CASES[network], activation)
    gate = Gate(problem)
    steps = {"one step less": gate.steps - 1, "nothing learned": 0}.get(wrong, gate.steps)
    if wrong == "learning rate":
        monkeypatch.setattr(textbook, "LEARNING_RATE", 1.01 * LEARNING_RATE)
    if wrong == "momentum":
        monkeypatch.setattr(textbook, "MOMENTUM", 0.99 * MOMENTUM)
    weights = trained(problem, steps)
    if wrong == "not a number":
        weights[0][0][0, 0] = np.nan
    verdict = gate.verdict(weights)
    assert not verdict["passed"], verdict


def test_every_network_can_be_scanned_or_has_fewer_gate_steps():
    for case in CASES.values():
        for device, scale in SCALES.items():
            batches = batches_of(case, scale)
            problem = Problem(case, "sigmoid", *[np.empty(0)] * 3, [], scale=scale)
            assert SCAN % batches == 0
            assert gate_steps(problem) in ((SCAN,) if scans(problem) else (2, 8, batches))
            assert gate_steps(problem) % batches == 0, f"{device}: loops take whole epochs"


def test_epochs_that_are_fitted_have_rows_enough():
    rows = {name: len(make_problem(CASES[name], "sigmoid", fitted=True).X) for name in SMALL}
    assert rows == {"2-8-1-b4": 4096, "64-32-10-b32": 4096, "64-64-10-b128": 8192}
    assert make_problem(CASES["2-8-1-b4"], "sigmoid").batches == 64
    assert make_problem(CASES["2-8-1-b4"], "sigmoid", fitted=True).fit_epochs == 10


@pytest.mark.parametrize("name", ["2-8-1-b4-full", "64-32-10-b32-full"])
def test_an_epoch_of_one_step_passes(name):
    """And many are fitted in one call."""
    problem = make_problem(FULL_BATCH[name], "sigmoid", fitted=True)
    assert problem.batches == 1
    assert problem.fit_epochs == 640
    stepper, gate = Stepper(problem, load_backend("cpu")), Gate(problem)
    stepper.run(gate.steps)
    verdict = gate.verdict(stepper.network.weights())
    assert verdict["passed"], verdict


def test_work_of_a_step_by_hand():
    """2-3-1, 4 rows: x W takes 6 and 3 multiplications a row, x^T delta too, delta W^T of layer 2 takes 3."""
    case = Case("2-3-1-b4", (2, 3, 1), 4)
    assert case.forward_flops == 2 * 4 * (6 + 3)
    assert case.backward_flops == 2 * 4 * (6 + 3 + 3)
    assert case.parameters == 13
    assert case.step_bytes(4) == 4 * (4 * (2 * 2 + 5 * 3 + 2 * 1) + 5 * 13)

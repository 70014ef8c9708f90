"""The committed record of what steps ask of a GPU is what the backend plans today."""

import json

import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

import numpy as np
from record_steps import FILE, blank, counted, planned, steps

from fuseprop.backend.registry import load_backend
from fuseprop.benchmarks.networks import CASES
from fuseprop.benchmarks.stepper import Stepper

AGAIN = "python tests/cuda/record_steps.py && python -m benchmarks.report"


@pytest.fixture(scope="module")
def record():
    return json.loads(json.dumps(steps()))


def test_the_committed_record_is_todays(record):
    committed = json.loads(FILE.read_text())
    assert committed["networks"] == record["networks"], AGAIN
    assert committed["kernels"].keys() == record["kernels"].keys(), AGAIN
    if committed["compiler"] == record["compiler"]:  # another one may need other registers
        assert committed["kernels"] == record["kernels"], AGAIN


def test_paper_plans_what_a_network_of_real_memory_is_asked_for():
    """On NumPy the same step makes as many calls as are launched one by one; products are counted by hand."""
    case = CASES["64-32-10-b32"]
    program = Stepper(blank(case), load_backend("cpu")).record()
    eager, fused = (planned(case)[how] for how in ("eager", "fused"))
    assert eager["launches"] == len(program.calls)
    assert eager["products"] == fused["products"] == 3 * 2 - 1
    ours = fused["kernels"]["small_product<float>"]  # of products this small, all are
    assert ours == fused["products"]
    assert sum(fused["kernels"].values()) == fused["launches"]


def test_bytes_are_at_least_those_of_any_step(record):
    """The floor's own count has no losses, labels, cursors or row weights, and biases without their sums."""
    for one in record["networks"]:
        needed = CASES[one["network"]].step_bytes(np.dtype(record["dtype"]).itemsize)
        for how in ("eager", "fused"):
            assert needed <= one[how]["least_bytes"] <= one[how]["bytes"] <= 1.2 * needed + 4096


def test_fusing_takes_launches_away(record):
    for one in record["networks"]:
        assert one["fused"]["launches"] < one["eager"]["launches"]
        assert one["fused"]["bytes"] <= one["eager"]["bytes"]


def test_products_are_left_out_of_the_bytes():
    class One:
        def __init__(self, name, minimum, moved):
            self.name, self.minimum, self.moved = name, minimum, moved
            self.is_product = name.endswith("product")

    class Facts:
        launches, products = 4, 2
        each = (One("product", 100, 100), One("small_product", 50, 60), One("a", 4, 8), One("a", 4, 4))

    assert counted(Facts) == {
        "launches": 4,
        "products": 2,
        "bytes": 12,
        "least_bytes": 8,
        "kernels": {"a": 2, "small_product": 1},
    }

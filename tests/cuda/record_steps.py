"""Write down what a training step of every network of the benchmarks asks of a GPU, without one.

    python tests/cuda/record_steps.py

writes benchmarks/results/without_a_gpu/steps.json: launches, products and bytes of the bare step, replayed
call by call and fused, as the backend plans them; and what CuPy's compiler, here, makes of each kernel for
sm_90. Needs a checkout, CuPy and NVRTC: pip install -e ".[test]".
"""

# ruff: noqa: E402 (the benchmarks are a package at the top of the checkout, which is not installed)

import json
import sys
from collections import Counter
from pathlib import Path

import cupy
import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from cupy_private import resources
from fuseprop_cupy.device.kernel_list import kernels
from fuseprop_cupy.replay.plan import plan
from paper_device import PaperBackend

from fuseprop.benchmarks.networks import CASES
from fuseprop.benchmarks.problem import Problem
from fuseprop.benchmarks.stepper import Stepper

FILE = ROOT / "benchmarks" / "results" / "without_a_gpu" / "steps.json"
ARCHITECTURE = 90


def steps():
    """Return the record."""
    networks = [{"network": case.id, **planned(case)} for case in CASES.values()]
    used = sorted({name for network in networks for name in network["fused"]["kernels"]})
    used += sorted({name for network in networks for name in network["eager"]["kernels"]} - set(used))
    return {
        "dtype": "float32",
        "activation": "sigmoid",
        "compiler": "NVRTC {}.{}".format(*cupy.cuda.nvrtc.getVersion()),
        "architecture": ARCHITECTURE,
        "networks": networks,
        "kernels": compiled(used),
    }


def planned(case):
    """Return what a network's step asks for, call by call and fused."""
    stepper = Stepper(blank(case), PaperBackend(), eager=True)
    program = stepper.record()
    return {
        name: counted(plan(stepper.backend, program, fused=fused).facts)
        for name, fused in (("eager", False), ("fused", True))
    }


def counted(facts):
    """Return numbers, and how often each kernel is launched; the bytes of products are not counted."""
    others = [one for one in facts.each if not one.is_product]
    return {
        "launches": facts.launches,
        "products": facts.products,
        "bytes": sum(one.moved for one in others),
        "least_bytes": sum(one.minimum for one in others),
        "kernels": dict(sorted(Counter(one.name for one in facts.each if one.name != "product").items())),
    }


def compiled(names):
    """Return registers, stack and spills of kernels."""
    every = kernels(np.dtype("float32"))
    found, _ = resources({name: every[name] for name in names if name in every}, ARCHITECTURE)
    return {name: vars(found[name]) for name in names if name in found}


def blank(case):
    """Return a problem of this shape: two batches of zeros."""
    rows = 2 * case.batch
    weights = [(np.zeros((d, m), np.float32), np.zeros(m, np.float32)) for d, m in case.shapes]
    X, labels = np.zeros((rows, case.sizes[0]), np.float32), np.zeros(rows, np.int64)
    return Problem(case, "sigmoid", X, labels, np.arange(rows), weights)


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(steps(), indent=1) + "\n")
    print(FILE.relative_to(ROOT))

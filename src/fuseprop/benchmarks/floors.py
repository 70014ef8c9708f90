"""What no step that calls its products one by one can undercut: those alone, its bytes, one GPU launch.

Floor of a step = its products, in the fastest library at hand, with everything in place and out=
                + a copy that moves as many bytes as the rest of the step must (`Case.step_bytes`)
                + on a GPU, one smallest launch.

The copy is as large as the step's own bytes, so that what fits in a cache is measured in that cache. Both are
timed like any implementation: same processes, same rounds. The products pay for being called from Python (0.5
to 1 us each): on networks of a few units, a whole step that is compiled can lie below this floor. On a GPU
PyTorch, where it is there, records its part in a CUDA graph, so that no host's time is in the floor; CuPy's
part is called, and host-bound on small networks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .peers import Running
from .problem import Problem

FLOAT = 4


def product_operands(problem: Problem) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return (a, b, out) of every product of a step: x W, x^T delta, and delta W^T above the first layer."""
    n, rng = problem.case.batch, np.random.default_rng(0)
    operands = []
    for i, (w, b) in enumerate(problem.weights):
        d, m = w.shape
        x = rng.standard_normal((n, d), dtype=np.float32)
        delta = rng.standard_normal((n, m), dtype=np.float32)
        operands += [(x, w, np.empty((n, m), np.float32)), (x.T, delta, np.empty_like(w))]
        if i:
            operands.append((delta, w.T, np.empty((n, d), np.float32)))
        assert len(b) == m
    return operands


def copied_elements(problem: Problem) -> int:
    """Return how many floats to copy (read and written once) to move the bytes of a step."""
    return problem.case.step_bytes(FLOAT) // (2 * FLOAT)


def products(problem: Problem, xp: Any) -> Running:
    """Return a step's products with NumPy or CuPy."""
    # A transposed view must stay one on the device: the library takes the flag, nobody copies.
    calls = [
        tuple(xp.asarray(a.T).T if not a.flags.c_contiguous else xp.asarray(a) for a in operands)
        for operands in product_operands(problem)
    ]

    def run(steps: int) -> None:
        for _ in range(steps):
            for a, b, out in calls:
                xp.dot(a, b, out)
        wait(xp)

    return Running(run)


def copy(problem: Problem, xp: Any) -> Running:
    """Return a copy of a step's bytes with NumPy or CuPy."""
    source = xp.ones(copied_elements(problem), xp.float32)
    target = xp.zeros_like(source)

    def run(steps: int) -> None:
        for _ in range(steps):
            xp.copyto(target, source)
        wait(xp)

    return Running(run)


def launch(xp: Any) -> Running:
    """Return the smallest kernel of CuPy, launched again and again."""
    one = xp.zeros(1, xp.float32)

    def run(steps: int) -> None:
        for _ in range(steps):
            xp.add(one, one, out=one)
        wait(xp)

    return Running(run)


def wait(xp: Any) -> None:
    """Wait for CuPy's device."""
    if xp is not np:
        xp.cuda.get_current_stream().synchronize()

"""The textbook's formulas on NumPy arrays (CuPy arrays on a GPU), and the floors that these libraries set."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..device import cupy_stopwatch
from ..floors import copy, launch, products, wait
from ..problem import Problem
from ..textbook import Textbook
from . import Form, Running

NAME, MODULE, DISTRIBUTIONS = "textbook NumPy", "numpy", ("numpy",)


def forms(device: str) -> list[Form]:
    """Return the textbook's step, its loop over epochs, and what the floor is made of."""
    xp = np if device == "cpu" else _cupy_on(device)
    library = "NumPy" if xp is np else "CuPy"
    floors = [
        Form(f"{library} products", "products", lambda problem: products(problem, xp)),
        Form(f"{library} copy", "copy", lambda problem: copy(problem, xp)),
    ]
    if xp is not np:
        floors.append(Form("CuPy launch", "launch", lambda _: launch(xp)))
    return [
        Form(f"textbook {library}", "step", lambda problem: _step(problem, xp)),
        Form(f"textbook {library}", "fit", lambda problem: _fit(problem, xp)),
        *floors,
    ]


def _cupy_on(device: str) -> Any:
    """Return CuPy with this device current; raises CuPy's error where there is none."""
    import cupy

    cupy.cuda.Device(int(device.partition(":")[2] or 0)).use()
    return cupy


def _step(problem: Problem, xp: Any) -> Running:
    network = Textbook(problem, "float32", xp)
    batches = xp.asarray(problem.order).reshape(problem.batches, problem.case.batch)
    taken = 0

    def enqueue(steps: int) -> None:
        nonlocal taken
        for k in range(taken, taken + steps):
            network.step(batches[k % problem.batches])
        taken += steps

    def run(steps: int) -> None:
        enqueue(steps)
        wait(xp)

    watch = None if xp is np else cupy_stopwatch()
    return Running(run, lambda: on_host(network.weights), enqueue=enqueue, watch=watch)


def _fit(problem: Problem, xp: Any) -> Running:
    network, n, rng = Textbook(problem, "float32", xp), problem.case.batch, np.random.default_rng(0)

    def run(steps: int) -> None:
        for _ in range(steps // problem.batches):
            order = rng.permutation(len(problem.X)) if problem.shuffle else problem.order
            order, losses = xp.asarray(order), []
            for start in range(0, len(order), n):
                losses.append(network.step(order[start : start + n]))
            float(sum(losses)) / len(losses)

    return Running(run, lambda: on_host(network.weights), problem.batches)


def on_host(weights: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Return NumPy arrays of NumPy or CuPy weights."""
    return [(_on_host(w), _on_host(b)) for w, b in weights]


def _on_host(array: Any) -> Any:
    return array if isinstance(array, np.ndarray) else array.get()

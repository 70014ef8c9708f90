"""Momentum over one flat buffer, over each array of it, and in the array library's own calls."""

from typing import Any

import numpy as np
import pytest

from ..backend import AnyBackend
from ..benchmarks.networks import CASES
from ..benchmarks.problem import LEARNING_RATE, MOMENTUM, make_problem
from ..benchmarks.stepper import Stepper
from ..formulas import UPDATES
from .fixtures import Timed


@pytest.mark.parametrize("form", ["flat", "per-array", "unfused"])
@pytest.mark.parametrize("network", ["64-32-10-b32", "784-512-512-10-b128", "1024x4-10-b1024"])
def test_update(timed: Timed, backend: AnyBackend, network: str, form: str) -> None:
    """v = mu v - a g, w = w + v."""
    case = CASES[network]
    stepper = Stepper(make_problem(case, "sigmoid"), backend)
    stepper.run(1)
    parameters, velocities = stepper.network.stack.parameters, stepper.optimizer.velocities
    formula = UPDATES["momentum"]
    settings = backend.from_host(np.array([LEARNING_RATE, MOMENTUM, 0.0]))
    buffers: tuple[Any, ...] = parameters.values, parameters.gradients, velocities
    # Weights and biases of each layer: [start, middle) and [middle, stop) of the flat buffers.
    ranges = zip(parameters.weight_ranges, parameters.ranges, strict=True)
    pieces = [cut for (start, middle), (_, stop) in ranges for cut in ((start, middle), (middle, stop))]
    arrays = [tuple(buffer[start:stop] for buffer in buffers) for start, stop in pieces]

    def per_array() -> None:
        for w, g, v in arrays:
            backend.update(w, g, v.reshape(1, -1), settings, formula, decay_ranges=())

    def unfused() -> None:
        for w, g, v in arrays:
            v[:] = MOMENTUM * v - LEARNING_RATE * g
            w[:] = w + v

    calls = {"flat": stepper.update, "per-array": per_array, "unfused": unfused}
    timed(calls[form], group="update: form", moved=5 * case.parameters * backend.dtype.itemsize)


@pytest.mark.parametrize("name", UPDATES)
def test_formula(timed: Timed, backend: AnyBackend, name: str) -> None:
    """Every update over one flat buffer."""
    formula, size = UPDATES[name], CASES["784-512-512-10-b128"].parameters
    numbers = np.random.default_rng(0).uniform(0.1, 0.9, (2 + len(formula.moments), size))
    w, g, moments = (
        backend.from_host(numbers[0]),
        backend.from_host(numbers[1]),
        backend.from_host(numbers[2:]),
    )
    settings = backend.from_host(np.full(len(formula.settings) + 1, 1e-3))
    timed(
        lambda: backend.update(w, g, moments, settings, formula, decay_ranges=()),
        group="update: formula",
        moved=(3 + 2 * len(formula.moments)) * size * backend.dtype.itemsize,
    )

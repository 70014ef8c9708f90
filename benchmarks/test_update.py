"""Momentum over one flat buffer, over each array of it, and in the array library's own calls."""

import numpy as np
import pytest

from .networks import CASES
from .problem import LEARNING_RATE, MOMENTUM, make_problem
from .stepper import Stepper


@pytest.mark.parametrize("form", ["flat", "per-array", "unfused"])
@pytest.mark.parametrize("network", ["64-32-10-b32", "784-512-512-10-b128", "1024x4-10-b1024"])
def test_update(timed, backend, network, form):
    """v = mu v - a g, w = w + v."""
    case = CASES[network]
    stepper = Stepper(make_problem(case, "sigmoid"), backend)
    stepper.run(1)
    parameters, velocities = stepper.network.stack.parameters, stepper.optimizer.velocities
    settings = backend.from_host(np.array([LEARNING_RATE, MOMENTUM, 0.0]))
    buffers = parameters.values, parameters.gradients, velocities
    # Weights and biases of each layer: [start, middle) and [middle, stop) of the flat buffers.
    ranges = zip(parameters.weight_ranges, parameters.ranges, strict=True)
    pieces = [cut for (start, middle), (_, stop) in ranges for cut in ((start, middle), (middle, stop))]
    arrays = [tuple(buffer[start:stop] for buffer in buffers) for start, stop in pieces]

    def per_array():
        for w, g, v in arrays:
            backend.momentum_sgd(w, g, v, settings, decay_ranges=(), nesterov=False)

    def unfused():
        for w, g, v in arrays:
            v[:] = MOMENTUM * v - LEARNING_RATE * g
            w[:] = w + v

    calls = {"flat": stepper.update, "per-array": per_array, "unfused": unfused}
    timed(calls[form], group="update: form", moved=5 * case.parameters * backend.dtype.itemsize)

"""Host to device, device to host, and a prediction from host rows to host probabilities."""

import numpy as np
import pytest

from ..backend import AnyBackend
from ..benchmarks.networks import CASES
from ..benchmarks.problem import make_problem
from ..benchmarks.stepper import make_network
from .fixtures import Timed

SIZES = {"64KiB": 1 << 16, "1MiB": 1 << 20, "64MiB": 1 << 26}

sizes = pytest.mark.parametrize("size", SIZES)


@sizes
def test_host_to_device(timed: Timed, backend: AnyBackend, size: str) -> None:
    """Into an array that is there, of the same dtype: bytes are read once and written once."""
    host = np.ones(SIZES[size] // backend.dtype.itemsize, backend.dtype)
    out = backend.from_host(host)
    timed(lambda: backend.from_host(host, out=out), group="copy: host to device", moved=SIZES[size])


@sizes
def test_device_to_host(timed: Timed, backend: AnyBackend, size: str) -> None:
    """Into a new host array."""
    there = backend.from_host(np.ones(SIZES[size] // backend.dtype.itemsize, backend.dtype))
    timed(lambda: backend.to_host(there), group="copy: device to host", moved=SIZES[size])


@pytest.mark.parametrize("network", ["2-8-1-b4", "64-32-10-b32", "784-128-10-b128", "784-512-512-10-b1024"])
def test_predict(timed: Timed, backend: AnyBackend, network: str) -> None:
    """Host rows in, host probabilities out: one batch."""
    case = CASES[network]
    problem = make_problem(case, "sigmoid")
    model, rows = make_network(problem, backend), problem.X[: case.batch]
    timed(lambda: model.predict(rows), group="predict", samples=case.batch, flops=case.forward_flops)

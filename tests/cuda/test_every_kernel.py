"""Every listed kernel beside NumPy on a GPU; without one, that no kernel is missing there."""

import numpy as np
import pytest

pytest.importorskip("cupy", reason="needs CuPy, not a GPU; tests/README.md says how to install it")

from comparisons import Comparison
from host_device import HostRunBackend
from own import kernels

SHAPES = [(1, 1), (3, 33), (129, 5), (300, 20)]
GPU = [
    pytest.param(("cupy", dtype), id=f"cupy-{dtype}", marks=pytest.mark.gpu)
    for dtype in ("float32", "float64")
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("backend", GPU, indirect=True)
def test_every_kernel_is_numpys_on_a_gpu(backend, shape):
    Comparison(backend).everything(*shape, np.random.default_rng(0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_these_are_all_kernels_there_are(dtype):
    backend = HostRunBackend(dtype)
    Comparison(backend).everything(*SHAPES[2], np.random.default_rng(0))
    assert set(backend.seam.launched) == set(kernels(np.dtype(dtype)))

"""What a run of training needs: the data, four flat buffers, and one batch of everything in between."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from fuseprop_numpy.operations.updates import UPDATE_BLOCK

from fuseprop import MomentumSGD, Network, mlp

INTERPRETER = 256 * 1024
"""Python's own objects: the history, the recorded step, views."""


def allocated(network, X, labels, batch, **options):
    """Return the bytes that a `fit` had allocated at its peak, beyond what stood before."""
    network.fit(X[:batch], labels[:batch], epochs=1)  # what is imported and looked up once
    tracemalloc.start()
    try:
        network.fit(X, labels, MomentumSGD(0.01, 0.6), epochs=2, batch_size=batch, **options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def needed(sizes, rows, batch, itemsize):
    """Return the bytes that training needs by its description."""
    units, widest = sum(sizes[1:]), max(sizes[1:])
    parameters = sum((d + 1) * m for d, m in pairwise(sizes))
    data = rows * (sizes[0] * itemsize + 8 + 8)  # features; labels, as checked and as trained on
    orders = rows * 3 * 8  # in use, and as drawn for this epoch and the next
    epoch = orders + rows * (2 * 2 * itemsize + 2)  # losses and hits, there and read back
    flat = 2 * parameters * itemsize  # velocities and best weights; values and gradients stood before
    activations = batch * (sizes[0] + 2 * units) * itemsize
    # What an operation computes with: in the step, and in the one that ends an epoch.
    between = 2 * (batch * widest + min(parameters, UPDATE_BLOCK)) * itemsize
    return data + epoch + flat + activations + between


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("sizes", "rows", "batch"),
    [([784, 512, 512, 10], 2048, 256), ([64, 32, 10], 50_000, 32), ([20, 64, 2], 4096, 4096)],
    ids=["wide", "many rows", "one batch"],
)
def test_peak(sizes, rows, batch, dtype):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, sizes[0])).astype(dtype)
    labels = rng.integers(0, sizes[-1], rows)
    network = Network(mlp(sizes), "softmax_cross_entropy", seed=0, dtype=dtype, device="cpu")
    bound = needed(sizes, rows, batch, np.dtype(dtype).itemsize) + INTERPRETER
    peak = allocated(network, X, labels, batch)
    assert peak < bound
    assert peak > 0.8 * (bound - INTERPRETER)  # the sum is not so generous that nothing could break it

"""What a run of training needs: the data, four flat buffers, and one batch of everything in between.

The library of compiled steps has memory of its own beside it, which Python does not see.
"""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.compiled.runner import CompiledStep
from fuseprop_numpy.operations.updates import UPDATE_BLOCK

from fuseprop import MomentumSGD, Network, mlp

INTERPRETER = 384 * 1024
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


def of_the_library(sizes, batch, itemsize, moments):
    """Return the bytes of a compiled step: what its numbers take, and as they are filled up to whole vectors.

    They are the weights once more; a batch of inputs, and of outputs, deltas, and deltas turned around; three
    numbers a row; and the moments of outputs that fill no whole vector.
    """

    def bytes_at(whole, beside):
        up = lambda n: -(-n // whole) * whole  # noqa: E731
        weights = sum((d + 1) * up(m) * (1 + moments * (m % 8 > 0)) for d, m in pairwise(sizes))
        features = up(sizes[0] + beside) + sum(2 * up(m + beside) + up(m) for m in sizes[1:])
        return (weights + up(batch) * (features + 3)) * itemsize

    return bytes_at(1, 0), bytes_at(32, 1) + 64 * 1024


SHAPES = pytest.mark.parametrize(
    ("sizes", "rows", "batch"),
    [([784, 512, 512, 10], 2048, 256), ([64, 32, 10], 50_000, 32), ([20, 64, 2], 4096, 4096)],
    ids=["wide", "many rows", "one batch"],
)


def classifier(backend, sizes, rows):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, sizes[0])).astype(backend.dtype)
    labels = rng.integers(0, sizes[-1], rows)
    return Network(mlp(sizes), "softmax_cross_entropy", seed=0, backend=backend), X, labels


@pytest.mark.replays
@SHAPES
def test_peak(backend, sizes, rows, batch):
    if backend.device != "cpu":
        pytest.skip("what Python allocates is on the host")
    network, X, labels = classifier(backend, sizes, rows)
    bound = needed(sizes, rows, batch, backend.dtype.itemsize) + INTERPRETER
    peak = allocated(network, X, labels, batch)
    assert peak < bound
    if getattr(backend, "replay", "") != "compiled":
        # The sum is not so generous that nothing could break it; the library has what it computes with.
        assert peak > 0.8 * (bound - INTERPRETER)


@pytest.mark.skipif(NumpyBackend().replay != "compiled", reason="steps are not compiled here")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@SHAPES
def test_memory_of_compiled_steps(monkeypatch, sizes, rows, batch, dtype):
    """It holds one step for each size of a batch, whoever reads gradients."""
    made, make = [], CompiledStep.__init__

    def kept(self, *arguments):
        make(self, *arguments)
        made.append(self.bytes)

    monkeypatch.setattr(CompiledStep, "__init__", kept)
    network, X, labels = classifier(NumpyBackend(dtype), sizes, rows)
    network.fit(X, labels, MomentumSGD(0.01, 0.6), epochs=1, batch_size=batch)
    assert len(made) == (2 if rows % batch else 1)
    least, most = of_the_library(sizes, batch, np.dtype(dtype).itemsize, 1)
    assert least < made[0] < most
    assert most < 2 * least + 64 * 1024

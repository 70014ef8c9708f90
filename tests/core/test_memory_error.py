"""Where the host has no room, NumPy's MemoryError stands as it is, and the network goes on."""

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.compiled.library import NotCompiled, library

from fuseprop import MomentumSGD, Network, mlp
from fuseprop.backend import OutOfMemory


class Small(NumpyBackend):
    """Has no room for more than this many elements at once."""

    elements = 10_000

    def empty(self, shape, dtype=None):
        if np.prod(shape) > self.elements:
            raise np._core._exceptions._ArrayMemoryError(shape, np.dtype(dtype or self.dtype))
        return super().empty(shape, dtype)


def test_numpys_own_error_passes_and_a_smaller_batch_is_learned_from():
    network = Network(mlp([2, 30, 1]), "sigmoid_cross_entropy", seed=0, backend=Small())
    before = network.weights()
    rng = np.random.default_rng(0)
    X, target = rng.normal(size=(1000, 2)), rng.integers(0, 2, (1000, 1))
    with pytest.raises(MemoryError, match=r"\(1000, 30\)") as raised:
        network.fit(X, target, epochs=1, batch_size=1000)
    assert not isinstance(raised.value, OutOfMemory)
    np.testing.assert_array_equal(network.weights()[0][0], before[0][0])
    network.fit(X, target, epochs=1, batch_size=300)
    assert not np.array_equal(network.weights()[0][0], before[0][0])


class Full:
    """The library of compiled steps, where there is room for 500 rows."""

    def __init__(self, functions):
        self._functions = functions

    def __getattr__(self, name):
        return getattr(self._functions, name)

    def fuseprop_new_float(self, spec):
        return self._functions.fuseprop_new_float(spec) if spec._obj.rows <= 500 else None


def test_so_does_that_of_a_compiled_step(monkeypatch):
    """Training ends before it begins, with what was asked for; network and optimizer are as before."""
    try:
        functions = Full(library().functions)
    except NotCompiled as why:
        pytest.skip(str(why))
    backend = NumpyBackend()
    monkeypatch.setattr(backend, "_library", functions)
    rng = np.random.default_rng(0)
    X, target = rng.normal(size=(1000, 2)), rng.integers(0, 2, (1000, 1))
    networks = [
        Network(mlp([2, 30, 1]), "sigmoid_cross_entropy", seed=0, backend=each)
        for each in (backend, NumpyBackend())
    ]
    optimizers = [MomentumSGD(), MomentumSGD()]
    with pytest.raises(MemoryError, match=r"of 1,000 rows and .* parameters\. Take a smaller") as raised:
        networks[0].fit(X, target, optimizers[0], epochs=1, batch_size=1000)
    assert not isinstance(raised.value, OutOfMemory)
    for network, optimizer in zip(networks, optimizers, strict=True):
        network.fit(X, target, optimizer, epochs=2, batch_size=500)
    for ours, expected in zip(*(network.weights() for network in networks), strict=True):
        np.testing.assert_array_equal(ours[0], expected[0])

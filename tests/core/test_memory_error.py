"""Where the host has no room, NumPy's MemoryError stands as it is, and the network goes on."""

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend

from fuseprop import Network, mlp
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

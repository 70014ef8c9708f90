"""The memory of passes: what is said of a row is what is allocated for one."""

import pytest

from fuseprop import Network, mlp
from fuseprop.training.step import Buffers, bytes_of_a_row


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "half_squared_error"])
@pytest.mark.parametrize("options", [{}, {"backward": False}, {"dropout": True}], ids=str)
def test_bytes_of_a_row_are_those_of_the_buffers(dtype, loss, options):
    network = Network(mlp([5, 7, 4, 3], dropout=0.5), loss, seed=0, device="cpu", dtype=dtype)
    backend, asked = network.backend, []
    empty, zeros = backend.empty, backend.zeros
    backend.empty = lambda *given: asked.append(empty(*given)) or asked[-1]
    backend.zeros = lambda *given: asked.append(zeros(*given)) or asked[-1]
    Buffers(backend, network.stack, 10, **options)
    weights = 2 * 10 * backend.dtype.itemsize  # of a full batch and of a last one, made when they are cut
    held = sum(array.nbytes for array in asked) + weights
    assert held == 10 * bytes_of_a_row(backend, network.stack, **options)

"""What people learn from, through the CuPy backend's own code: topics, perceptron, trace, clipping, norms."""

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

from host_device import HostRunBackend

from fuseprop import MomentumSGD, Network, load_backend, mlp
from fuseprop.learn import TOPICS
from fuseprop.testing import assert_parity


def cells(result, kind):
    return [cell for row in result.rows for cell in row if isinstance(cell, str) == (kind is str)]


@pytest.mark.parametrize(
    "topic", ["line", "perceptron", "example", pytest.param("vanishing", marks=pytest.mark.long)]
)
def test_topics_print_the_same_numbers(topic):
    ours, numpy = (
        TOPICS[topic](backend, 0) for backend in (HostRunBackend("float64"), load_backend("cpu", "float64"))
    )
    assert cells(ours, str) == cells(numpy, str)
    assert_parity(cells(ours, float), cells(numpy, float), "float64")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_traces_clipping_and_norms_agree(dtype):
    rng = np.random.default_rng(0)
    X, target = rng.normal(size=(20, 4)), rng.normal(size=(20, 2))
    found = []
    for backend in (HostRunBackend(dtype), load_backend("cpu", dtype)):
        network = Network(mlp([4, 6, 2], "tanh"), "mean_absolute_error", seed=0, backend=backend)
        trace = network.trace(X, target)
        optimizer = MomentumSGD(0.1, clip_norm=0.1)
        history = network.fit(X, target, optimizer, epochs=3, batch_size=8, norms=True)
        assert np.hypot(*history.gradient_norms[-1]) == pytest.approx(0.1, rel=1e-5)
        found.append(
            [
                *trace.z,
                *trace.a,
                *trace.delta,
                *trace.dW,
                *trace.db,
                history.gradient_norms,
                history.weight_norms,
            ]
        )
    for ours, numpy in zip(*found, strict=True):
        assert_parity(ours, numpy, dtype)

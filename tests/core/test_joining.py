"""Networks joined to one: its outputs are the mean of theirs."""

import numpy as np
import pytest

from fuseprop import Network, mlp
from fuseprop.layers.joining import joined


def networks(sizes, activation, loss, count, dtype):
    layers = [mlp(sizes, activation) for _ in range(count)]
    return [Network(each, loss, seed=i, dtype=dtype, device="cpu") for i, each in enumerate(layers)]


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("hidden", [(), (6,), (6, 3), (4, 4, 7)], ids=str)
@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-14), ("float32", 1e-6)])
@pytest.mark.parametrize("outputs", [1, 3])
def test_outputs_are_the_mean(hidden, count, dtype, bound, outputs):
    members = networks([5, *hidden, outputs], "silu", "half_squared_error", count, dtype)
    for i, member in enumerate(members):  # biases begin as 0
        member.set_weights([(w, np.full_like(b, 0.1 * i + 0.2)) for w, b in member.weights()])
    whole = Network(
        mlp([5, *(count * size for size in hidden), outputs], "silu"),
        "half_squared_error",
        dtype=dtype,
        device="cpu",
    )
    weights = joined([member.weights() for member in members])
    whole.set_weights(weights)
    X = np.random.default_rng(0).normal(size=(50, 5))
    mean = np.mean([member.predict(X) for member in members], axis=0)
    np.testing.assert_allclose(whole.predict(X), mean, rtol=0, atol=bound)
    assert {array.dtype for pair in weights for array in pair} == {np.dtype(dtype)}


def test_it_is_the_mean_of_logits():
    members = networks([4, 8, 3], "tanh", "softmax_cross_entropy", 3, "float64")
    whole = Network(mlp([4, 24, 3], "tanh"), "softmax_cross_entropy", dtype="float64", device="cpu")
    whole.set_weights(joined([member.weights() for member in members]))
    X = np.random.default_rng(1).normal(size=(20, 4))
    logits = np.mean([member.forward(X) for member in members], axis=0)
    np.testing.assert_allclose(whole.forward(X), logits, rtol=0, atol=1e-14)

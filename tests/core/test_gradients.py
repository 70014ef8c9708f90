"""Backpropagation is the slope of the loss, for every layer, activation, loss and weighting."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fuseprop import Dense, Network, gradcheck, load_backend

LOSSES = [
    "half_squared_error",
    "mean_squared_error",
    "sigmoid_cross_entropy",
    "softmax_cross_entropy",
    "mean_absolute_error",
    "half_poisson_deviance",
]
SETTINGS = settings(
    derandomize=True,
    deadline=None,
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)


def targets(loss, rng, rows, outputs):
    if loss == "softmax_cross_entropy":
        return rng.integers(0, outputs, rows)
    if loss == "half_poisson_deviance":
        return rng.poisson(2.0, size=(rows, outputs))
    if loss == "sigmoid_cross_entropy":
        return rng.uniform(size=(rows, outputs))
    return rng.normal(size=(rows, outputs))


def relu_arguments(network, X):
    """The smallest |z| in front of a ReLU: below about h there is no central difference."""
    smallest, x = np.inf, X
    for layer, (w, b) in zip(network.layers, network.weights(), strict=True):
        z = x @ w + b
        if layer.activation == "relu":
            smallest = min(smallest, np.abs(z).min())
        x = Network(
            [Dense(*w.shape, layer.activation, weights=w, bias=b)], LOSSES[0], backend=network.backend
        ).forward(x)
    return smallest


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ["identity", "sigmoid", "tanh", "relu"])
@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    rows=st.integers(1, 7),
    seed=st.integers(0, 2**32 - 1),
)
@SETTINGS
def test_gradcheck(backend64, activation, loss, weighted, sizes, rows, seed):
    if loss == "softmax_cross_entropy":
        assume(sizes[-1] > 1)
    rng = np.random.default_rng(seed)
    # A squared error also goes through the activation of the last layer; the cross-entropies own theirs.
    last = activation if loss.endswith("squared_error") else "identity"
    names = [activation] * (len(sizes) - 2) + [last]
    layers = [
        Dense(d, m, f, weights=rng.normal(size=(d, m)), bias=rng.normal(size=m))
        for d, m, f in zip(sizes, sizes[1:], names, strict=False)
    ]
    network = Network(layers, loss, backend=backend64)
    X = rng.normal(size=(rows, sizes[0]))
    assume(relu_arguments(network, X) > 1e-3)
    weights = rng.uniform(0.1, 2.0, rows) if weighted else None
    target = targets(loss, rng, rows, sizes[-1])
    before = network.weights()
    network.forward(X)
    network.backward(target, weights)
    # A gradient that vanishes altogether has no direction to compare.
    assume(max(np.abs(g).max() for pair in network.gradients() for g in pair) > 1e-6)
    assert gradcheck(network, X, target, weights) < 1e-7
    for (w, b), (w_before, b_before) in zip(network.weights(), before, strict=True):
        np.testing.assert_array_equal(w, w_before)
        np.testing.assert_array_equal(b, b_before)


def test_a_wrong_gradient_is_found(monkeypatch):
    """The check can fail: with sigmoid's slope taken from the wrong side it does."""
    backend = load_backend("cpu", "float64")
    network = Network([Dense(3, 4, "sigmoid"), Dense(4, 2)], "half_squared_error", seed=0, backend=backend)
    rng = np.random.default_rng(0)
    X, target = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    assert gradcheck(network, X, target) < 1e-7
    right = type(backend).activation_backward

    def wrong(self, gradient, output, activation, *, out, bias_gradient):
        right(self, gradient, output, "tanh", out=out, bias_gradient=bias_gradient)

    monkeypatch.setattr(type(backend), "activation_backward", wrong)
    assert gradcheck(network, X, target) > 1e-2


def test_float32_is_refused():
    network = Network([Dense(3, 2)], "half_squared_error", device="cpu")
    with pytest.raises(ValueError, match="float64"):
        gradcheck(network, np.zeros((1, 3)), np.zeros((1, 2)))

"""Backpropagation is the slope of the loss, for every layer, activation, loss and weighting."""

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fuseprop import Dense, MomentumSGD, Network, gradcheck, mlp
from fuseprop.backend import evaluate
from fuseprop.formulas import Loss
from fuseprop.formulas.activations import tanh
from fuseprop.layers.targets import encode_targets
from fuseprop.testing.contract.formulas import LOSS_CASES, TRAINABLE_CASES, in_turn
from fuseprop.testing.contract.parity import Host
from fuseprop.training.epoch import Epoch
from fuseprop.training.rows import Rows

PAIRS = [
    *in_turn(TRAINABLE_CASES, list(LOSS_CASES), 2),
    *((activation, loss) for loss, activation in in_turn(LOSS_CASES, list(TRAINABLE_CASES)[::-1], 2)),
]
"""Every activation and every loss that is built in, and some of a user's own, each at least twice."""

CASES = [(*pair, number % 2 == 1) for number, pair in enumerate(PAIRS)]
"""With weights and without, in turns."""

SETTINGS = settings(
    derandomize=True,
    deadline=None,
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)


def jumps(expression, name, values, h=1e-3):
    """Whether the slope of an expression jumps near a value, so that there is no central difference."""

    def at(shift):
        return np.broadcast_to(
            evaluate(expression, {**values, name: values[name] + shift}), values[name].shape
        )

    left, right = (at(0.0) - at(-h)) / h, (at(h) - at(0.0)) / h
    return bool((np.abs(right - left) > 0.02 * np.maximum(1, np.abs(left) + np.abs(right))).any())


def is_smooth_at(network, X, target):
    """Whether neither an activation nor the loss has a kink within 0.001 of where these rows lie.

    Nor is any output above 8: the central differences of e^e^z lose their digits there.
    """
    x = X
    for layer, (w, b) in zip(network.layers, network.weights(), strict=True):
        z = x @ w + b
        formula = layer.function.formula
        if jumps(formula.value, "z", {"z": z}):
            return False
        x = np.broadcast_to(evaluate(formula.value, {"z": z}), z.shape)
        if np.abs(x).max() > 8:
            return False
    loss = network.stack.loss
    return not isinstance(loss, Loss) or not jumps(loss.formula.term, "y", {"y": x, "t": target})


@pytest.mark.values
@pytest.mark.parametrize(("activation", "loss", "weighted"), dict.fromkeys(CASES))
@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    rows=st.integers(1, 7),
    seed=st.integers(0, 2**32 - 1),
)
@SETTINGS
def test_gradcheck(backend64, activation, loss, weighted, sizes, rows, seed):
    chosen, hidden = LOSS_CASES[loss], TRAINABLE_CASES[activation]
    if chosen.takes_labels:
        assume(sizes[-1] > 1)
    rng = np.random.default_rng(seed)
    # A loss without a link also goes through the activation of the last layer; the others own theirs.
    last = hidden if chosen.link == "identity" else "identity"
    functions = [hidden] * (len(sizes) - 2) + [last]
    layers = [
        Dense(d, m, f, weights=rng.normal(size=(d, m)) / np.sqrt(d), bias=rng.normal(size=m))
        for d, m, f in zip(sizes, sizes[1:], functions, strict=False)
    ]
    network = Network(layers, chosen, backend=backend64)
    X = rng.normal(size=(rows, sizes[0]))
    weights = rng.uniform(0.1, 2.0, rows) if weighted else None
    k = sizes[-1]
    target = (
        rng.integers(0, k, rows) if chosen.takes_labels else Host(backend64, seed).targets(chosen, rows, k)
    )
    assume(is_smooth_at(network, X, target))
    before = network.weights()
    network.forward(X)
    network.backward(target, weights)
    # A gradient that vanishes altogether has no direction to compare.
    assume(max(np.abs(g).max() for pair in network.gradients() for g in pair) > 1e-6)
    assert gradcheck(network, X, target, weights) < 1e-7
    for (w, b), (w_before, b_before) in zip(network.weights(), before, strict=True):
        np.testing.assert_array_equal(w, w_before)
        np.testing.assert_array_equal(b, b_before)


@pytest.mark.replays
@pytest.mark.parametrize(("activation", "loss", "weighted"), dict.fromkeys(CASES))
def test_the_gradient_of_a_replayed_step(backend64, activation, loss, weighted):
    """It is the slope of the loss in three directions, and what a pass back leaves."""
    chosen, hidden = LOSS_CASES[loss], TRAINABLE_CASES[activation]
    last = hidden if chosen.link == "identity" else "identity"
    network = Network(mlp([4, 5, 6, 3], hidden, output_activation=last), chosen, seed=1, backend=backend64)
    if activation == "exponential":
        network.set_weights([(0.3 * w, b) for w, b in network.weights()])
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X = 0.5 * rng.normal(size=(7, 4))
        values = None if chosen.takes_labels else Host(backend64, seed).targets(chosen, 7, 3)
        target = rng.integers(0, 3, 7) if values is None else values
        if is_smooth_at(network, X, target):
            break
    else:
        raise AssertionError("no rows were found at which the loss is smooth")
    weights = rng.uniform(0.1, 2.0, 7) if weighted else None
    stack, optimizer = network.stack, MomentumSGD(0.1)
    data = Rows(X, encode_targets(target, stack.loss, network.layers[-1], 7), weights)
    training = Epoch(backend64, stack, None, optimizer, data, batch_size=7)
    optimizer.prepare(stack.parameters, 1)
    training.send(np.arange(7))
    start, values = backend64.to_host(stack.parameters.values), stack.parameters.values
    backend64.compile(training.program(training.batches[0]))(1)
    found = backend64.to_host(stack.parameters.gradients)

    def loss_at(place):
        backend64.from_host(place, out=values)
        network.forward(X)
        return network.backward(target, weights)

    loss_at(start)
    expected = backend64.to_host(stack.parameters.gradients)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14 * max(1, np.abs(expected).max()))
    h, size = 1e-5, np.linalg.norm(found)
    for _ in range(3):
        direction = rng.normal(size=found.shape) * (expected != 0)
        slope = (loss_at(start + h * direction) - loss_at(start - h * direction)) / (2 * h)
        assert abs(slope - found @ direction) < 1e-6 * max(1, size)


def test_a_wrong_gradient_is_found(monkeypatch):
    """The check can fail: with sigmoid's slope taken from the wrong side it does."""
    backend = NumpyBackend("float64", replay="calls")
    network = Network([Dense(3, 4, "sigmoid"), Dense(4, 2)], "half_squared_error", seed=0, backend=backend)
    rng = np.random.default_rng(0)
    X, target = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    assert gradcheck(network, X, target) < 1e-7
    right = type(backend).activation_backward

    def wrong(self, gradient, point, activation, *, out, bias_gradient):
        right(self, gradient, point, tanh().formula, out=out, bias_gradient=bias_gradient)

    monkeypatch.setattr(type(backend), "activation_backward", wrong)
    assert gradcheck(network, X, target) > 1e-2


def test_float32_is_refused():
    network = Network([Dense(3, 2)], "half_squared_error", device="cpu")
    with pytest.raises(ValueError, match="float64"):
        gradcheck(network, np.zeros((1, 3)), np.zeros((1, 2)))

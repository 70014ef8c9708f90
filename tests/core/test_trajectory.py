"""Two hundred steps from the same start over the same batches end at the same weights, to 1e-10."""

import itertools
import warnings

import numpy as np
import pytest
import textbook
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from fuseprop import MomentumSGD, Network, mlp

LOSSES = ["half_squared_error", "mean_squared_error", "sigmoid_cross_entropy", "softmax_cross_entropy"]

PAIRS = [
    *itertools.product(["sigmoid", "tanh", "relu"], LOSSES),
    *zip(textbook.FUNCTION, itertools.repeat("huber")),
    *(
        (activation, loss)
        for loss, activation in zip(textbook.LOSSES, itertools.cycle(["tanh", "gelu", "elu"]))
    ),
]
"""Some in every combination, and each that the textbook has."""


def data(loss, rows=80, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 6))
    scores = np.tanh(X @ rng.normal(size=(6, 3)))
    if loss == "softmax_cross_entropy":
        return X, scores.argmax(axis=1)
    if loss == "half_poisson_deviance":
        return X, np.floor(np.exp(2 * scores))
    if loss == "hinge":
        return X, np.where(scores > 0, 1.0, -1.0)
    return X, (scores > 0).astype(float) if loss == "sigmoid_cross_entropy" else scores


def assert_weights(network, expected):
    for (w, b), (expected_w, expected_b) in zip(network.weights(), expected, strict=True):
        np.testing.assert_allclose(w, expected_w, rtol=0, atol=1e-10)
        np.testing.assert_allclose(b, expected_b, rtol=0, atol=1e-10)


@pytest.mark.replays
@pytest.mark.pairs
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("activation", "loss"), dict.fromkeys(PAIRS))
def test_against_the_textbook(backend64, loss, activation, weighted, nesterov):
    """fit, unshuffled, with a partial last batch: 40 epochs of 5 batches."""
    X, target = data(loss, rows=76)
    gentle = "exponential" in activation or "poisson" in loss  # steps that go far magnify rounding
    X, rate = (0.2 * X, 0.005) if gentle else (X, 0.05)
    sample_weight = np.random.default_rng(1).uniform(0, 2, len(X)) if weighted else None
    network = Network(mlp([6, 7, 5, 3], activation), loss, seed=0, backend=backend64)
    start = network.weights()
    row_weights = np.ones(len(X)) if sample_weight is None else sample_weight
    batches = [
        (X[i : i + 16], target[i : i + 16], row_weights[i : i + 16]) for i in range(0, len(X), 16)
    ] * 40
    names = [activation, activation, "identity"]
    expected, losses = textbook.train(start, names, loss, batches, rate, 0.6, 1e-3, nesterov)

    optimizer = MomentumSGD(rate, 0.6, weight_decay=1e-3, nesterov=nesterov)
    history = network.fit(
        X, target, optimizer, epochs=40, batch_size=16, shuffle=False, sample_weight=sample_weight
    )
    assert_weights(network, expected)
    if not weighted:
        sizes = [16, 16, 16, 16, 12]
        np.testing.assert_allclose(history.train_loss[-1], np.average(losses[-5:], weights=sizes), atol=1e-10)


@pytest.mark.replays
@pytest.mark.parametrize("output", ["sigmoid", "tanh"])
def test_squared_error_on_an_activated_output(backend64, output):
    """A sigmoid or tanh output with a squared loss, step by step through train_step."""
    X, target = data("half_squared_error")
    network = Network(
        mlp([6, 4, 3], output_activation=output), "half_squared_error", seed=0, backend=backend64
    )
    expected, losses = textbook.train(
        network.weights(), ["sigmoid", output], network.loss, [(X, target, np.ones(len(X)))] * 200, 0.3, 0.6
    )
    optimizer = MomentumSGD(0.3, 0.6)
    seen = [network.train_step(X, target, optimizer) for _ in range(200)]
    assert_weights(network, expected)
    np.testing.assert_allclose(seen, losses, atol=1e-10)


@pytest.mark.replays
def test_one_row_at_a_time_and_all_rows_at_once(backend64):
    """Any batch size, from one row to more than there are."""
    X, target = data("mean_squared_error", rows=40)
    for size, steps in ((1, 5), (40, 200), (1000, 200)):
        network = Network(mlp([6, 4, 3]), "mean_squared_error", seed=0, backend=backend64)
        cut = min(size, 40)
        batches = [(X[i : i + cut], target[i : i + cut], np.ones(cut)) for i in range(0, 40, cut)] * steps
        expected, _ = textbook.train(
            network.weights(), ["sigmoid", "identity"], network.loss, batches, 0.05, 0.6
        )
        network.fit(X, target, MomentumSGD(0.05, 0.6), epochs=steps, batch_size=size, shuffle=False)
        assert_weights(network, expected)


def sklearn_from(estimator_class, start, **parameters):
    """scikit-learn's MLP, made to start from the given weights."""

    class FromHere(estimator_class):
        def _init_coef(self, fan_in, fan_out, dtype):
            weights, bias = remaining.pop(0)
            assert weights.shape == (fan_in, fan_out)
            return weights.astype(dtype), bias.astype(dtype)

    remaining = [(w.copy(), b.copy()) for w, b in start]
    return FromHere(solver="sgd", learning_rate="constant", shuffle=False, tol=0, **parameters)


@pytest.mark.replays
@pytest.mark.pairs
@pytest.mark.parametrize("task", ["classes", "labels", "values"])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("nesterov", [False, True])
def test_against_scikit_learn(backend64, task, alpha, weighted, nesterov):
    """scikit-learn divides its alpha by the weight of a batch, here the same in every batch."""
    loss = {"classes": LOSSES[3], "labels": LOSSES[2], "values": LOSSES[0]}[task]
    X, target = data(loss, rows=80)
    if task == "values":  # scikit-learn's gradient for several outputs is not that of its loss
        target = target[:, :1]
    outputs = 1 if task == "values" else 3
    network = Network(mlp([6, 7, outputs], "tanh"), loss, seed=0, backend=backend64)
    weight = np.tile(np.random.default_rng(2).uniform(0.5, 2.0, 20), 4) if weighted else None
    batch_weight = 20.0 if weight is None else weight[:20].sum()

    peer = sklearn_from(
        MLPRegressor if task == "values" else MLPClassifier,
        network.weights(),
        hidden_layer_sizes=(7,),
        activation="tanh",
        alpha=alpha,
        batch_size=20,
        learning_rate_init=0.1,
        momentum=0.6,
        nesterovs_momentum=nesterov,
        max_iter=50,
        n_iter_no_change=1000,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        peer.fit(X, target[:, 0] if task == "values" else target, sample_weight=weight)

    optimizer = MomentumSGD(0.1, 0.6, weight_decay=alpha / batch_weight, nesterov=nesterov)
    network.fit(X, target, optimizer, epochs=50, batch_size=20, shuffle=False, sample_weight=weight)
    assert peer.n_iter_ == 50
    assert_weights(network, list(zip(peer.coefs_, peer.intercepts_, strict=True)))

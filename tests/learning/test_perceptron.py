"""The perceptron: converges where a line separates, says so where none does, and shows the line."""

import warnings

import numpy as np
import pytest

from fuseprop import Network, NotSeparable, Perceptron, mlp
from fuseprop.backend.expression import number
from fuseprop.formulas import step
from fuseprop.perceptron import STEP

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


def separated(rng, n, d, margin=0.1):
    """Points at least `margin` away from a random hyperplane, and their sides."""
    normal, offset = rng.normal(size=d), rng.normal(scale=0.3)
    normal /= np.linalg.norm(normal)
    X = rng.normal(size=(3 * n, d))
    distance = X @ normal - offset
    keep = np.abs(distance) > margin
    return X[keep][:n], (distance[keep] > 0)[:n].astype(int)


@pytest.mark.parametrize("target", [[0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 0]])
def test_every_separable_function_of_two_bits_is_learned(backend, target):
    learner = Perceptron(0.5, seed=0, backend=backend)
    assert learner.fit(CORNERS, target)
    assert learner.converged
    assert learner.mistakes[-1] == 0
    assert all(learner.mistakes[:-1])
    np.testing.assert_array_equal(learner.predict(CORNERS), target)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("d", [1, 2, 5])
def test_it_converges_on_separable_sets(backend64, seed, d):
    X, target = separated(np.random.default_rng(seed), 60, d)
    learner = Perceptron(0.1, epochs=2000, seed=seed, backend=backend64)
    assert learner.fit(X, target)
    np.testing.assert_array_equal(learner.predict(X), target)
    weights, bias = learner.weights()
    assert ((X @ weights + bias > 0) == target).all()


def test_xor_is_named(backend):
    learner = Perceptron(epochs=30, seed=0, backend=backend)
    with pytest.warns(NotSeparable, match=r"mistakes in the last of 30 epochs.*no line.*hidden layer"):
        assert not learner.fit(CORNERS, [0, 1, 1, 0])
    assert learner.converged is False
    assert len(learner.mistakes) == 30
    assert min(learner.mistakes) > 0


def ruled(X, target, rate, *, epochs, seed):
    """Return weights with the bias below them, and mistakes, by w = w + a (t - y) (x, 1) row by row."""
    order_rng, w, mistakes = np.random.default_rng(seed), np.zeros(X.shape[1] + 1), []
    for _ in range(epochs):
        mistakes.append(0)
        for i in order_rng.permutation(len(X)):
            x = np.append(X[i], 1.0)
            error = target[i] - (x @ w > 0)
            w += rate * error * x
            mistakes[-1] += abs(error)
    return w, mistakes


def test_the_rule_itself(backend64):
    """From zero, against the rule written out."""
    rng = np.random.default_rng(3)
    X, target = rng.normal(size=(20, 3)), rng.integers(0, 2, 20)
    learner = Perceptron(0.3, epochs=4, seed=9, backend=backend64)
    with pytest.warns(NotSeparable):
        learner.fit(X, target)
    w, mistakes = ruled(X, target, 0.3, epochs=4, seed=9)
    weights, bias = learner.weights()
    np.testing.assert_allclose([*weights, bias], w, atol=1e-12)
    assert learner.mistakes == mistakes


@pytest.mark.parametrize("d", [1, 3, 40])
def test_whole_numbers_follow_the_rule_to_the_bit(backend, d):
    """Their sums are exact, whatever the order in which a backend adds."""
    rng = np.random.default_rng(d)
    X, target = rng.integers(-9, 10, (30, d)), np.arange(30) % 2
    X[1] = X[0]  # of which one is a 0 and the other a 1
    learner = Perceptron(0.5, epochs=6, seed=4, backend=backend)
    with pytest.warns(NotSeparable):
        learner.fit(X, target)
    w, mistakes = ruled(X, target, 0.5, epochs=6, seed=4)
    weights, bias = learner.weights()
    np.testing.assert_array_equal([*weights, bias], w)
    assert learner.mistakes == mistakes


def test_the_boundary_is_where_the_answer_changes(backend64):
    X, target = separated(np.random.default_rng(1), 80, 2)
    learner = Perceptron(epochs=1000, seed=0, backend=backend64)
    learner.fit(X, target)
    words = learner.boundary().split()  # x2 = slope x1 + intercept
    assert (words[0], words[1], words[3]) == ("x2", "=", "x1")
    slope, intercept = float(words[2]), float(words[4] + words[5])
    above, below = ([[x1, slope * x1 + intercept + step] for x1 in (-1, 0, 2)] for step in (0.05, -0.05))
    assert (learner.predict(above) != learner.predict(below)).all()


@pytest.mark.parametrize(
    ("X", "target", "text"),
    [
        ([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1], "x1 = "),
        (np.eye(3), [1, 0, 0], " x3"),
        ([[0.0, 0.0], [4.0, 0.0]], [0, 1], "x1 = "),
        ([[1.0, 2.0], [2.0, 1.0]], [0, 0], "no boundary"),
    ],
)
def test_boundaries_of_other_shapes(backend64, X, target, text):
    learner = Perceptron(seed=0, backend=backend64)
    assert learner.fit(X, target)
    assert text in learner.boundary()


def test_bad_input_is_refused(backend64):
    learner = Perceptron(backend=backend64)
    for X, target, message in (
        (CORNERS, [-1, 1, 1, -1], "answers 0 or 1, but target holds -1"),
        (CORNERS, [0, 1], r"shape \(4,\)"),
        (CORNERS, [0, 1, np.nan, 0], "contains nan"),
        ([1.0, 2.0], [0, 1], r"reshape\(-1, 1\)"),
    ):
        with pytest.raises(ValueError, match=message):
            learner.fit(X, target)
    for call in (learner.weights, learner.boundary, lambda: learner.predict(CORNERS)):
        with pytest.raises(RuntimeError, match="call fit"):
            call()
    with pytest.raises(ValueError, match="learning_rate"):
        Perceptron(0.0, backend=backend64)
    with pytest.raises(ValueError, match="epochs"):
        Perceptron(epochs=0, backend=backend64)


def test_its_step_is_that_of_networks_but_for_the_slope():
    assert STEP.formula.value is step().formula.value
    assert STEP.formula.slope is number(1)


def test_no_warning_where_there_is_nothing_to_warn_of(backend64):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Perceptron(seed=0, backend=backend64).fit(CORNERS, [0, 0, 0, 1])


def test_a_network_with_a_hidden_layer_learns_what_it_cannot(backend64):
    network = Network(mlp([2, 8, 1], "tanh"), "sigmoid_cross_entropy", seed=0, backend=backend64)
    network.fit(CORNERS, [0, 1, 1, 0], epochs=300, batch_size=4)
    assert network.classify(CORNERS).ravel().tolist() == [0, 1, 1, 0]


def test_weights_that_overflow_are_refused(backend):
    """Nothing of the failed fit is kept."""
    learner = Perceptron(1e30, seed=0, backend=backend)
    learner.fit([[1.0], [-1.0]], [1, 0])
    before, mistakes = learner.weights(), learner.mistakes
    large = float(np.finfo(backend.dtype).max) / 2
    with pytest.raises(OverflowError, match=r"weights became too large for float.*Standardize X"):
        learner.fit([[large], [-large], [large]], [1, 0, 0])
    assert learner.mistakes is mistakes
    assert learner.converged
    np.testing.assert_array_equal(learner.weights()[0], before[0])

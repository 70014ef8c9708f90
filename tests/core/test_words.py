"""Wrong arguments of layers, networks and optimizers: a sentence each, and nothing has changed."""

from math import inf, nan

import numpy as np
import pytest

import fuseprop
from fuseprop import Adam, Dense, MomentumSGD, Network, Perceptron, load_backend, mlp
from fuseprop.callbacks import EarlyStopping, HistoryCSV, OnEpochEnd, SaveBest
from fuseprop.schedules import Constant, Cosine, Exponential, InverseScaling, Step

HALF = "half_squared_error"
X = np.random.default_rng(0).normal(size=(6, 2))
TARGET = X.sum(axis=1)


@pytest.fixture
def network(backend):
    return Network(mlp([2, 3, 1]), HALF, seed=0, backend=backend)


@pytest.mark.parametrize("sizes", [3, None, "32", 2.5, {2, 3}, {2: 3}])
def test_sizes_that_are_no_sequence(sizes):
    with pytest.raises(TypeError, match=r"sizes must be a sequence such as \[64, 32, 10\].*got "):
        mlp(sizes)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mlp([2, 3.5, 1]), ValueError, "outputs of at least 1, got 3.5"),
        (lambda: mlp([2, 3, 1], 5), ValueError, "activation 5 is not known. Choose from"),
        (lambda: mlp([2, 3, 1], dropout=None), ValueError, "dropout must be .* got None"),
        (lambda: mlp([2, 3, 1], dropout=True), ValueError, "dropout must be .* got True"),
        (lambda: mlp([2, 3, 1], initializer=5), ValueError, "initializer 5 is not known. Choose from"),
        (lambda: mlp([2, 3, 1], dropout=[0.1, 0.2]), ValueError, "2 entries for 1 hidden layer "),
        (lambda: Dense(2, 1, weights="ones"), TypeError, "weights must hold real numbers"),
        (lambda: Dense(2, 1, bias=[None]), ValueError, "bias must be finite"),
        (lambda: Network(3, HALF), TypeError, r"layers must be a sequence such as mlp\(.* got 3"),
        (lambda: Network(None, HALF), TypeError, "layers must be a sequence .* got None"),
        (lambda: Network([Dense(2, 2), Dense(1, 1)], HALF), ValueError, "takes 1 input, but layer 1"),
        (lambda: Perceptron(learning_rate=None), ValueError, "must be a number above 0, got None"),
        (lambda: Perceptron(learning_rate=Constant(1)), ValueError, "learning_rate must be a number above 0"),
        (lambda: Perceptron(backend="numpy"), TypeError, "backend must be a backend object"),
        (lambda: MomentumSGD(True), ValueError, "learning_rate must be a number above 0, got True"),
        (lambda: MomentumSGD(Cosine), ValueError, "learning_rate is the class Cosine; give an object"),
        (lambda: MomentumSGD(nesterov="no"), TypeError, "nesterov must be True or False, got 'no'"),
        (lambda: MomentumSGD(weight_decay=None), ValueError, "weight_decay must be .* got None"),
        (lambda: MomentumSGD(weight_decay="a"), ValueError, "weight_decay must be a number of at least 0"),
        (lambda: Adam(weight_decay=[1, [2]]), ValueError, "weight_decay must be a number of at least 0"),
        (lambda: Adam(beta_1=np.ma.masked), ValueError, "beta_1 must be at least 0 and below 1, got masked"),
        (lambda: EarlyStopping(3, None), ValueError, "min_delta must be a number of at least 0, got None"),
    ],
)  # fmt: skip
def test_constructors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_an_initializer_that_cannot_be_called(backend):
    layers = mlp([2, 1], initializer=lambda: 0)
    with pytest.raises(
        TypeError, match=r"could not draw weights.*numpy.random.Generator, inputs and outputs"
    ):
        Network(layers, HALF, backend=backend)


@pytest.mark.parametrize("seed", [-1, 2.5, "7", True, nan, object()])
def test_a_bad_seed(backend, seed):
    for made in (
        lambda: Network(mlp([2, 1]), HALF, seed=seed, backend=backend),
        lambda: Perceptron(seed=seed),
    ):
        with pytest.raises(
            ValueError, match=r"seed must be a whole number of at least 0, a numpy.random.Gen"
        ):
            made()


BAD_RATES = [None, "0.1", -0.1, nan, inf, 1j, True, [0.1], np.array([0.1, 0.2]), 10**400]


@pytest.mark.parametrize("rate", BAD_RATES, ids=lambda rate: f"{rate!r:.20}")
@pytest.mark.parametrize("kind", [MomentumSGD, Adam])
def test_schedules_that_return_no_rate(network, kind, rate):
    before = network.weights()[0][0]
    for call in (
        lambda: network.fit(X, TARGET, kind(learning_rate=lambda epoch: rate)),
        lambda: network.train_step(X, TARGET, kind(learning_rate=lambda epoch: rate)),
    ):
        with pytest.raises(ValueError, match=r"gave the learning rate .* for epoch 0.*number of at least 0"):
            call()
    np.testing.assert_array_equal(network.weights()[0][0], before)


def test_schedules_that_cannot_be_called_or_overflow(network):
    with pytest.raises(
        TypeError, match=r"could not be asked for the learning rate of epoch 0: .*lambda epoch"
    ):
        network.fit(X, TARGET, MomentumSGD(lambda: 0.1))
    with pytest.raises(ValueError, match="gave the learning rate inf for epoch 1"):
        network.fit(X, TARGET, MomentumSGD(lambda epoch: 1e-9 * 1e300 ** (2.0 * epoch)))


@pytest.mark.parametrize("bad", [None, "1", nan, -1.0, True, np.ma.masked], ids=repr)
def test_schedules_of_no_numbers(bad):
    for call in (
        lambda: Constant(bad),
        lambda: Step(0.1, factor=bad),
        lambda: Exponential(bad),
        lambda: Cosine(0.1, bad),
        lambda: Cosine(0.1, 5, end=bad),
        lambda: InverseScaling(0.1, bad),
    ):
        with pytest.raises(ValueError, match=r"must be (a number above 0|in)"):
            call()


def test_a_number_that_the_dtype_does_not_hold():
    network = Network(mlp([2, 1]), HALF, seed=0, backend=load_backend("cpu", "float32"))
    before = network.weights()[0][0]
    big = np.full((2, 1), 1e308)
    for call, what in (
        (lambda: network.set_weights([(big, [0])]), "the weight matrix of layer 1 contains 1e.308"),
        (lambda: network.set_weights([(np.ones((2, 1)), [1e308])]), "the bias of layer 1 contains 1e.308"),
        (
            lambda: Network([Dense(2, 1, weights=big)], HALF, backend=network.backend),
            "weight matrix of layer 1",
        ),
        (lambda: network.fit(X, 1e300 * TARGET), r"target contains .*e.29\d in row 0"),
        (lambda: network.fit(X, TARGET, validation=(X, 1e300 * TARGET)), "target contains"),
        (lambda: network.evaluate(X, 1e300 * TARGET), "target contains"),
        (lambda: network.train_step(X, 1e300 * TARGET, MomentumSGD()), "target contains"),
        (lambda: Perceptron(backend=network.backend).fit(1e300 * X, TARGET > 0), "X contains"),
        (lambda: network.fit(X, TARGET, MomentumSGD(1e300)), "a number that is too large for float32"),
    ):
        with pytest.raises(ValueError, match=what):
            call()
    np.testing.assert_array_equal(network.weights()[0][0], before)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (None, TypeError, r"must be a sequence such as \[\(weights, bias\), ...\], as .*it, got None"),
        ([None, None], TypeError, r"layer 1 needs a pair \(weights, bias\), got None"),
        ([(np.ones((2, 3)), np.ones(3)), (np.ones((3, 1)), None)], TypeError, "layer 2 needs a pair"),
        ([(np.ones((2, 3)), np.ones(3))], ValueError, "weights and bias of 2 layers, got 1"),
        ([(np.ones((2, 3)), np.ones(3)), (np.ones((3, 1)), "a")], TypeError, "bias must hold real numbers"),
        ([(np.ones((2, 3)), np.ones(3)), (np.ones((3, 2)), [0])], ValueError, r"must have shape \(3, 1\)"),
    ],
)  # fmt: skip
def test_set_weights(network, given, error, message):
    before = network.weights()
    with pytest.raises(error, match=message):
        network.set_weights(given)
    for (w, b), (old_w, old_b) in zip(network.weights(), before, strict=True):
        np.testing.assert_array_equal(w, old_w)
        np.testing.assert_array_equal(b, old_b)


def test_flags_and_callbacks_of_fit(network):
    for name in ("shuffle", "progress", "norms"):
        with pytest.raises(TypeError, match=f"{name} must be True or False, got 'no'"):
            network.fit(X, TARGET, **{name: "no"})
    called = []
    made = (OnEpochEnd(lambda history: called.append(history.epochs)) for _ in range(1))
    network.fit(X, TARGET, epochs=2, callbacks=made)
    assert called == [1, 2]


def test_sample_weights_that_add_up_to_too_much(network):
    with pytest.raises(ValueError, match="sample_weight adds up to more than float64 can hold"):
        network.fit(X, TARGET, sample_weight=np.full(6, 1e308))


def test_an_optimizer_is_bound_by_a_step_that_is_taken_only(network, backend):
    optimizer = MomentumSGD()
    with pytest.raises(ValueError, match="3 features"):
        network.train_step(np.ones((2, 3)), [1, 2], optimizer)
    other = Network(mlp([2, 1]), HALF, seed=0, backend=backend)
    other.train_step(X, TARGET, optimizer)


def test_class_numbers_that_no_integer_holds(backend):
    network = Network(mlp([2, 3]), "softmax_cross_entropy", seed=0, backend=backend)
    with pytest.raises(ValueError, match=r"must be whole; got 1e.300"):
        network.fit(X, np.full(6, 1e300))


@pytest.mark.parametrize("path", [None, 3, b"m"])
def test_what_is_no_path(path):
    model, _ = fuseprop.train("xor", epochs=1, device="cpu")
    for call in (
        lambda: SaveBest(model, path),
        lambda: HistoryCSV(path),
        lambda: model.save(path),
        lambda: fuseprop.load(path),
    ):
        with pytest.raises(TypeError, match=r'a path such as "\w+.\w+" is needed, got (None|3|b\'m\')'):
            call()


def test_counts_of_one():
    with pytest.raises(ValueError, match="one entry for each row of X, 1 row, got shape"):
        Network(mlp([2, 1]), HALF, device="cpu").fit(X[:1], TARGET)
    with pytest.raises(ValueError, match="activation has 2 entries for 1 hidden layer; give"):
        fuseprop.train("xor", hidden=(3,), activation=("tanh", "relu"))
    network = Network(mlp([2, 1]), HALF, device="cpu")
    with pytest.raises(ValueError, match="X has 1 feature, but"):
        network.predict(X[:, :1])
    with pytest.raises(ValueError, match=r"the network has 1 output: \(6, 1\)"):
        network.fit(X, np.ones((6, 2)))
    with pytest.raises(ValueError, match=r"1 such value in all"):
        network.predict([[nan, 1.0]])
    with pytest.warns(UserWarning, match="made 1 mistake in its only epoch. .* the 3 rows"):
        Perceptron(epochs=1, seed=0).fit(X[:3], [0, 1, 0])

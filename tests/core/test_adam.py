"""Adam against a textbook and scikit-learn; and numbers that differ from step to step."""

import warnings

import numpy as np
import pytest
import textbook
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from fuseprop import Adam, DivergenceError, MomentumSGD, Network, mlp
from fuseprop.layers.parameters import Parameters
from fuseprop.schedules import Exponential

RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(44, 3)), RNG.normal(size=(44, 2))
BATCH, BATCHES = 16, 3  # the last batch has 12 rows
LOSS = "half_squared_error"


def network(backend, loss=LOSS):
    return Network(mlp([3, 5, 2], "tanh"), loss, seed=0, backend=backend)


def learn(made, optimizer, epochs=1):
    return made.fit(X, T, optimizer, epochs=epochs, batch_size=BATCH, shuffle=False)


def batches(epochs):
    return [(X[i : i + BATCH], T[i : i + BATCH]) for i in range(0, len(X), BATCH)] * epochs


def adam_by_the_book(weights, steps, rates, b1, b2, epsilon, decays):
    """Algorithm 1 of the paper, moments corrected one by one; in float64, layer by layer."""
    flat = [array.copy() for pair in weights for array in pair]
    m, v = [0 * w for w in flat], [0 * w for w in flat]
    for t, ((x, target), rate, decay) in enumerate(zip(steps, rates, decays, strict=True), 1):
        pairs = list(zip(flat[::2], flat[1::2], strict=True))
        _, gradients = textbook.loss_and_gradients(
            pairs, ["tanh", "identity"], LOSS, x, target, np.ones(len(x))
        )
        for i, g in enumerate(g for pair in gradients for g in pair):
            if flat[i].ndim == 2:
                g = g + decay * flat[i]
            m[i], v[i] = b1 * m[i] + (1 - b1) * g, b2 * v[i] + (1 - b2) * g * g
            correct = np.sqrt(v[i] / (1 - b2**t)) + epsilon / np.sqrt(1 - b2**t)
            flat[i] = flat[i] - rate * m[i] / (1 - b1**t) / correct
    return list(zip(flat[::2], flat[1::2], strict=True))


def assert_weights(ours, theirs, tolerance=1e-12):
    for pair, other in zip(ours, theirs, strict=True):
        for array, expected in zip(pair, other, strict=True):
            np.testing.assert_allclose(array, expected, rtol=tolerance, atol=tolerance)


def same(a, b):
    for pair, other in zip(a.weights(), b.weights(), strict=True):
        for array, expected in zip(pair, other, strict=True):
            np.testing.assert_array_equal(array, expected)


@pytest.mark.replays
@pytest.mark.parametrize("decay", [0.0, 0.05])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.5), (0.5, 0.99)])
def test_200_steps_by_the_book(backend64, betas, decay):
    made = network(backend64)
    steps = batches(67)
    rates = [rate for epoch in range(67) for rate in [0.01 * 0.99**epoch] * BATCHES]
    expected = adam_by_the_book(made.weights(), steps, rates, *betas, 1e-8, [decay] * len(steps))
    learn(made, Adam(Exponential(0.01, 0.99), *betas, weight_decay=decay), epochs=67)
    assert_weights(made.weights(), expected, 1e-10)


def test_the_first_step_is_as_long_as_it_should_be(backend):
    """In float32, 1 - 0.999 is off by 1e-5 of itself, which the correction takes into account."""
    parameters = Parameters(backend, [(3, 5)])
    backend.from_host(np.linspace(1, 2, 64), out=parameters.gradients)
    optimizer = Adam(0.01, epsilon=1e-30)
    optimizer.prepare(parameters, 1)
    optimizer.update(backend, parameters)
    eps = np.finfo(backend.dtype).eps
    np.testing.assert_allclose(backend.to_host(parameters.values), -0.01, rtol=16 * eps)


@pytest.mark.replays
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_scikit_learn_divides_its_alpha_by_the_rows_of_a_batch(backend64, solver):
    made = Network(mlp([3, 5, 1], "tanh"), LOSS, seed=0, backend=backend64)
    remaining = [(w.copy(), b.copy()) for w, b in made.weights()]

    class FromHere(MLPRegressor):
        def _init_coef(self, fan_in, fan_out, dtype):
            return remaining.pop(0)

    peer = FromHere(
        hidden_layer_sizes=(5,),
        activation="tanh",
        solver=solver,
        alpha=0.3,
        batch_size=BATCH,
        learning_rate_init=0.01,
        shuffle=False,
        max_iter=30,
        n_iter_no_change=1000,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        peer.fit(X, T[:, 0])
    decays = 0.3 / np.array([16, 16, 12])
    optimizer = (
        Adam(0.01, weight_decay=decays)
        if solver == "adam"
        else MomentumSGD(0.01, 0.9, weight_decay=decays, nesterov=True)
    )
    made.fit(X, T[:, :1], optimizer, epochs=30, batch_size=BATCH, shuffle=False)
    assert_weights(made.weights(), list(zip(peer.coefs_, peer.intercepts_, strict=True)))


@pytest.mark.parametrize("rule", [Adam, MomentumSGD])
def test_equal_decays_for_each_step_are_one_decay_for_all(backend, rule):
    """But for rounding: where they are the same all along, a backend may scale by the rate sooner."""
    each, one = network(backend), network(backend)
    learn(each, rule(0.01, weight_decay=[0.1] * BATCHES), epochs=3)
    learn(one, rule(0.01, weight_decay=0.1), epochs=3)
    assert_weights(each.weights(), one.weights(), 100 * np.finfo(backend.dtype).eps)


@pytest.mark.replays
def test_decays_may_change_between_epochs(backend64):
    made = network(backend64)
    optimizer = MomentumSGD(0.05, 0.5, weight_decay=np.zeros(BATCHES))
    expected, velocities = made.weights(), None
    decays = [[0.1, 0.2, 0.3], [0.3, 0.0, 0.1]]
    steps = zip(batches(2), np.ravel(decays), strict=True)

    class Change:
        def start(self, epochs, history):
            self.end(history)

        def epoch_end(self, history):
            optimizer.weight_decay = decays[min(history.epochs, 1)]

        def end(self, history):
            optimizer.weight_decay = decays[0]

    made.fit(X, T, optimizer, epochs=2, batch_size=BATCH, shuffle=False, callbacks=[Change()])
    velocities = [(0 * w, 0 * b) for w, b in expected]
    for (x, t), decay in steps:
        _, gradients = textbook.loss_and_gradients(
            expected, ["tanh", "identity"], LOSS, x, t, np.ones(len(x))
        )
        velocities = [
            (0.5 * vw - 0.05 * (gw + decay * w), 0.5 * vb - 0.05 * gb)
            for (vw, vb), (gw, gb), (w, _) in zip(velocities, gradients, expected, strict=True)
        ]
        expected = [(w + vw, b + vb) for (w, b), (vw, vb) in zip(expected, velocities, strict=True)]
    assert_weights(made.weights(), expected)


def test_moments_go_on_from_fit_to_fit(backend):
    twice, once = network(backend), network(backend)
    optimizer = Adam(0.01, weight_decay=0.01)
    learn(twice, optimizer, epochs=2)
    assert (optimizer.epochs, optimizer.steps) == (2, 2 * BATCHES)
    learn(twice, optimizer, epochs=3)
    learn(once, Adam(0.01, weight_decay=0.01), epochs=5)
    same(twice, once)


@pytest.mark.replays
def test_replayed_steps_are_the_steps(backend64):
    replayed, called = network(backend64), network(backend64)
    learn(replayed, Adam(0.01), epochs=4)
    optimizer = Adam(0.01)
    for x, t in batches(4):
        called.train_step(x, t, optimizer)
    assert optimizer.steps == 4 * BATCHES
    assert_weights(replayed.weights(), called.weights())


def test_fits_of_different_lengths_with_one_optimizer(backend):
    """The table of settings grows; steps of one batch and of many take turns."""
    turns, steps = network(backend), network(backend)
    optimizer, other = Adam(0.01), Adam(0.01)
    for size in (44, 4, 16):
        turns.fit(X, T, optimizer, epochs=2, batch_size=size, shuffle=False)
        turns.train_step(X, T, optimizer)
        for i in [*range(0, 44, size)] * 2:
            steps.train_step(X[i : i + size], T[i : i + size], other)
        steps.train_step(X, T, other)
    assert optimizer.steps == other.steps == 2 * (1 + 11 + 3) + 3
    tolerance = 1e-12 if backend.dtype == np.float64 else 1e-4
    assert_weights(turns.weights(), steps.weights(), tolerance)


def test_reset_forgets(backend):
    optimizer, fresh = Adam(0.01), Adam(0.01)
    made, other = network(backend), network(backend)
    learn(made, optimizer, epochs=2)
    optimizer.reset()
    assert optimizer.steps == 0
    assert not any(backend.to_host(moment).any() for moment in optimizer.moments)
    other.set_weights(made.weights())
    learn(made, optimizer)
    learn(other, fresh)
    same(made, other)


def test_divergence_forgets_too(backend):
    made = network(backend)
    optimizer = Adam(0.01)
    learn(made, optimizer)
    optimizer.learning_rate = float(np.finfo(backend.dtype).max) / 10
    with pytest.raises(DivergenceError, match=r"epoch 1, batch \d of 3"):
        learn(made, optimizer, epochs=2)
    assert optimizer.steps == 0
    assert not any(backend.to_host(moment).any() for moment in optimizer.moments)
    optimizer.learning_rate = 0.01
    assert np.isfinite(learn(made, optimizer).train_loss).all()


class Stop:
    """Interrupts after the second batch."""

    def start(self, epochs, history):
        pass

    def batch_end(self, history, batch):
        if batch == 2:
            raise KeyboardInterrupt

    def epoch_end(self, history):
        pass

    def end(self, history):
        pass


def test_an_interrupted_epoch_counts_the_steps_taken(backend):
    interrupted, by_hand = network(backend), network(backend)
    optimizer, other = Adam(0.01), Adam(0.01)
    with pytest.warns(UserWarning, match="interrupted in epoch 1"):
        interrupted.fit(X, T, optimizer, batch_size=BATCH, shuffle=False, callbacks=[Stop()])
    assert optimizer.steps == 2
    for x, t in batches(1)[:2]:
        by_hand.train_step(x, t, other)
    interrupted.train_step(X, T, optimizer)
    by_hand.train_step(X, T, other)
    assert_weights(interrupted.weights(), by_hand.weights(), 1e-12 if backend.dtype == np.float64 else 1e-5)


@pytest.mark.replays
def test_clipping(backend64):
    clipped, free = network(backend64), network(backend64)
    clipped.train_step(X, T, Adam(0.01, clip_norm=1e-3))
    free.train_step(X, T, Adam(0.01))
    ours, theirs = (np.concatenate([g.ravel() for p in n.gradients() for g in p]) for n in (clipped, free))
    assert np.linalg.norm(ours) == pytest.approx(1e-3, rel=1e-12)
    np.testing.assert_allclose(ours, theirs * 1e-3 / np.linalg.norm(theirs), rtol=1e-12)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"learning_rate": 0}, "learning_rate must be a number above 0, got 0"),
        ({"learning_rate": float("inf")}, "learning_rate"),
        ({"beta_1": 1.0}, r"beta_1 must be at least 0 and below 1, got 1\.0"),
        ({"beta_2": -0.1}, "beta_2"),
        ({"beta_2": float("nan")}, "beta_2"),
        ({"epsilon": 0}, "epsilon must be a number above 0, got 0"),
        ({"epsilon": float("inf")}, "epsilon"),
        ({"weight_decay": -1}, "weight_decay must be a number of at least 0, got -1"),
        ({"weight_decay": [0.1, float("nan")]}, "weight_decay"),
        ({"clip_norm": 0}, "clip_norm must be a number above 0, or None, got 0"),
    ],
)
def test_numbers_out_of_range_are_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        Adam(**numbers)


@pytest.mark.parametrize("numbers", [{"beta_2": 1 - 1e-9}, {"epsilon": 1e-40}])
def test_numbers_that_float32_cannot_tell_from_1_or_0(numbers):
    """Nothing would move, or 0 be divided by 0."""
    single, double = (
        Network(mlp([3, 2]), LOSS, seed=0, device="cpu", dtype=d) for d in ("float32", "float64")
    )
    with pytest.raises(ValueError, match=r"below 1 and epsilon at least 1\.2e-38 in float32.*float64"):
        learn(single, Adam(**numbers))
    assert np.isfinite(learn(double, Adam(**numbers)).train_loss).all()


@pytest.mark.parametrize("rule", [Adam, MomentumSGD])
def test_a_decay_for_each_step_needs_as_many_as_there_are(backend, rule):
    made = network(backend)
    before = network(backend)
    with pytest.raises(ValueError, match=r"one for each of the 3 steps of an epoch, got shape \(2,\)"):
        learn(made, rule(0.01, weight_decay=[0.1, 0.2]))
    same(made, before)


def test_one_optimizer_serves_one_network(backend):
    optimizer = Adam()
    with pytest.raises(RuntimeError, match="prepare"):
        optimizer.update(backend, network(backend).stack.parameters)
    learn(network(backend), optimizer)
    with pytest.raises(ValueError, match=r"another network.*Make a new Adam"):
        learn(network(backend), optimizer)

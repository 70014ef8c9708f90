"""Dropout: masks without memory, in training alone."""

import numpy as np
import pytest

from fuseprop import Adam, Dense, MomentumSGD, Network, gradcheck, mlp
from fuseprop.backend import INTEGER
from fuseprop.training.step import Buffers

RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(60, 4)), RNG.integers(0, 3, 60)
SOFTMAX = "softmax_cross_entropy"


def network(backend, dropout=0.5, seed=0, activation="tanh"):
    return Network(mlp([4, 12, 8, 3], activation, dropout=dropout), SOFTMAX, seed=seed, backend=backend)


def mask(backend, step, rate=0.5, seed=7, shape=(400, 250)):
    out = backend.empty(shape)
    at = backend.from_host(np.array([step]), dtype=INTEGER)
    backend.dropout(backend.from_host(np.ones(shape)), rate, seed, at, out=out)
    return backend.to_host(out) > 0


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_a_mask_keeps_its_share_everywhere(backend, rate):
    """Counts over all elements, rows and columns, of a step and of several: within 5 standard deviations."""
    kept = np.array([mask(backend, step, rate) for step in range(5)])
    for axes in ((1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
        shares = kept.mean(axis=axes)
        deviation = np.sqrt(rate * (1 - rate) * shares.size / kept.size)
        assert np.abs(shares - (1 - rate)).max() < 5 * deviation


def test_masks_do_not_follow_from_each_other(backend):
    """Neighbours in the row and in the column, steps and seeds agree as often as chance has it."""
    first = mask(backend, 0)
    pairs = [
        (first[:, 1:], first[:, :-1]),
        (first[1:], first[:-1]),
        *((first, mask(backend, step)) for step in (1, 2, 1000, 2**31)),
        *((first, mask(backend, 0, seed=seed)) for seed in (0, 8, 2**32 - 1)),
        (mask(backend, 3, seed=4), mask(backend, 4, seed=3)),
    ]
    for a, b in pairs:
        assert abs((a == b).mean() - 0.5) < 5 * 0.5 / np.sqrt(a.size)


def test_a_higher_rate_drops_more_of_the_same(backend):
    few, many = mask(backend, 0, rate=0.2), mask(backend, 0, rate=0.7)
    assert (few >= many).all()


def test_the_gradient_is_the_slope_behind_a_mask(backend64):
    for activation in ("sigmoid", "tanh"):
        made = network(backend64, dropout=[0.5, 0.3], activation=activation)
        assert gradcheck(made, X, LABELS, dropout=True) < 1e-7
        assert gradcheck(made, X, LABELS) < 1e-7
        made.forward(X, dropout=True)
        made.backward(LABELS)
        dropped = made.gradients()
        made.forward(X)
        made.backward(LABELS)
        assert np.abs(dropped[0][0] - made.gradients()[0][0]).max() > 1e-3


def test_predictions_and_scores_drop_nothing(backend):
    with_dropout, without = network(backend, seed=0), network(backend, dropout=0.0, seed=0)
    with_dropout.set_weights(without.weights())
    np.testing.assert_array_equal(with_dropout.predict(X), without.predict(X))
    np.testing.assert_array_equal(with_dropout.forward(X), without.forward(X))
    assert with_dropout.evaluate(X, LABELS) == without.evaluate(X, LABELS)
    assert with_dropout.backward(LABELS) == without.backward(LABELS)
    dropped = with_dropout.forward(X, dropout=True)
    np.testing.assert_array_equal(with_dropout.forward(X, dropout=True), dropped)
    assert not np.array_equal(dropped, without.forward(X))


def test_without_dropout_nothing_is_drawn_or_kept(backend):
    made = network(backend, dropout=0.0)
    assert made.stack.dropout is None
    assert made.rng.bit_generator.state == network(backend, 0.0).rng.bit_generator.state
    plain = Network(mlp([4, 12, 8, 3], "tanh"), SOFTMAX, seed=0, backend=backend)
    assert made.rng.bit_generator.state == plain.rng.bit_generator.state
    assert Buffers(backend, made.stack, 5, dropout=True).batch(5).dropped == [None] * 3
    assert Buffers(backend, network(backend).stack, 5).batch(5).dropped == [None] * 3


def test_every_step_draws_another_mask(backend):
    """The loss of steps that do not learn varies with the mask alone; without dropout it does not."""
    made, still = network(backend), MomentumSGD(lambda epoch: 0.0)
    losses = made.fit(X, LABELS, still, epochs=6, batch_size=60, shuffle=False).train_loss
    assert len(set(losses)) == 6
    counted = int(backend.to_host(made.stack.dropout.step)[0])
    assert counted == 6
    made.fit(X, LABELS, MomentumSGD(lambda epoch: 0.0), epochs=2, batch_size=16)
    made.train_step(X, LABELS, Adam())
    assert int(backend.to_host(made.stack.dropout.step)[0]) == 6 + 2 * 4 + 1


@pytest.mark.replays
def test_replayed_steps_are_the_steps(backend64):
    replayed, called = network(backend64), network(backend64)
    optimizer = MomentumSGD(0.1)
    replayed.fit(X, LABELS, MomentumSGD(0.1), epochs=3, batch_size=16, shuffle=False)
    for start in [*range(0, 60, 16)] * 3:
        called.train_step(X[start : start + 16], LABELS[start : start + 16], optimizer)
    for pair, other in zip(replayed.weights(), called.weights(), strict=True):
        for array, expected in zip(pair, other, strict=True):
            np.testing.assert_allclose(array, expected, rtol=1e-12, atol=1e-13)


def test_equal_seeds_give_equal_bits_and_others_do_not(backend):
    weights = []
    for seed in (0, 0, 1):
        made = network(backend, seed=seed)
        made.fit(X, LABELS, epochs=3)
        weights.append(made.weights()[0][0])
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_it_still_learns(backend):
    labels = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
    history = network(backend, dropout=0.2).fit(X, labels, Adam(0.02), epochs=60)
    assert history.train_metric[-1] > 0.8


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_rates_out_of_range_are_refused(rate):
    with pytest.raises(ValueError, match="dropout must be at least 0 and below 1"):
        Dense(2, 3, dropout=rate)


def test_the_answers_are_not_dropped():
    with pytest.raises(ValueError, match=r"last layer drops a share of 0\.5.*hidden layers only"):
        Network([Dense(2, 3), Dense(3, 1, "identity", dropout=0.5)], "half_squared_error")
    assert mlp([2, 3, 4, 1], dropout=[0.1, 0.2])[-1].dropout == 0
    with pytest.raises(ValueError, match="dropout has 1 entry for 2 hidden layers"):
        mlp([2, 3, 4, 1], dropout=[0.1])

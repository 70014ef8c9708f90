"""Schedules, clipping, and the mean absolute error."""

import numpy as np
import pytest

from fuseprop import MomentumSGD, Network, mlp
from fuseprop.callbacks import LearningRate
from fuseprop.schedules import (
    OVER_EPOCHS,
    Constant,
    Cosine,
    Exponential,
    InverseScaling,
    Step,
    WarmUp,
    over_epochs,
)

X = np.random.default_rng(0).normal(size=(40, 3))
T = X @ np.array([[1.0], [-2.0], [0.5]]) + 0.3


def line(backend, loss="half_squared_error"):
    return Network(mlp([3, 1]), loss, seed=0, backend=backend)


RATES = {
    Constant(0.2): [0.2, 0.2, 0.2, 0.2, 0.2],
    Step(0.8, 0.5, 2): [0.8, 0.8, 0.4, 0.4, 0.2],
    Exponential(0.8, 0.5): [0.8, 0.4, 0.2, 0.1, 0.05],
    Cosine(0.8, 4): [0.8, 0.4 * (1 + np.sqrt(0.5)), 0.4, 0.4 * (1 - np.sqrt(0.5)), 0.0],
    Cosine(0.8, 2, end=0.2): [0.8, 0.5, 0.2, 0.2, 0.2],
    WarmUp(0.1, 3, epochs=4): [0.1, 0.15, 0.2, 0.25, 0.3],
    WarmUp(Exponential(0.8, 0.5), 4, epochs=3): [0.8, 0.8, 0.6, 0.4, 0.2],
    InverseScaling(0.8): [0.8, 0.8 / 2**0.5, 0.8 / 3**0.5, 0.4, 0.8 / 5**0.5],
}


@pytest.mark.parametrize("schedule", RATES, ids=str)
def test_the_formulas(schedule):
    assert [schedule(epoch) for epoch in range(5)] == pytest.approx(RATES[schedule], abs=1e-15)


BY_NAME = {
    "constant": [0.6] * 6,
    "cosine": [0.3 * (1 + np.cos(np.pi * e / 6)) for e in range(6)],
    "exponential": [0.6 * 0.01 ** (e / 6) for e in range(6)],
    "step": [0.6, 0.6, 0.06, 0.06, 0.006, 0.006],
    "inverse_scaling": [0.6 / np.sqrt(1 + e) for e in range(6)],
}


def test_schedules_by_name_go_over_a_training():
    made = {name: [over_epochs(name, 0.6, 6)(epoch) for epoch in range(6)] for name in OVER_EPOCHS}
    assert made == {name: pytest.approx(rates, rel=1e-12) for name, rates in BY_NAME.items()}
    with pytest.raises(ValueError, match=r'schedule "cosin" is not known.*Did you mean "cosine"'):
        over_epochs("cosin", 0.6, 6)


def test_inverse_scaling_is_scikit_learns():
    sklearn = pytest.importorskip("sklearn.neural_network")
    model = sklearn.MLPRegressor(
        hidden_layer_sizes=(2,),
        solver="sgd",
        learning_rate="invscaling",
        learning_rate_init=0.1,
        power_t=0.3,
        batch_size=8,
    )
    ours, theirs = InverseScaling(0.1, 0.3, samples=40), []
    for _ in range(4):
        model.partial_fit(X, T.ravel())
        theirs.append(model._optimizer.learning_rate)  # what the next epoch uses
    assert theirs == pytest.approx([ours(epoch) for epoch in range(1, 5)], rel=1e-12)


@pytest.mark.parametrize("schedule", [Step(0.3, 0.5, 2), lambda epoch: 0.3 * 0.5 ** (epoch // 2)])
def test_training_follows_the_schedule(backend64, schedule):
    """The same weights as from fits with these rates one after the other."""
    scheduled, by_hand = line(backend64), line(backend64)
    history = scheduled.fit(X, T, MomentumSGD(schedule, 0.5), epochs=5, shuffle=False)
    optimizer = MomentumSGD(0.3, 0.5)
    for rate in (0.3, 0.3, 0.15, 0.15, 0.075):
        optimizer.learning_rate = rate
        by_hand.fit(X, T, optimizer, epochs=1, shuffle=False)
    assert history.learning_rate == [0.3, 0.3, 0.15, 0.15, 0.075]
    np.testing.assert_array_equal(scheduled.weights()[0][0], by_hand.weights()[0][0])


def test_the_schedule_goes_on_from_fit_to_fit_and_the_callback_does_not(backend64):
    optimizer = MomentumSGD(Exponential(0.4, 0.5))
    network = line(backend64)
    rates = [network.fit(X, T, optimizer, epochs=2).learning_rate for _ in range(2)]
    assert rates == [[0.4, 0.2], [0.1, 0.05]]
    plain = MomentumSGD(0.3)
    network = line(backend64)
    schedule = LearningRate(plain, Exponential(0.4, 0.5))
    rates = [network.fit(X, T, plain, epochs=2, callbacks=[schedule]).learning_rate for _ in range(2)]
    assert rates == [[0.4, 0.2], [0.4, 0.2]]
    assert plain.learning_rate == 0.3


def test_a_schedule_that_reaches_0_stands_still(backend64):
    network = line(backend64)
    network.fit(X, T, MomentumSGD(Cosine(0.3, 2), 0.0), epochs=2)
    optimizer = MomentumSGD(lambda epoch: 0.0, 0.0)
    before = network.weights()[0][0]
    network.fit(X, T, optimizer, epochs=3)
    np.testing.assert_array_equal(network.weights()[0][0], before)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(0), "Constant: start must be a number above 0, got 0"),
        (lambda: Step(0.1, -1), "Step: factor"),
        (lambda: Step(0.1, 0.5, 0), "Step: every"),
        (lambda: Exponential(float("nan")), "Exponential: start"),
        (lambda: Cosine(0.1, 0), "Cosine: epochs"),
        (lambda: Cosine(0.1, 5, end=0.2), r"Cosine: end must be in \[0, start=0.1\], got 0.2"),
        (lambda: InverseScaling(0.1, power=0), "InverseScaling: power"),
        (lambda: MomentumSGD(clip_norm=0), "clip_norm must be a number above 0, or None, got 0"),
        (lambda: MomentumSGD(clip_norm=float("inf")), "clip_norm"),
    ],
)
def test_numbers_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("rate", [-0.1, float("nan")])
def test_a_rate_that_is_none_names_its_epoch(backend64, rate):
    with pytest.raises(ValueError, match=r"gave the learning rate .* for epoch 1"):
        line(backend64).fit(X, T, MomentumSGD(lambda epoch: rate if epoch else 0.1), epochs=3)


# Clipping


def test_a_clipped_step_has_the_length_of_the_limit(backend64):
    network = line(backend64)
    before = network.weights()
    network.train_step(100 * X, T, MomentumSGD(1.0, 0.0, clip_norm=0.25))
    moved = [
        new - old
        for pair, kept in zip(network.weights(), before, strict=True)
        for new, old in zip(pair, kept, strict=True)
    ]
    assert np.sqrt(sum((m**2).sum() for m in moved)) == pytest.approx(0.25, rel=1e-12)


def test_clipping_keeps_the_direction_of_the_whole_gradient(backend64):
    """One factor for all layers: what a norm by layer would not give."""
    clipped, free = (Network(mlp([3, 4, 1]), "half_squared_error", seed=0, backend=backend64) for _ in "ab")
    clipped.train_step(X, 50 * T, MomentumSGD(0.1, clip_norm=0.5))
    free.train_step(X, 50 * T, MomentumSGD(0.1))
    ours, theirs = (np.concatenate([a.ravel() for p in n.gradients() for a in p]) for n in (clipped, free))
    assert np.linalg.norm(ours) == pytest.approx(0.5, rel=1e-12)
    np.testing.assert_allclose(ours, theirs * 0.5 / np.linalg.norm(theirs), rtol=1e-12)


def test_below_the_limit_nothing_changes(backend):
    """But for rounding: where nothing is clipped, a backend may scale by the learning rate sooner."""
    clipped, free = line(backend), line(backend)
    clipped.fit(X, T, MomentumSGD(0.1, clip_norm=1e6), epochs=3, shuffle=False)
    free.fit(X, T, MomentumSGD(0.1), epochs=3, shuffle=False)
    tolerance = 100 * np.finfo(backend.dtype).eps
    np.testing.assert_allclose(clipped.weights()[0][0], free.weights()[0][0], rtol=tolerance)


def test_clipping_saves_a_training_that_explodes_without_it(backend):
    network = Network(mlp([3, 1]), "half_squared_error", seed=0, backend=backend)
    history = network.fit(50 * X, T, MomentumSGD(0.1, 0.0, clip_norm=0.01), epochs=60, batch_size=40)
    assert history.train_loss[-1] < history.train_loss[0]


# The mean absolute error


def test_absolute_error_and_its_gradient(backend64):
    network = Network(mlp([3, 2]), "mean_absolute_error", seed=0, backend=backend64)
    target = np.column_stack([T, -T])
    output = network.forward(X)
    assert network.backward(target) == pytest.approx(np.abs(output - target).mean(), rel=1e-13)
    expected = X.T @ np.sign(output - target) / target.size
    np.testing.assert_allclose(network.gradients()[0][0], expected, atol=1e-15)


def test_a_met_target_does_not_pull(backend):
    network = Network(mlp([3, 1], initializer="zeros"), "mean_absolute_error", backend=backend)
    network.forward(X)
    assert network.backward(np.zeros((40, 1))) == 0
    assert not any(a.any() for pair in network.gradients() for a in pair)


def test_outliers_pull_no_harder(backend64):
    """A constant fitted by absolute errors is the median, by squared errors the mean."""
    target = np.array([[1.0], [2.0], [3.0], [4.0], [100.0]])
    found = {}
    for loss in ("mean_absolute_error", "half_squared_error"):
        network = Network(mlp([1, 1], initializer="zeros"), loss, backend=backend64)
        network.fit(np.zeros((5, 1)), target, MomentumSGD(Cosine(0.3, 400), 0.0), epochs=400, batch_size=5)
        found[loss] = float(network.predict([[0.0]])[0, 0])
    assert found["mean_absolute_error"] == pytest.approx(3.0, abs=0.05)
    assert found["half_squared_error"] == pytest.approx(22.0, abs=0.05)


def test_d2_is_scikit_learns(backend64):
    metrics = pytest.importorskip("sklearn.metrics")
    weights = np.random.default_rng(1).uniform(0.5, 2, 40)
    network = Network(mlp([3, 1]), "mean_absolute_error", seed=0, backend=backend64)
    for w in (None, weights):
        history = network.fit(X, T, MomentumSGD(0.05), epochs=5, sample_weight=w)
        assert history.metric == "d2"
        expected = metrics.d2_absolute_error_score(T, network.predict(X), sample_weight=w)
        assert network.evaluate(X, T, w)["d2"] == pytest.approx(expected, abs=1e-9)
    assert network.evaluate(X, np.ones((40, 1)))["d2"] == 0.0


def test_metrics_that_do_not_fit_the_loss_are_refused(backend64):
    for metric, loss in (("d2", "half_squared_error"), ("r2", "mean_absolute_error")):
        with pytest.raises(ValueError, match=f'metric "{metric}" needs'):
            Network(mlp([3, 1]), loss, metric=metric, backend=backend64)

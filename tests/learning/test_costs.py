"""The topic `costs`: what each cost is, its slope, and how long a sigmoid learns by it from a mistake."""

import numpy as np
import pytest

from fuseprop import Dense, Network
from fuseprop.learn import TOPICS
from fuseprop.learn.costs import COSTS, NOTATIONS, RATE, STARTS, STEPS


@pytest.fixture
def result(backend64):
    return TOPICS["costs"](backend64, 0)


def rows_of(result, cost):
    return np.array([row[1:] for row in result.rows if row[0] == cost], float).T


def curves(panel):
    return {curve.label: (np.array(curve.x), np.array(curve.y)) for curve in panel.curves}


# f and f' of the error e = y - t, as NOTATIONS writes them
VALUES = {"half squared": lambda e: e**2 / 2, "absolute": abs, "cross-entropy": lambda e: -np.log1p(e)}
SLOPES = {
    "half squared": lambda e: e * (1 + e) * -e,
    "absolute": lambda e: -(1 + e) * -e,
    "cross-entropy": lambda e: e,
}


@pytest.mark.parametrize("cost", COSTS)
def test_the_table_has_each_cost_and_its_slope_at_a_sigmoid(result, cost):
    z, p, loss, slope, _ = rows_of(result, cost)
    assert z.tolist() == list(STARTS)
    np.testing.assert_allclose(p, 1 / (1 + np.exp(-z)), rtol=1e-12)
    np.testing.assert_allclose(loss, VALUES[cost](p - 1), rtol=1e-9)
    np.testing.assert_allclose(slope, SLOPES[cost](p - 1), rtol=1e-9)


def test_cross_entropy_learns_soon_from_a_mistake_of_which_the_others_learn_slowly(result):
    steps = {cost: rows_of(result, cost)[-1] for cost in COSTS}
    for name in ("half squared", "absolute"):
        assert steps[name][0] > 20 * steps["cross-entropy"][0]
        assert steps[name][1] < steps[name][0] / 5  # from a lesser mistake they learn sooner
    for each in steps.values():
        assert (np.diff(each) <= 0).all()
        assert each[-1] == 0
    slope = {cost: abs(rows_of(result, cost)[3]) for cost in COSTS}
    assert slope["half squared"][0] < slope["half squared"][1]  # the worst mistake pulls less
    assert slope["absolute"][0] < slope["absolute"][1]
    assert (np.diff(slope["cross-entropy"]) < 0).all()


def test_costs_and_slopes_are_drawn_over_the_error(result):
    number, share, _, number_slope, share_slope, _ = map(curves, result.figure.panels)
    for name, slope in (("half squared", lambda e: e), ("absolute", np.sign)):
        error, value = number[name]
        assert (error.min(), error.max()) == (-2, 2)
        np.testing.assert_allclose(value, VALUES[name](error), atol=1e-12)
        np.testing.assert_allclose(number_slope[name][1], slope(error), atol=1e-12)
    assert list(share) == list(share_slope) == list(COSTS)
    for name in COSTS:
        error, value = share[name]
        assert error.min() < -0.99 < -0.01 < error.max() < 0
        np.testing.assert_allclose(value, VALUES[name](error), rtol=1e-9)
        np.testing.assert_allclose(share_slope[name][1], SLOPES[name](error), rtol=1e-9)


def test_the_drawn_trainings_are_those_of_the_table(result):
    outputs, losses = (curves(result.figure.panels[i]) for i in (2, 5))
    for name in COSTS:
        step, p = outputs[name]
        assert step.tolist() == list(range(STEPS + 1))
        assert (np.diff(p) > 0).all()
        assert np.argmax(p > 0.5) == rows_of(result, name)[-1][0]
        np.testing.assert_allclose(losses[name][1], VALUES[name](p - 1), rtol=1e-9)
        z = np.log(p / (1 - p))
        np.testing.assert_allclose(np.diff(z), -RATE * SLOPES[name](p - 1)[:-1], rtol=1e-6)


@pytest.mark.parametrize("cost", COSTS)
def test_the_counted_steps_follow_from_what_is_printed_by_hand(result, cost):
    assert f"z <- z - {RATE:g} dL/dz" in result.title
    for start, counted in zip(STARTS, rows_of(result, cost)[-1], strict=True):
        z, steps = start, 0
        while 1 / (1 + np.exp(-z)) <= 0.5:
            z -= RATE * SLOPES[cost](1 / (1 + np.exp(-z)) - 1)
            steps += 1
        assert steps == counted


# What NOTATIONS says, as functions of z and t of m rows


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def slope_of_p(z):
    return sigmoid(z) * (1 - sigmoid(z))


NOTED = {
    "half_squared_error": (
        lambda z, t: ((sigmoid(z) - t) ** 2).sum() / (2 * len(t)),
        lambda z, t: (sigmoid(z) - t) * slope_of_p(z),
    ),
    "mean_squared_error": (
        lambda z, t: ((sigmoid(z) - t) ** 2).mean(),
        lambda z, t: 2 * (sigmoid(z) - t) * slope_of_p(z),
    ),
    "mean_absolute_error": (
        lambda z, t: abs(sigmoid(z) - t).mean(),
        lambda z, t: np.sign(sigmoid(z) - t) * slope_of_p(z),
    ),
    "sigmoid_cross_entropy": (
        lambda z, t: -(t * np.log(sigmoid(z)) + (1 - t) * np.log(1 - sigmoid(z))).mean(),
        lambda z, t: sigmoid(z) - t,
    ),
}


@pytest.mark.parametrize("loss", NOTED)
def test_the_notations_over_m_rows_are_the_librarys_losses(backend64, loss):
    z, t = np.array([[-3.0], [0.5], [2.0]]), np.array([[1.0], [0.0], [1.0]])
    activation = "identity" if loss == "sigmoid_cross_entropy" else "sigmoid"
    network = Network([Dense(1, 1, activation, weights=[[1.0]])], loss, backend=backend64)
    value, slope = NOTED[loss]
    trace = network.trace(z, t)
    assert trace.loss == pytest.approx(value(z, t), rel=1e-12)
    np.testing.assert_allclose(trace.delta[0], slope(z, t) / len(t), rtol=1e-10)
    assert f"\n{loss} " in NOTATIONS


def test_the_notation_of_softmax_is_the_librarys_loss(backend64):
    z, t = np.array([[-3.0, 1.0, 0.0], [2.0, 0.5, 0.5]]), np.array([1, 2])
    identity = Dense(3, 3, "identity", weights=np.eye(3))
    network = Network([identity], "softmax_cross_entropy", backend=backend64)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    trace = network.trace(z, t)
    assert trace.loss == pytest.approx(-np.log(p[[0, 1], t]).mean(), rel=1e-12)
    np.testing.assert_allclose(trace.delta[0], (p - np.eye(3)[t]) / 2, rtol=1e-10)
    assert "\nsoftmax_cross_entropy " in NOTATIONS

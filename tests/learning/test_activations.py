"""The topic `activations`: outputs, slopes, and where each saturates."""

import numpy as np
import pytest

from fuseprop import Dense, Network
from fuseprop.learn import TOPICS
from fuseprop.learn.activations import FLAT, NAMES, SHOWN


@pytest.fixture
def result(backend64):
    return TOPICS["activations"](backend64, 0)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


FORMULAS = {
    "step": (lambda z: (z > 0) * 1.0, None),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": (np.tanh, lambda z: np.cosh(z) ** -2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "leaky_relu(0.1)": (lambda z: np.where(z > 0, z, 0.1 * z), lambda z: np.where(z > 0, 1, 0.1)),
}


@pytest.mark.parametrize("name", NAMES)
def test_values_and_slopes_are_drawn_and_their_numbers_are_in_the_table(result, name):
    number = NAMES.index(name)
    (_, text, *shown, largest, low, high), panel = result.rows[number], result.figure.panels[number]
    value, slope = FORMULAS[name]
    assert text == Dense(1, 1, name).function.text
    np.testing.assert_allclose(shown, value(np.array(SHOWN)), rtol=1e-9)
    drawn = panel.curves[0]
    np.testing.assert_allclose(drawn.y, value(np.array(drawn.x)), rtol=1e-9, atol=1e-15)
    if slope is None:
        assert (largest, low, high) == ("none", "everywhere", "everywhere")
        assert [curve.label for curve in panel.curves] == ["f"]
        return
    z, drawn_slope = map(np.array, (panel.curves[1].x, panel.curves[1].y))
    np.testing.assert_allclose(drawn_slope, slope(z), rtol=1e-9)
    assert largest == pytest.approx(slope(z).max(), rel=1e-9)
    below = z <= (low if low != "never" else -np.inf)
    above = z >= (high if high != "never" else np.inf)
    np.testing.assert_array_equal(below | above, slope(z) < FLAT * largest)
    by_name = {curve.label: curve for curve in result.figure.panels[-1].curves}
    assert (by_name[name].x, by_name[name].y) == (panel.curves[1].x, panel.curves[1].y)


def test_where_they_saturate(result):
    ends = {row[0]: row[-3:] for row in result.rows}
    assert ends["sigmoid"] == (pytest.approx(0.25), -6, 6)
    assert ends["tanh"] == (pytest.approx(1), -3, 3)
    assert ends["relu"] == (1, 0, "never")
    assert ends["leaky_relu(0.1)"] == (1, "never", "never")
    titles = {panel.title.partition(": ")[::2] for panel in result.figure.panels[:-1]}
    assert titles == {
        ("step", "no slope"),
        ("sigmoid", "saturated up to -6, from 6"),
        ("tanh", "saturated up to -3, from 3"),
        ("relu", "saturated up to 0"),
        ("leaky_relu(0.1)", "saturated nowhere"),
    }


def test_what_has_no_slope_is_what_the_library_refuses_to_take_a_step_with(result, backend64):
    for row in result.rows:
        network = Network([Dense(1, 1, row[0])], "half_squared_error", seed=0, backend=backend64)
        if row[5] == "none":
            with pytest.raises(ValueError, match="cannot be trained by gradient descent"):
                network.trace([[1.0]], [1.0])
        else:
            network.trace([[1.0]], [1.0])

"""The topic of one neuron: what its table and its picture say is what a weighted sum and a threshold do."""

from itertools import pairwise

import numpy as np
import pytest

from fuseprop.learn import TOPICS
from fuseprop.learn.data import CORNERS

BIASES = (-0.5, -1.5, -2.5)


@pytest.fixture
def result(backend64):
    return TOPICS["neuron"](backend64, 0)


def test_the_bias_alone_makes_or_then_the_heavier_input_then_and(result):
    x1, x2, totals, *answers = map(np.array, zip(*result.rows, strict=True))
    np.testing.assert_array_equal(np.transpose([x1, x2]), CORNERS)
    np.testing.assert_array_equal(totals, 2 * x1 + x2)
    np.testing.assert_array_equal(answers, [x1 | x2, x1, x1 & x2])
    assert result.columns[3:] == tuple(f"y, b = {bias}" for bias in BIASES)


def test_each_step_is_drawn_at_its_threshold(result):
    """Over all weighted sums that the inputs can have; the vertical line is no wider than it looks."""
    steps = result.figure.panels[0].curves
    for curve, bias in zip(steps, BIASES, strict=True):
        x, y = np.array(curve.x), np.array(curve.y)
        np.testing.assert_array_equal(y, x > -bias)
        assert x[0] < 0
        assert x[-1] > 3
        assert np.diff(x).max() < 0.02
        assert curve.label == f"b = {bias}: threshold {-bias}"


def test_the_line_in_the_plane_is_where_the_sum_is_the_threshold_and_the_bias_moves_it(result):
    _, *planes = result.figure.panels
    answers = [1, 2, 3], [2, 3], [3]
    for panel, bias, yes in zip(planes, BIASES, answers, strict=True):
        ground = panel.ground
        sums = 2 * ground.x1 + ground.x2[:, None]
        np.testing.assert_allclose(ground.margins[..., 1], sums + bias, atol=1e-12)
        assert ground.margins[..., 1].min() < 0 < ground.margins[..., 1].max()
        np.testing.assert_array_equal(ground.points["y = 1"], CORNERS[yes])
        assert len(ground.points["y = 0"]) == 4 - len(yes)
        assert panel.title.startswith(f"b = {bias}: ")
    for one, other in pairwise(planes):
        np.testing.assert_array_equal(one.ground.x1, other.ground.x1)
        np.testing.assert_allclose(one.ground.margins[..., 1] - other.ground.margins[..., 1], 1.0)

"""The topic `bias`: without it the boundary passes through the origin, and with it between the clouds."""

import numpy as np
import pytest

from fuseprop.learn import TOPICS
from fuseprop.learn.bias import EPOCHS, RATE
from fuseprop.plots import draw_figure

SEEDS = [0, 1, 2]


def run(backend, seed=0):
    """The rows by unit without their names, and the grounds of the panels."""
    result = TOPICS["bias"](backend, seed)
    return *(row[1:] for row in result.rows), *(panel.ground for panel in result.figure.panels)


def at_origin(ground):
    """The margin of class 1 at (0, 0), between the points of the grid."""
    margins = ground.margins[..., 1]
    along_x1 = [np.interp(0.0, ground.x1, line) for line in margins]
    return np.interp(0.0, ground.x2, along_x1)


@pytest.mark.parametrize("seed", SEEDS)
def test_without_a_bias_the_boundary_passes_through_the_origin(backend64, seed):
    without, with_bias, held, free = run(backend64, seed)
    assert without[-2:] == (0, 0)
    for ground in (held, free):
        assert ground.x1[0] < 0 < ground.x1[-1]
        assert ground.x2[0] < 0 < ground.x2[-1]
    assert abs(at_origin(held)) < 1e-9
    *_, w1, w2, b, distance = with_bias
    assert at_origin(free) == pytest.approx(b)
    assert distance == pytest.approx(abs(b) / np.hypot(w1, w2))
    assert distance > 1


@pytest.mark.parametrize("seed", SEEDS)
def test_only_with_a_bias_the_clouds_are_told_apart(backend64, seed):
    without, with_bias, *_ = run(backend64, seed)
    assert with_bias[1] == 1
    assert without[1] < 0.8
    assert with_bias[0] < without[0] / 4


@pytest.mark.parametrize("seed", SEEDS)
def test_the_weights_go_the_way_of_a_unit_that_has_no_bias(backend64, seed):
    without, _, held, _ = run(backend64, seed)
    X = np.concatenate(list(held.points.values()))
    t = np.repeat([0.0, 1.0], 40)
    w = np.zeros(2)
    for _ in range(EPOCHS):
        w -= RATE * X.T @ (1 / (1 + np.exp(-X @ w)) - t) / len(t)
    np.testing.assert_allclose(without[2:4], w, rtol=1e-9)


def test_the_boundaries_and_the_origin_are_drawn(backend64):
    pytest.importorskip("matplotlib")
    result = TOPICS["bias"](backend64, 0)
    for axes, (*_, w1, w2, b, _) in zip(draw_figure(result.figure).axes, result.rows, strict=True):
        [boundary] = axes.collections
        vertices = boundary.get_paths()[0].vertices
        assert len(vertices) > 10
        np.testing.assert_allclose(vertices @ [w1, w2], -b, atol=1e-9)
        zeros = [line.get_xydata().tolist() for line in axes.get_lines()][-2:]
        assert zeros == [[[0, 0], [1, 0]], [[0, 0], [0, 1]]]

"""`fuseprop learn line`: down a parabola by its slope."""

import numpy as np
import pytest

from fuseprop import load_backend
from fuseprop.learn import TOPICS
from fuseprop.learn.line import RATE, SLOPE, START


def table(result):
    columns = dict(zip(result.columns, zip(*result.rows, strict=True), strict=True))
    return (np.array(columns[name]) for name in ("w", "cost", "dE/dw"))


def parabola(cost, w):
    """The parabola of the notes: E = c (w - w*)^2, and its slope 2 c (w - w*)."""
    c = cost[0] / (START - SLOPE) ** 2
    return c * (w - SLOPE) ** 2, 2 * c * (w - SLOPE)


def test_line_goes_down_the_parabola(backend64):
    result = TOPICS["line"](backend64, 0)
    w, cost, slope = table(result)
    assert (np.diff(np.abs(w - SLOPE)) < 0).all()
    assert (np.diff(np.abs(np.diff(w))) < 0).all()
    np.testing.assert_allclose(cost[1:] / cost[:-1], cost[1] / cost[0], rtol=1e-9)
    np.testing.assert_allclose(np.diff(w), -RATE * slope[:-1], rtol=1e-9)
    costs, slopes = parabola(cost, w)
    np.testing.assert_allclose(cost, costs, rtol=1e-9)
    np.testing.assert_allclose(slope, slopes, rtol=1e-9)
    drawn = result.figure.panels[0].curves[0]
    np.testing.assert_allclose(drawn.y, parabola(cost, np.array(drawn.x))[0], atol=1e-12)


def test_the_film_has_the_tangent_where_each_step_begins():
    result = TOPICS["line"](load_backend("cpu", "float64"), 0)
    w, cost, slope = table(result)
    assert result.film.count == len(w)
    for i in range(result.film.count):
        (panel,) = result.film.frame(i).panels
        _, descent, tangent = panel.curves
        assert (descent.x[-1], descent.y[-1], len(descent.x)) == (w[i], cost[i], i + 1)
        middle = len(tangent.x) // 2
        assert (tangent.x[middle], tangent.y[middle]) == pytest.approx((w[i], cost[i]))
        np.testing.assert_allclose(np.diff(tangent.y), slope[i] * np.diff(tangent.x), atol=1e-12)

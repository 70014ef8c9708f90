"""`fuseprop learn descent`: the ways of batches of three sizes over one landscape."""

import numpy as np
import pytest

from fuseprop import load_backend
from fuseprop.learn import TOPICS
from fuseprop.learn.descent import BIAS, NOISE, RATE, SLOPE, SPREAD, START

CURVATURES = np.array([SPREAD**2, 1.0])
"""Of the loss along w and b: the mean of x squared, and 1."""

SEEDS = [0, 1, 2]


def table(result):
    return dict(zip(result.columns, zip(*result.rows, strict=True), strict=True))


def ways(result):
    return [np.column_stack([curve.x, curve.y]) for curve in result.figure.panels[0].curves]


def losses_at(points):
    """The loss of the notes: that of the noise, and a bowl around the minimum."""
    return NOISE**2 / 2 + ((points - [SLOPE, BIAS]) ** 2 * CURVATURES).sum(axis=-1) / 2


def test_contours_and_heights_are_the_losses(backend64):
    result = TOPICS["descent"](backend64, 0)
    contours, beside, surface = result.figure.panels
    ground = contours.ground
    grid = np.stack(np.meshgrid(ground.x1, ground.x2), axis=-1)
    np.testing.assert_allclose(ground.values, losses_at(grid), rtol=1e-9)
    for way, losses in zip(ways(result), beside.curves, strict=True):
        np.testing.assert_allclose(losses.y, losses_at(way), rtol=1e-9)
    assert surface.ground.surface
    for curve in surface.curves:
        np.testing.assert_allclose(curve.z, losses_at(np.column_stack([curve.x, curve.y])), rtol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_all_rows_go_straight_across_the_contours(backend64, seed):
    result = TOPICS["descent"](backend64, seed)
    way = ways(result)[0]
    np.testing.assert_allclose(
        np.diff(way, axis=0), -RATE * CURVATURES * (way[:-1] - [SLOPE, BIAS]), rtol=1e-8
    )
    assert table(result)["uphill"][0] == 0
    assert (np.diff(result.figure.panels[1].curves[0].y) < 0).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_fewer_rows_a_step_learn_sooner_and_wander_more(seed):
    result = TOPICS["descent"](load_backend("cpu", "float64"), seed)
    columns = table(result)
    assert columns["rows a step"] == ("all rows", "5 rows", "one row")
    assert columns["updates"] == (20, 80, 400)
    assert (np.diff(columns["loss after one epoch"]) < 0).all()
    assert columns["loss after one epoch"][-1] < result.figure.panels[1].curves[0].y[2]
    assert (np.diff(columns["uphill"]) > 0).all()
    assert columns["uphill"][-1] > 1 / 3
    assert (np.diff(columns["length of the way"]) > 0).all()
    assert columns["at the end"][1] == min(columns["at the end"])
    for way in ways(result):
        assert tuple(way[0]) == START


def test_the_film_grows_to_the_figure_in_the_same_axes():
    result = TOPICS["descent"](load_backend("cpu", "float64"), 0)
    film = result.film
    frames = [film.frame(i).panels for i in range(film.count)]
    assert frames[-1] == list(result.figure.panels[:2])
    visits = [[len(curve.x) for curve in contours.curves] for contours, _ in frames]
    assert visits[0] == [1, 1, 1]
    assert (np.diff(visits, axis=0) >= 0).all()
    for contours, losses in frames:
        assert contours.ground is result.figure.panels[0].ground
        assert (losses.x_limits, losses.y_limits) == (frames[0][1].x_limits, frames[0][1].y_limits)
        assert losses.y_limits[0] < min(min(curve.y) for curve in losses.curves)

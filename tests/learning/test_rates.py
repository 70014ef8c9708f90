"""`fuseprop learn rates`: four learning rates on one parabola."""

import numpy as np
import pytest

from fuseprop import load_backend
from fuseprop.learn import TOPICS
from fuseprop.learn.rates import CURVATURE, RATES, SHOWN, SLOPE, START

SEEDS = [0, 1, 2]


@pytest.mark.parametrize("seed", SEEDS)
def test_rates_end_in_a_named_divergence_for_the_highest(backend64, seed):
    result = TOPICS["rates"](backend64, seed)
    columns = dict(zip(result.columns, zip(*result.rows, strict=True), strict=True))
    low, right, high, exploding = columns["last epoch"]
    assert right < high < low < columns["loss, epoch 1"][0] < exploding
    assert all("diverged" not in outcome for outcome in columns["outcome"][:3])
    assert columns["outcome"][3].startswith("diverged in epoch ")


@pytest.mark.parametrize("seed", SEEDS)
def test_one_that_is_too_high_jumps_over_the_minimum_with_every_step(backend64, seed):
    *panels, over_epochs = TOPICS["rates"](backend64, seed).figure.panels
    for (name, rate), panel in zip(RATES.items(), panels, strict=False):
        parabola, steps = panel.curves
        for curve in (parabola, steps):
            away = np.array(curve.x) - SLOPE
            np.testing.assert_allclose(curve.y, CURVATURE * away**2 / 2, rtol=1e-9, atol=1e-12)
        assert panel.title.startswith(name)
        assert len(steps.x) == SHOWN + 1
        assert steps.x[0] == START
        np.testing.assert_allclose(away[1:], (1 - rate * CURVATURE) * away[:-1], atol=1e-9)
        jumps = away[1:] * away[:-1] < 0
        assert jumps.all() if name == "too high" else not jumps.any()
    exploding = over_epochs.curves[-1]
    assert exploding.label.startswith("exploding")
    assert (np.diff(exploding.y) > 0).all()
    assert all((np.diff(curve.y[:40]) < 0).all() for curve in over_epochs.curves[:-1])


def test_the_film_takes_one_step_after_another():
    result = TOPICS["rates"](load_backend("cpu", "float64"), 0)
    frames = [result.film.frame(i).panels for i in range(result.film.count)]
    assert frames[-1] == list(result.figure.panels[:3])
    for i, panels in enumerate(frames):
        assert [len(panel.curves[1].x) for panel in panels] == [i + 1] * 3
        assert [panel.curves[0] for panel in panels] == [panels[0].curves[0]] * 3

"""`fuseprop learn momentum`: the ways of four momenta along one ravine."""

import numpy as np
import pytest

from fuseprop import load_backend
from fuseprop.learn import TOPICS
from fuseprop.learn.momentum import FLAT, MINIMUM, MOMENTA, STEEP

SEEDS = [0, 1, 2]


def ways(panel):
    """From momentum to w1 and w2 after each epoch."""
    return {
        mu: (np.array(curve.y), np.array(curve.x)) for mu, curve in zip(MOMENTA, panel.curves, strict=True)
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_more_momentum_needs_fewer_epochs(backend64, seed):
    result = TOPICS["momentum"](backend64, seed)
    momenta, epochs, *_ = zip(*result.rows, strict=True)
    assert momenta == (0.0, 0.3, 0.6, 0.9)
    assert (np.diff(epochs) < 0).all()
    assert epochs[0] > 5 * epochs[-1]


def test_the_contours_are_the_networks_own_loss(backend64):
    ground = TOPICS["momentum"](backend64, 0).figure.panels[0].ground
    w2, w1 = np.meshgrid(ground.x1, ground.x2)
    expected = (STEEP * (w1 - MINIMUM[0]) ** 2 + FLAT * (w2 - MINIMUM[1]) ** 2) / 2
    np.testing.assert_allclose(ground.values, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_way_leads_along_the_ravine_and_more_momentum_swings_more_often(backend64, seed):
    half, whole, _ = TOPICS["momentum"](backend64, seed).figure.panels
    swings = {}
    for mu, (w1, w2) in ways(whole).items():
        assert (w1[0], w2[0]) == (0.0, 0.0)
        assert (w1[-1], w2[-1]) == pytest.approx(MINIMUM, abs=0.25)
        across = w1 - MINIMUM[0]
        across = across[np.abs(across) > 0.01]
        swings[mu] = int((across[:-1] * across[1:] < 0).sum())
        if mu < 0.9:
            assert (np.diff(w2) > 0).all()
    assert swings[0.9] > 2 * swings[0.0] > 0
    # When 0.9 has arrived, the others are the further behind the less momentum they have.
    along = [w2[-1] for _, w2 in ways(half).values()]
    assert (np.diff(along) > 0).all()
    assert along[0] < 0.5 * along[-1]


def test_the_film_ends_when_the_first_has_arrived():
    result = TOPICS["momentum"](load_backend("cpu", "float64"), 0)
    frames = [result.film.frame(i).panels for i in range(result.film.count)]
    assert frames[-1] == list(result.figure.panels[:1])
    lengths = [[len(curve.x) for curve in panel.curves] for (panel,) in frames]
    assert lengths[0] == [1, 1, 1, 1]
    assert (np.diff(lengths, axis=0) > 0).all()

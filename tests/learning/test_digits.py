"""The topic `digits`: its matrix, its most wrong rows and its images are those of the network."""

import sys

import numpy as np
import pytest
from click.testing import CliRunner

from fuseprop.cli import main
from fuseprop.installing import how_to_install
from fuseprop.learn import TOPICS
from fuseprop.network import Network
from fuseprop.plots import Figure, Images, Panel, draw_figure


@pytest.fixture
def made(backend64, monkeypatch):
    """The result, and the network with the rows that it was evaluated on."""
    pytest.importorskip("sklearn")
    seen = []
    evaluate = Network.evaluate

    def watched(self, X, target):
        seen.append((self, np.array(X), np.array(target)))
        return evaluate(self, X, target)

    monkeypatch.setattr(Network, "evaluate", watched)
    return TOPICS["digits"](backend64, 1), *seen[0]


def test_the_picture_is_of_the_network(made):
    result, network, X, target = made
    units, matrix, worst = (panel.ground for panel in result.figure.panels)
    p = network.predict(X)
    counts = np.array(matrix.counts)
    accuracy = np.mean(p.argmax(axis=1) == target)
    assert counts.sum() == len(target)
    assert np.trace(counts) == round(accuracy * len(target))
    assert f"accuracy {accuracy:.4f}" in result.text
    assert accuracy > 0.9
    for digit in range(10):
        assert counts[digit].tolist() == [
            int(((target == digit) & (p.argmax(axis=1) == other)).sum()) for other in range(10)
        ]
        assert result.rows[digit][1:3] == (counts[digit].sum(), counts[digit, digit])
    losses = -np.log(p[np.arange(len(target)), target])
    largest = np.sort(losses)[::-1][: len(worst.images)]
    shown = [int(np.flatnonzero((image.ravel() == X).all(axis=1))[0]) for image in worst.images]
    np.testing.assert_array_equal(losses[shown], largest)
    for row, title in zip(shown, worst.titles, strict=True):
        assert title.startswith(f"{target[row]} as {p[row].argmax()}, p ")
    weights = network.weights()[0][0]
    assert units.signed
    np.testing.assert_array_equal(units.images.reshape(len(units.images), -1), weights.T)


@pytest.mark.parametrize("signed", [False, True])
def test_ink_and_weights_above_0_are_dark_alike(signed):
    pytest.importorskip("matplotlib")
    images = Images(np.array([[[-1.0, 0.0, 1.0]]]), ["image"], 1, signed=signed)
    [drawn] = draw_figure(Figure("", [Panel("", ground=images)])).axes[0].images
    low, middle, high = drawn.to_rgba(drawn.get_array())[0, :, 0]
    assert low == 1 > middle > high == 0


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    result = CliRunner().invoke(main, ["learn", "digits", "--device", "cpu"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"Type: {how_to_install('sklearn')}." in " ".join(result.stderr.split())

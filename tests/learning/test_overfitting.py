"""The topic `overfitting`: the rise of the validation loss, and what each remedy is worth."""

from functools import cache

import numpy as np
import pytest

from fuseprop import load_backend
from fuseprop.learn import TOPICS

SEEDS = [0, 1, 2]


@cache
def made(backend, seed):
    return TOPICS["overfitting"](load_backend(backend, "float64"), seed)


@pytest.fixture(params=SEEDS)
def result(request, backend64):
    return made(backend64.name, request.param)


def by_remedy(result):
    """The rows of the table, by remedy, as dicts by column."""
    return {row[0]: dict(zip(result.columns, row, strict=True)) for row in result.rows}


def curves(panel):
    return {curve.label: curve for curve in panel.curves}


def test_validation_rises_after_its_best_epoch_while_training_falls(result):
    panel = result.figure.panels[0]
    training, validation, mark = panel.curves
    best = int(mark.x[0])
    assert mark.label == f"best (epoch {best})"
    assert mark.y[0] == validation.y[best - 1] == min(validation.y)
    assert validation.y[-1] > 1.15 * mark.y[0]
    assert training.y[-1] < 0.2 * training.y[best - 1]
    late = list(training.y)[len(training.y) // 10 :]
    assert (np.diff(late) < 0).all()
    assert mark.y[0] < panel.y_limits[1]
    assert max(validation.y[-1], training.y[-1]) < panel.y_limits[1]


def test_each_remedy_errs_less_on_unseen_rows(result):
    plain, *others = by_remedy(result).values()
    assert [row["remedy"] for row in others] == ["early stopping", "weight decay", "dropout"]
    for row in others:
        assert row["test"] < plain["test"]
        assert row["validation"] < plain["validation"]
        assert row["training"] > plain["training"]


def test_each_remedy_does_what_it_says(result):
    plain, early, decay, dropout = by_remedy(result).values()
    watched = curves(result.figure.panels[1])
    assert early["epochs"] == early["best epoch"] + 100 < plain["epochs"]
    assert early["validation"] == pytest.approx(watched["early stopping"].y[early["best epoch"] - 1])
    # Nothing but the number of epochs differs between these two.
    assert list(watched["early stopping"].y[:20]) == pytest.approx(list(watched["no remedy"].y[:20]))
    assert decay["||W1||"] < 0.5 * plain["||W1||"]
    assert decay["||W2||"] < plain["||W2||"]
    assert dropout["||W2||"] < 0.5 * plain["||W2||"]


def test_without_a_remedy_the_curve_goes_to_the_noisy_rows_and_from_the_wave(result):
    """The mean squared distance of the drawn curves from the rows learned from, and from the wave."""
    points, wave, plain = result.figure.panels[2].curves
    assert list(wave.y) == pytest.approx(np.sin(np.pi * np.array(wave.x)).tolist())
    drawn = {"no remedy": plain, **curves(result.figure.panels[3])}
    to_rows, to_wave = {}, {}
    for remedy in by_remedy(result):
        y = np.array(drawn[remedy].y)
        to_rows[remedy] = np.mean((np.interp(points.x, drawn[remedy].x, y) - points.y) ** 2)
        to_wave[remedy] = np.mean((y - np.array(wave.y)) ** 2)
    assert min(to_rows, key=to_rows.get) == "no remedy"
    assert max(to_wave, key=to_wave.get) == "no remedy"

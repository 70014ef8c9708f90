"""The topic `genetic`: evolution and backpropagation reach the same, at another cost."""

import numpy as np
import pytest

from fuseprop.learn import TOPICS
from fuseprop.learn.genetic import HELD_OUT

pytest.importorskip("sklearn")

SEEDS = [0, 1, 2]
LOW = {"xor": 0.01, "iris": 0.08, "xor with steps": 0.0}


@pytest.fixture(scope="module")
def results():
    """What was run, by backend and seed: one run serves all tests."""
    return {}


@pytest.fixture
def run(backend64, results):
    def once(seed):
        key = backend64.name, seed
        if key not in results:
            results[key] = TOPICS["genetic"](backend64, seed)
        return results[key]

    return once


@pytest.fixture(params=SEEDS)
def result(run, request):
    return run(request.param)


def cells(result):
    return {(task, by): rest for task, by, *rest in result.rows}


def test_both_reach_what_is_asked(result):
    found = cells(result)
    assert {by for _, by in found} == {"backpropagation", "evolution"}
    for (task, by), (loss, right, _) in found.items():
        if by == "backpropagation" and task == "xor with steps":
            continue
        assert loss <= LOW[task]
        if task != "iris":
            assert right == 1


def test_iris_is_within_0_03_of_backpropagation_over_the_seeds(run):
    shares = [cells(run(seed)) for seed in SEEDS]
    backward, evolved = (
        np.mean([found["iris", by][1] for found in shares]) for by in ("backpropagation", "evolution")
    )
    assert evolved >= backward - 0.03
    assert evolved * HELD_OUT > 0.9 * HELD_OUT


def test_evolution_pays_in_passes(result):
    found = cells(result)
    for task in ("xor", "iris"):
        assert found[task, "evolution"][2] > 3 * found[task, "backpropagation"][2]


def test_steps_are_evolved_and_refused_by_backpropagation(result):
    assert cells(result)["xor with steps", "backpropagation"] == ["refused"] * 3
    assert "its slope is 0 everywhere" in result.text


def test_the_picture_shows_the_losses_of_the_table(result):
    """By passes on the left, by seconds on the right; the curves end where the table says."""
    found = cells(result)
    panels = result.figure.panels
    assert [(panel.title, panel.x_label) for panel in panels] == [
        (task, unit) for task in ("xor", "iris") for unit in ("passes of all rows", "seconds")
    ]
    for panel in panels:
        assert panel.log_x
        assert panel.log_y
        for curve in panel.curves:
            assert (np.diff(curve.x) > 0).all()
            assert curve.y[-1] <= LOW[panel.title]
            if panel.x_label.startswith("passes"):
                assert curve.x[-1] == found[panel.title, curve.label][2]
        evolved = panel.curves[1]
        assert list(evolved.y) == sorted(evolved.y, reverse=True)

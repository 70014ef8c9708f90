"""Comparing two checkouts: a few of the trainings of `same_bits.py`, and what the comparison finds."""

import json
import sys
from contextlib import nullcontext

import numpy as np
import pytest
import same_bits
import trainings
from trainings import Left

import fuseprop
from benchmarks.checkouts import Checkout

FEW = "fit: norms, s"
"""Trainings with two losses, two optimizers and two dtypes."""


@pytest.fixture(scope="module")
def left():
    return trainings.run(FEW)


def test_equal_trainings_differ_in_nothing(left, tmp_path):
    trainings.write(tmp_path / "left.npz", trainings.run(FEW))
    findings, counts = same_bits.compare(left, trainings.read(tmp_path / "left.npz"), exact=True)
    assert findings == []
    assert counts["trainings"] == len(left) == 8
    assert counts["exact arrays"] == counts["exact arrays with the same bits"] > 100
    assert counts["close arrays"] == counts["close arrays with the same bits"] > 50
    assert counts["texts"] > 50


def test_another_step_is_found_in_the_trainings_that_take_it(left, monkeypatch):
    start = fuseprop.Adam.__init__

    def nearly(self, *args, **settings):
        start(self, *args, **settings)
        self.beta_1 *= 1 + 1e-6

    monkeypatch.setattr(fuseprop.Adam, "__init__", nearly)
    findings, _ = same_bits.compare(left, trainings.run(FEW))
    told = {finding.partition("]: ")[0] + "]" for finding in findings}
    assert told == {title for title in left if ", adam" in title}
    assert any("history.train_loss differs in" in finding for finding in findings)


@pytest.mark.parametrize(
    ("kind", "old", "new", "exact", "words"),
    [
        ("exact", [1.0], [1.0], False, None),
        ("exact", [np.nan, np.inf], [np.nan, np.inf], False, None),
        ("exact", [1.0], [np.nextafter(1, 2)], False, "x differs in 1 of 1 numbers"),
        ("exact", [0.0], [-0.0], False, "x differs in 0 of 1 numbers"),
        ("close", [1.0], [1 + 2e-13], False, None),
        ("close", [1.0], [1 + 2e-13], True, "x differs in 1 of 1"),
        ("close", [1.0, 2.0], [1.0, 2 + 1e-12], False, "in number 1: it was np.float64(2.0)"),
        ("close", [1e6], [1e6 + 1e-7], False, None),
        ("close", [1.0], [np.nan], False, "x differs"),
        ("close", [np.inf], [-np.inf], False, "x differs"),
        ("close", [1.0], [1.0, 2.0], False, "x was float64 (1,) and is float64 (2,)"),
        ("close", [1.0], [1], False, "x was float64 (1,) and is int64 (1,)"),
        ("text", "a", "a", False, None),
        ("text", "a", "b", False, "x was 'a' and is 'b'"),
        ("exact", None, [1.0], False, "x is only in the new"),
        ("text", "a", None, False, "x is only in the old"),
    ],
)
def test_what_differs(kind, old, new, exact, words):
    sides = []
    for value in (old, new):
        side = Left("float64")
        if value is not None:
            getattr(side, kind)["x"] = value if kind == "text" else np.array(value)
        sides.append({"a training": side})
    findings, _ = same_bits.compare(*sides, exact=exact)
    if words is None:
        assert findings == []
    else:
        (finding,) = findings
        assert finding.startswith("a training: ")
        assert words in finding


def test_a_training_that_only_one_has():
    findings, counts = same_bits.compare({"a": Left("float32")}, {})
    assert findings == ["a: only the old checkout ran it"]
    assert counts["trainings"] == 0


def test_formulas_that_came_later_have_nothing_to_be_compared_with():
    findings, counts = same_bits.compare({}, {"a": Left("float32")})
    assert findings == []
    assert counts == {"trainings of the new alone": 1}


def test_no_training_at_all_is_no_proof(monkeypatch, tmp_path):
    both = Checkout(tmp_path, "1" * 40), Checkout(tmp_path, "2" * 40)
    monkeypatch.setattr(same_bits, "side_by_side", lambda commit, root: nullcontext(both))
    monkeypatch.setattr(same_bits, "left_by", lambda *args, **how: {"old": {}, "new": {}})
    record = tmp_path / "record.json"
    monkeypatch.setattr(sys, "argv", ["same_bits.py", "--against", "HEAD", "--record", str(record)])
    assert same_bits.main() == 1
    assert json.loads(record.read_text())["passed"] is False


def test_every_training_has_a_title_of_its_own():
    assert len(trainings.cases()) > 2000

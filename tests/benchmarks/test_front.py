"""The figures on the top README: of which record, and that no other figure of speed stands there."""

import copy
import re
from pathlib import Path

import pytest

from benchmarks.front import LIBRARIES, NONE, SIZES, STATED, best_step, first_screen
from benchmarks.report import FIGURES, SCREEN, newest
from benchmarks.rows import Network

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")


def record():
    return next(each for _, each in newest(RESULTS) if first_screen([each], "picture.svg")[1])


def test_the_first_screen_is_of_a_record_with_everybody():
    text, drawn = first_screen([record()], "picture.svg")
    assert f"{record()['machine']['cpu']}" in text
    assert record()["date"] in text
    assert "picture.svg" in text
    for library in LIBRARIES:
        assert f"| {library} " in text.splitlines()[2]
        assert library in drawn
    assert all(len(cells) == len(LIBRARIES) for cells in STATED.values())


@pytest.mark.parametrize("lacking", ["a library", "its size", "a network"])
def test_a_record_that_lacks_something_is_not_shown(lacking):
    short = copy.deepcopy(record())
    if lacking == "a library":
        short["peers"] = [peer for peer in short["peers"] if peer["name"] != "Thinc"]
    elif lacking == "its size":
        short["footprint"] = [one for one in short["footprint"] if one["name"] != "JAX"]
    else:
        short["networks"] = [one for one in short["networks"] if one["network"] != SIZES[0]]
    assert first_screen([short], "picture.svg") == (NONE, None)
    assert first_screen([short, record()], "picture.svg")[1] is not None


def test_the_fastest_form_of_a_library_is_taken():
    network = Network(next(raw for raw in record()["networks"] if raw["network"] == SIZES[0]))
    forms = [
        row["name"] for row in network.raw["rows"] if row["peer"] == "PyTorch" and row["table"] == "step"
    ]
    ratios = [network.against_ours(form, "step").middle for form in forms]
    assert len(forms) > 1
    assert best_step(network, "PyTorch").middle == min(ratios)
    assert best_step(network, "nobody") is None


def test_the_top_page_names_no_figure_of_speed_but_those_of_records():
    """Such as "0.4 of the time", "3 times as fast", "20% slower"."""
    text = PAGE
    for begin, end in (SCREEN, FIGURES):
        before, _, rest = text.partition(begin)
        assert rest, begin
        text = before + rest.partition(end)[2]
    speed = r"\d[\d.,]*(?:%| times| of (?:the|its|their|\S+'s) time)[^.]{0,40}(?:fast|slow|time|long)"
    assert re.findall(speed, " ".join(text.split())) == []

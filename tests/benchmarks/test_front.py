"""The figures on the top README: of which record, and that no other figure of speed stands there."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.front import LIBRARIES, NONE, SIZES, STATED, _has_steps, best_step, first_screen
from benchmarks.report import FIGURES, SCREEN
from benchmarks.rows import Network

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")


FOLDER = RESULTS / "libraries"


def records():
    return {path.name: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}


def of_steps():
    """The newest record of steps."""
    return max((each for each in records().values() if _has_steps(each)), key=lambda each: each["date"])


def test_the_first_screen_is_of_records_with_everybody():
    text, drawn = first_screen(FOLDER, "picture.svg")
    assert of_steps()["machine"]["cpu"] in text
    assert of_steps()["date"] in text
    assert "picture.svg" in text
    for library in LIBRARIES:
        assert f"| {library} " in text.splitlines()[2]
        assert library in drawn
    assert all(len(cells) == len(LIBRARIES) for cells in STATED.values())


@pytest.mark.parametrize("lacking", ["a library", "its size", "a network", "rounds"])
def test_records_that_lack_something_are_not_shown(lacking, tmp_path):
    for name, record in records().items():
        if lacking == "its size":
            record["footprint"] = [one for one in record["footprint"] if one["name"] != "JAX"]
        for raw in record["networks"]:
            if lacking == "a library":
                raw["rows"] = [row for row in raw["rows"] if row["peer"] != "Thinc"]
            elif lacking == "a network":
                raw["rows"] = [] if raw["network"] == SIZES[1] else raw["rows"]
            elif lacking == "rounds":
                raw["rows"] = [{**row, "times": row["times"][:7]} for row in raw["rows"]]
        (tmp_path / name).write_text(json.dumps(record))
    assert first_screen(tmp_path, "picture.svg") == (NONE, None)


def test_the_fastest_form_of_a_library_is_taken():
    network = Network(next(raw for raw in of_steps()["networks"] if raw["network"] == SIZES[0]))
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

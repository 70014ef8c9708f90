"""Learners on folds of tiny tables: what is recorded, how it goes on, and what is made of it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from threadpoolctl import threadpool_limits

from benchmarks.tabular import measuring, search
from benchmarks.tabular.compare import take_others
from benchmarks.tabular.datasets import TABLES, Data
from benchmarks.tabular.learners import (
    CONSTANT,
    FUSEPROP,
    LEARNERS,
    PERCEPTRON,
    SCALED,
    Fitted,
    fuseprop,
    score,
)
from benchmarks.tabular.measuring import measure
from benchmarks.tabular.paired import by_fold, difference
from benchmarks.tabular.record import RecordError, about, begin, read
from benchmarks.tabular.report import BEGIN, END, comparison, generate, times
from benchmarks.tabular.summary import summary, tables_of

KEY = {"table", "repeat", "fold", "learner"}

PAGE = Path(__file__).parents[2] / "benchmarks"


def mixed(rows=60):
    """Numbers, categories, booleans and missing cells; the target is told by two of them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=rows)
    colour = rng.choice(["red", "green"], rows)
    holes = np.where(rng.random(rows) < 0.2, np.nan, rng.normal(size=rows))
    frame = pd.DataFrame({"x": x, "colour": colour, "holes": holes, "on": rng.random(rows) < 0.5})
    return frame.assign(y=x + (colour == "red"))


def of_classes():
    frame = mixed()
    return frame.assign(y=np.where(frame["y"] > 0.5, "yes", "no"))


NUMBERS, CLASSES, RARE = (
    Data(name, make, "y", kind)
    for name, make, kind in (("n", mixed, "r2"), ("c", of_classes, "accuracy"), ("a", of_classes, "auc"))
)


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """Tables of these names, for what looks a score up by a name; one thread, for boosting's wait in turn."""
    for data in (NUMBERS, CLASSES, RARE):
        monkeypatch.setitem(TABLES, data.name, data)
    with threadpool_limits(1):
        yield


@pytest.mark.parametrize("data", [NUMBERS, CLASSES, RARE], ids=lambda data: data.score)
@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_answers_rows_with_gaps_and_categories_that_it_has_not_seen(data, name):
    frame = data.load()
    rows, test = frame.iloc[:48], frame.iloc[48:].copy()
    learner = fuseprop(epochs=60) if name == FUSEPROP else LEARNERS[name]
    fitted = learner(data, rows, 0)
    reached = score(data, test["y"], fitted.answer(test.drop(columns="y")))
    constant = {"r2": 0.0, "accuracy": 0.5, "auc": 0.5}[data.score]
    # Boosting, whose leaves have 20 rows, makes little of 48; the perceptron little of 200 steps.
    assert reached > constant + 0.1 if name in (FUSEPROP, SCALED) else reached <= 1
    test["colour"] = "blue"
    test["holes"] = np.nan
    assert fitted.answer(test.drop(columns="y")).shape == (12,)


def test_settings_reach_the_training():
    assert fuseprop(epochs=3, members=2, hidden=[2])(NUMBERS, NUMBERS.load(), 0).kept == {"epochs": 6}
    with pytest.raises(TypeError, match="no setting"):
        fuseprop(hiden=[2])(NUMBERS, NUMBERS.load(), 0)


def test_few_whole_numbers_are_numbers_where_the_table_says_so():
    whole = Data("w", lambda: mixed().assign(y=lambda frame: frame["y"].round().astype(int)), "y", "r2")
    answer = fuseprop(epochs=5)(whole, whole.load(), 0).answer(whole.load().drop(columns="y"))
    assert answer.dtype.kind == "f"
    assert len(np.unique(answer)) > 20


def test_scores_are_those_of_their_names():
    y = pd.Series([0, 0, 1, 1])
    assert score(CLASSES, y, np.array([0, 1, 1, 1])) == 0.75
    assert score(RARE, y, np.array([0.1, 0.3, 0.2, 0.9])) == 0.75
    assert score(NUMBERS, y, np.array([0.5, 0.5, 0.5, 0.5])) == 0


def first():
    return {**about("compare", 2, 0), "commit": "0" * 40, "changed": [], "code": []}


def run(path, tables=(CLASSES,), learners=None, repeats=1, start=None):
    said = []
    record = begin(path, start or first())
    learners = learners or {FUSEPROP: fuseprop(epochs=2, members=1), CONSTANT: LEARNERS[CONSTANT]}
    complete = measure(tables, learners, record, splits=2, repeats=repeats, seed=0, say=said.append)
    return record, complete, said


def test_a_record_grows_by_a_line_a_fit_and_goes_on_where_it_ended(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "compare-a-2026-01-01.jsonl"
    record, complete, said = run(path)
    assert complete
    assert [said[0][:11], len(said)] == ["c, repeat 1", 1]
    assert [(row["fold"], row["learner"]) for row in record.rows] == [
        (0, FUSEPROP), (0, CONSTANT), (1, CONSTANT), (1, FUSEPROP),
    ]  # fmt: skip
    row = read(path).rows[0]
    assert row.keys() == {*KEY, "rows", "features", "score", "fit", "predict", "load", "epochs"}
    assert (row["rows"], row["features"], row["epochs"]) == (60, 4, 2)

    path.write_text(path.read_text() + '{"table": "c", "rep')  # ended in the middle of a line
    monkeypatch.setattr(measuring, "_warm_up", lambda learners: None)
    again, complete, said = run(path, repeats=2)
    assert complete
    assert again.rows[:4] == record.rows
    assert [row["repeat"] for row in again.rows] == [0] * 4 + [1] * 4
    assert read(path).rows == again.rows
    assert run(path, repeats=2)[2] == []


def test_no_fit_begins_when_the_time_is_over(tmp_path):
    record = begin(tmp_path / "r.jsonl", first())
    said = []
    kept = {"splits": 2, "repeats": 1, "seed": 0, "say": said.append}
    assert not measure([CLASSES], {CONSTANT: LEARNERS[CONSTANT]}, record, minutes=0, **kept)
    assert record.rows == []
    assert "the same command goes on" in said[0]


@pytest.mark.parametrize("name", ["splits", "code", "what"])
def test_a_record_of_something_else_is_refused(tmp_path, name):
    path = tmp_path / "r.jsonl"
    run(path)
    with pytest.raises(RecordError, match=f"has {name}"):
        begin(path, {**first(), name: "other"})
    path.write_text("{}\n")
    with pytest.raises(RecordError, match="no record of format"):
        read(path)


def test_an_error_is_recorded_and_the_others_go_on(tmp_path):
    def fails(data, rows, seed):
        raise ValueError("no such thing")

    record, complete, _ = run(tmp_path / "r.jsonl", learners={"{}": fails, CONSTANT: LEARNERS[CONSTANT]})
    assert complete
    errors = [row for row in record.rows if row["learner"] == "{}"]
    assert {row["error"] for row in errors} == {"ValueError: no such thing"}
    assert not any("score" in row for row in errors)
    assert "failed" in summary(record.rows)


def test_others_are_taken_from_a_record_of_the_same_folds_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    old, _, _ = run(tmp_path / "old.jsonl")
    new = begin(tmp_path / "new.jsonl", first())
    take_others(new, old)
    assert {row["learner"] for row in new.rows} == {CONSTANT}
    assert {row["of"] for row in new.rows} == {"0" * 10 + ", OMP_WAIT_POLICY=PASSIVE"}
    take_others(new, old)
    assert len(new.rows) == 2
    for change, why in (({"splits": 3}, "other folds"), ({"machine": {"cpu": "another"}}, "measure all")):
        other = begin(tmp_path / f"{why}.jsonl", {**first(), **change})
        with pytest.raises(RecordError, match=why):
            take_others(new, other)


def rows(scores, table="c", seconds=1.0):
    """Rows of scores by learner, a fold each."""
    return [
        {"table": table, "repeat": 0, "fold": fold, "learner": name, "score": value, "fit": seconds}
        | {"predict": 0.0, "load": 0.0, "rows": 60, "features": 4}
        for name, each in scores.items()
        for fold, value in enumerate(each)
    ]


def test_differences_are_paired_and_have_both_standard_errors():
    learned = by_fold(rows({FUSEPROP: [0.8, 0.9, 1.0, 0.9], PERCEPTRON: [0.7, 0.9, 0.8, 0.8]}))["c"]
    found = difference(learned[FUSEPROP], learned[PERCEPTRON], splits=4)
    deviation = np.std([0.1, 0.0, 0.2, 0.1], ddof=1)
    assert found.mean == pytest.approx(0.1)
    assert found.plain == pytest.approx(deviation / 2)
    assert found.corrected == pytest.approx(deviation * np.sqrt(1 / 4 + 1 / 3))
    assert found.verdict == "win"
    assert difference(learned[PERCEPTRON], learned[FUSEPROP], splits=4).verdict == "loss"
    assert difference(learned[PERCEPTRON], learned[PERCEPTRON], splits=4).verdict == "tie"
    del learned[PERCEPTRON][0, 0]
    learned[PERCEPTRON][0, 1].pop("score")
    assert difference(learned[FUSEPROP], learned[PERCEPTRON], splits=4).mean == pytest.approx(0.15)
    assert difference(learned[FUSEPROP], {}, splits=4) is None


def test_regret_is_the_share_of_the_best_candidates_gain_that_is_lost():
    found = rows({"{}": [0.7, 0.7], '{"a": 1}': [0.9, 0.9], '{"b": 1}': [0.9, 0.9], CONSTANT: [0.5, 0.5]})
    found += rows({"{}": [0.8], '{"a": 1}': [0.4], '{"b": 1}': [0.8], CONSTANT: [0.5]}, table="n")
    found += rows({"{}": [0.8]}, table="a")  # which the others have not been tried on
    first, second = tables_of(found)
    assert [first.folds, second.folds] == [2, 1]
    assert first.found["{}"].regret == pytest.approx(0.5)
    assert first.found["{}"].rank == 3
    assert first.found['{"a": 1}'].rank == 1.5
    assert second.found['{"a": 1}'].regret == 1
    lines = summary(found).splitlines()
    order = [line.split("`")[1] for line in lines if line.startswith(("| 1 |", "| 2 |", "| 3 |"))]
    assert order == ['{"b": 1}', "{}", '{"a": 1}']
    assert "| n, r2 | 60 | 1 | **0.8000** | **0.8000** | 0.4000 |" in lines


def test_the_page_shows_differences_and_times_and_what_is_above_its_limit(tmp_path):
    record = begin(tmp_path / "tables" / "compare-a-machine-2026-01-01.jsonl", first())
    scores = {FUSEPROP: [0.5, 0.6], PERCEPTRON: [0.7, 0.85], "boosting": [0.5, 0.6], CONSTANT: [0.5, 0.5]}
    for row in rows(scores):
        slow = {"fit": 4.0} if row["learner"] == FUSEPROP else {}
        record.append({**row, **slow} if slow else {"of": "1a2b3c", **row, "load": 7.0})
    text = comparison(record)
    assert "median: 0.0. Others' rows are of 1a2b3c: 7.0." in text
    assert "-0.2250 ± 0.0250 (0.0433) **-**" in text
    assert "+0.0000 ± 0.0000 (0.0000) =" in text
    assert "| MLP | 0 | 0 | 1: c |" in text
    measured = begin(tmp_path / "tables" / "times-a-machine-2026-01-02.jsonl", first())
    for row in record.rows:
        measured.append(row)
    assert "| c | 4.00 | 4.00 | 4.00 | **1.33** |" in times(measured)
    page = tmp_path / "README.md"
    page.write_text(f"before\n{BEGIN}\nstale\n{END}\nafter")
    made = generate(tmp_path, page)[page]
    assert made.startswith("before")
    assert made.endswith("after")
    assert text in made
    assert times(measured) in made
    assert "stale" not in made


def test_the_page_is_what_the_records_give():
    page = PAGE / "README.md"
    made = generate(PAGE / "results", page)[page]
    assert made == page.read_text(), "Type: python -m benchmarks.tabular.report"


def test_a_search_tries_the_defaults_and_what_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "TABLES", {"c": CLASSES})
    monkeypatch.setattr(search, "fuseprop", lambda **given: fuseprop(**{"epochs": 2, "members": 1, **given}))
    path, candidates = tmp_path / "r.jsonl", tmp_path / "candidates.json"
    candidates.write_text('[{"epochs": 3}, {}]')
    given = ["--candidate", '{"hidden": [4], "epochs": 1}', "--candidates", candidates, "--splits", 2]
    done = CliRunner().invoke(search.main, [*map(str, given), "--record", str(path)])
    assert done.exit_code == 0, done.output
    tried = {row["learner"]: row.get("epochs") for row in read(path).rows}
    assert tried == {"{}": 2, '{"epochs": 1, "hidden": [4]}': 1, '{"epochs": 3}': 3, CONSTANT: None}
    assert json.loads(path.read_text().splitlines()[0])["what"] == "search"
    assert "Mean regret" in done.output


@pytest.mark.parametrize("text", ["[1]", "{", "3"])
def test_a_candidate_that_is_no_object_is_refused(text):
    done = CliRunner().invoke(search.main, ["--candidate", text])
    assert done.exit_code == 2
    assert "JSON objects of settings" in done.output


def test_fitted_rows_keep_what_a_learner_says_of_itself(tmp_path):
    def learner(data, rows, seed):
        return Fitted(lambda features: np.full(len(features), "no"), {"epochs": seed})

    record, _, _ = run(tmp_path / "r.jsonl", learners={"own": learner})
    assert [row["epochs"] for row in record.rows] == [0, 1]  # the seeds of repeat 0

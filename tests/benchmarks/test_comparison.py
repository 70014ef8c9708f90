"""A whole comparison in real processes, and the report that is made of it."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import fuseprop_numpy.backend
import pytest
from click.testing import CliRunner
from fuseprop_numpy.compiled.library import NotCompiled
from fuseprop_numpy.compiled.step import UnknownStepError

import benchmarks.compare
from benchmarks.compare import compare, main
from benchmarks.footprint import footprint
from benchmarks.report import BEGIN, END, generate, newest, on_top, section
from fuseprop.backend.registry import load_backend
from fuseprop.benchmarks.machine import describe
from fuseprop.benchmarks.networks import CASES
from fuseprop.benchmarks.peers import fuseprop as ours
from fuseprop.benchmarks.problem import make_problem
from fuseprop.benchmarks.threads import machine

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def result():
    modules = [
        "fuseprop.benchmarks.peers.fuseprop",
        "fuseprop.benchmarks.peers.textbook",
        "wrong_learning_rate",
        "dies",
        "absent",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE))
        return compare(
            "cpu",
            [CASES["2-8-1-b4"], CASES["64-32-10-b32"]],
            ("sigmoid",),
            modules,
            rounds=3,
            sets=2,
            sizes=False,
            pause=0.0,
        )


@pytest.mark.parametrize(
    ("arguments", "folder"),
    [
        ([], "results"),
        (["--activation", "sigmoid", "--activation", "relu"], "results"),
        (["--quick"], "results/trials"),
        (["--network", "2-8-1-b4"], "results/trials"),
        (["--peer", "textbook"], "results/trials"),
        (["--activation", "relu"], "results/trials"),
        (["--quick", "--output", "mine"], "mine"),
    ],
)
def test_a_trial_replaces_no_result(tmp_path, monkeypatch, arguments, folder):
    made = {"machine": describe(), "date": "2030-01-01", "minutes": 0.0}
    monkeypatch.setattr(benchmarks.compare, "compare", lambda *_, **__: made)
    monkeypatch.setattr(benchmarks.compare, "RESULTS", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert [path.parent for path in tmp_path.rglob("*.json")] == [tmp_path / folder]
    if folder != "results":
        assert not list(newest(tmp_path / "results")), "the report looks at results alone"


def rows(result, network=0):
    return {(row["name"], row["table"]): row for row in result["networks"][network]["rows"]}


@pytest.mark.parametrize("network", [0, 1])
@pytest.mark.parametrize("table", ["step", "fit"])
def test_a_wrong_learning_rate_is_refused(result, network, table):
    row = rows(result, network)["wrong", table]
    assert row["gate"]["error"] > row["gate"]["bound"]
    assert "float64 reference" in row["refused"]
    assert row["times"] == []


def test_the_others_are_measured_in_every_round(result):
    for network in (0, 1):
        for name in ("fuseprop", "textbook NumPy"):
            for table in ("step", "fit"):
                row = rows(result, network)[name, table]
                assert row["gate"]["passed"]
                assert len(row["times"]) == 3
                assert min(row["times"]) > 0


def test_ours_is_compiled_and_says_so_and_calls_stand_beside_it(result):
    library = pytest.importorskip("fuseprop_numpy.compiled.library")
    if not library.runnable():
        pytest.skip("steps are not compiled here")
    for network, epoch in ((0, 1024), (1, 128)):
        found = rows(result, network)
        for table in ("step", "fit"):
            row = found["fuseprop", table]
            assert (row["replay"], row["build"]) == ("compiled", library.library().build)
            assert row["threads"] >= 1
            assert found["fuseprop calls", table]["replay"] == "calls"
            assert "build" not in found["fuseprop calls", table]
        assert {row["epoch"] for (_, table), row in found.items() if table == "fit" and row["times"]} == {
            epoch
        }
        assert found["fuseprop", "step"]["note"].startswith("compiled: ")
    assert result["machine"]["compiled"]["build"] == library.library().build


def test_a_step_that_is_not_compiled_although_others_are_fails(monkeypatch):
    if load_backend("cpu").replay != "compiled":
        pytest.skip("steps are not compiled here")

    def recognise(program, dtype):
        raise UnknownStepError("planted")

    monkeypatch.setattr(fuseprop_numpy.backend, "recognise", recognise)
    problem = make_problem(CASES["2-8-1-b4"], "sigmoid")
    for form in ours.forms("cpu"):
        if form.name == "fuseprop calls":
            form.build(problem).run(problem.batches)
            continue
        with pytest.raises(RuntimeError, match="not compiled: planted"):
            form.build(problem).run(problem.batches)


def test_where_nothing_is_compiled_calls_are_what_there_is(monkeypatch):
    def library():
        raise NotCompiled("no compiler")

    monkeypatch.setattr(fuseprop_numpy.backend, "library", library)
    monkeypatch.setattr(ours, "library", library)
    monkeypatch.setattr(fuseprop_numpy.compiled.library, "library", library)
    forms = ours.forms("cpu")
    assert [form.name for form in forms] == ["fuseprop", "fuseprop", "fuseprop with accuracy"]
    about = forms[0].build(make_problem(CASES["2-8-1-b4"], "sigmoid")).about()
    assert about == {"replay": "calls", "note": "calls of NumPy: nothing is compiled here, no compiler"}
    assert machine(None)["compiled"] == {"why": "no compiler"}


def test_who_is_absent_and_who_dies_is_said(result):
    absent = [peer for peer in result["peers"] if peer["absent"]]
    assert [peer["name"] for peer in absent] == ["absent"]
    assert "a_library_that_nobody_has" in absent[0]["absent"]
    assert "ended with 3" in rows(result)["dies", "step"]["error"]


def test_the_report_says_all_of_it(result):
    text, drawings = section("machine", result)
    assert "wrong" in text
    assert "refused by the gate: loss" in text
    assert "absent (No module named 'a_library_that_nobody_has')" in text
    assert "failed: ended with 3" in text
    assert "textbook NumPy" in text
    assert "its time / fuseprop's" in text
    assert "| 2-8-1, 4 | 1024 | " in text
    assert set(drawings) == {f"machine-sigmoid-{plot}.svg" for plot in ("time", "ratio", "floor")}
    for svg in drawings.values():
        words = " ".join(ElementTree.fromstring(svg).itertext())
        assert "fuseprop" in words
        assert "wrong" not in words


def test_footprint_of_ours():
    figures = footprint("fuseprop.benchmarks.peers.fuseprop", repeats=1)
    assert figures["installed"] > 100_000
    assert figures["installed_with_dependencies"] > 15 * figures["installed"]  # NumPy
    assert figures["peak_memory"] > 10 << 20
    assert figures["ready"] > figures["import"] > 0


def test_footprint_of_an_absent_peer(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    assert "a_library_that_nobody_has" in footprint("absent")["absent"]


def test_what_is_committed_is_what_the_raw_files_give():
    folder = HERE.parents[1] / "benchmarks"
    files = generate(folder / "results", folder / "README.md")
    files |= on_top(folder / "results", folder.parent / "README.md", folder / "plots")
    for path, text in files.items():
        assert path.read_text() == text, f"{path.name} is out of date: python -m benchmarks.report"
    drawn = set(folder.glob("plots/*"))
    assert drawn == {path for path in files if path.parent.name == "plots"}


def test_a_readme_without_a_place_for_tables_is_refused(tmp_path):
    (tmp_path / "README.md").write_text("no place")
    with pytest.raises(Exception, match="must hold the lines"):
        generate(tmp_path, tmp_path / "README.md")
    (tmp_path / "README.md").write_text(f"before\n{BEGIN}\nold\n{END}\nafter")
    text = generate(tmp_path, tmp_path / "README.md")[tmp_path / "README.md"]
    assert text.startswith("before")
    assert text.endswith("after")
    assert "old" not in text

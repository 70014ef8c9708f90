"""`fuseprop train --report`: the page beside the results, in every kind of training, and where it fails."""

import json
import re
import signal
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from collecting import in_pieces
from pages import Page

import fuseprop
from fuseprop.checks.quoting import six_digits
from fuseprop.cli import main
from fuseprop.cli.interruption import StopOnSignal
from fuseprop.installing import how_to_install
from fuseprop.model.reporting import pictures
from fuseprop.showing import picture

pytest.importorskip("matplotlib")

SMALL = ["--device", "cpu", "--members", 1, "--hidden", 4, "--bins", 0]


def train(*arguments, epochs=3):
    command = ["train", *arguments, *SMALL, "--epochs", epochs]
    return CliRunner().invoke(main, [str(argument) for argument in command])


@pytest.fixture
def undrawn(monkeypatch):
    """Pictures are not drawn."""
    monkeypatch.setattr(pictures, "on_page", lambda figure, about: picture(b"\x89PNG", about))


def read(place):
    return Page(place.read_text())


def test_a_page_is_written_beside_the_results(tmp_path):
    place = tmp_path / "run.html"
    place.write_text("an older page")
    result = train("iris", "--report", place, "--json", "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    made, page = json.loads(result.stdout), read(place)
    assert made["report"] == str(place)
    (head, *rows) = page.tables["Scores of each part"]
    assert head[1:4] == ["train, 96 rows", "validation, 24 rows", "test, 30 rows"]
    for name, *values in rows:
        for part, value in zip(("train", "validation", "test"), values, strict=False):
            number = made[f"{part}_{name}"]
            assert value == ("" if number is None else six_digits(number))
    settings = {name: by for name, _, by in page.tables["All settings"][1:]}
    assert {name for name, by in settings.items() if by == "you"} == {
        *("device", "members", "hidden", "bins", "epochs"),
    }
    assert f"fuseprop train iris --report {place} --json --quiet --device cpu" in page.sections["Again"]
    assert "epochs = 3" in page.sections["Again"]
    assert len(page.pictures) == 7
    assert "report written" not in result.stdout


def test_text_says_where_it_is(tmp_path, undrawn):
    result = train("xor", "--report", tmp_path / "x.html")
    assert f"report written to {tmp_path / 'x.html'}" in result.stdout.splitlines()
    assert "No rows were for a test" in read(tmp_path / "x.html").sections["What stands out"]


def test_a_file_of_a_users_own_has_its_digest_and_its_columns(tmp_path, undrawn):
    data = tmp_path / "rows.csv"
    data.write_text("<b>,city,same,y\n" + "".join(f"{i},{'ab'[i % 2]},7,{i * 2}\n" for i in range(40)))
    result = train(data, "--target", "y", "--report", tmp_path / "x.html")
    assert result.exit_code == 0
    page = read(tmp_path / "x.html")
    assert [row[:2] for row in page.tables["4 columns, as read"][1:]] == [
        *(["y", "target"], ["<b>", "number"], ["city", "category"], ["same", "left out"]),
    ]
    ((_, size, digest),) = page.tables["Data files"][1:]
    assert (int(size), len(digest)) == (data.stat().st_size, 64)


def test_folds_need_no_model(tmp_path, undrawn):
    result = train("iris", "--folds", "2x2", "--report", tmp_path / "f.html", "--json", "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    made, page = json.loads(result.stdout), read(tmp_path / "f.html")
    assert made["report"] == str(tmp_path / "f.html")
    for name, mean, low, high, deviation in page.tables["Mean of each score"][1:]:
        folds = made["folds"]
        wanted = [folds["mean"][name], *folds["interval"][name], folds["deviation"][name]]
        assert [mean, low, high, deviation] == list(map(six_digits, wanted))
    head, *rows = page.tables["Each fold"]
    assert [row[head.index("accuracy")] for row in rows] == [
        six_digits(one["scores"]["accuracy"]) for one in made["folds"]["each"]
    ]
    assert "No model was made of all rows" in page.sections["What stands out"]
    assert page.title == "iris: class, one of 3 classes; cross-validated"
    assert "in the test rows of each fold by itself" in page.sections["Folds"]


def test_folds_before_a_model_are_a_section(tmp_path, undrawn):
    result = train("iris", "--folds", 2, "--report", tmp_path / "f.html", "--out", tmp_path / "m.safetensors")
    assert result.exit_code == 0
    page = read(tmp_path / "f.html")
    assert len(page.tables["Each fold"]) == 3
    assert "Answers: validation rows" in page.sections
    said = page.sections["What stands out"]
    assert "No rows were for a test" not in said
    assert "the model learned from all rows" in said
    mean, low, high = next(row[1:4] for row in page.tables["Mean of each score"] if row[0] == "accuracy")
    found = re.search(r"mean accuracy (\S+) \(95% interval (\S+) to (\S+)\)", page.head)
    assert list(map(float, found.groups())) == pytest.approx([float(x) for x in (mean, low, high)], rel=1e-3)
    assert found[0] in said


def test_tries_are_a_section(tmp_path, undrawn):
    result = train("iris", "--tune", 3, "--report", tmp_path / "t.html", "--json", "--quiet")
    made, page = json.loads(result.stdout), read(tmp_path / "t.html")
    rows = page.tables["All tries"][1:]
    assert [row[2] for row in rows] == [six_digits(one["validation_loss"]) for one in made["tuning"]["tried"]]
    assert sum("chosen" in row[0] for row in rows) == 1
    settings = {name: by for name, _, by in page.tables["All settings"][1:]}
    assert {name for name, by in settings.items() if by == "tuning"} == set(made["tuning"]["drawn"])


def test_a_page_that_cannot_be_drawn_takes_nothing_with_it(tmp_path, monkeypatch):
    def fails(*given):
        raise RuntimeError("no pen")

    monkeypatch.setattr(pictures, "on_page", fails)
    place, out = tmp_path / "x.html", tmp_path / "m.safetensors"
    place.write_text("an older page")
    result = train("xor", "--report", place, "--out", out, "--json")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Error: the report was not written: no pen"
    assert json.loads(result.stdout)["report"] is None
    assert fuseprop.load(out, device="cpu")
    assert place.read_text() == "an older page"


def test_a_full_disk_is_told(tmp_path, monkeypatch, undrawn):
    def full(*given):
        raise OSError(28, "No space left on device", "x.html")

    monkeypatch.setattr(sys.modules["fuseprop.cli.report"], "write_atomically", full)
    result = train("xor", "--report", tmp_path / "x.html")
    assert result.exit_code == 1
    assert "report was not written: x.html: No space left on device." in result.stderr
    assert "train" in result.stdout


@pytest.mark.parametrize(
    ("place", "words"),
    [("x.htm", "ends in .html"), ("no/x.html", "does not exist"), (".", "ends in .html")],
)
def test_places_are_refused_before_training(tmp_path, place, words):
    result = train("xor", "--report", tmp_path / place)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())


def test_without_matplotlib_it_is_refused_with_the_line_to_type(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = train("xor", "--report", tmp_path / "x.html")
    assert result.exit_code == 2
    assert f"Type: {how_to_install('plots')}." in " ".join(result.stderr.split())


def test_one_file_does_not_hold_two_things(tmp_path):
    result = train("xor", "--report", tmp_path / "x.html", "--checkpoint", tmp_path / "x.html")
    assert result.exit_code == 2


def test_a_model_that_diverged_has_no_page(tmp_path):
    result = train(
        "line", "--report", tmp_path / "x.html", "--learning-rate", 1e30, "--optimizer", "momentum"
    )
    assert result.exit_code == 4
    assert f"{tmp_path / 'x.html'} was not written: a model that diverged" in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_training_is_marked(tmp_path, monkeypatch, undrawn):
    in_pieces(monkeypatch)
    method = StopOnSignal.epoch_end
    stops = lambda self, *given: (method(self, *given), signal.raise_signal(signal.SIGINT))  # noqa: E731
    monkeypatch.setattr(StopOnSignal, "epoch_end", stops)
    result = train("iris", "--report", tmp_path / "x.html", epochs=300)
    assert result.exit_code == 130
    page = read(tmp_path / "x.html")
    assert page.title == "iris: class, one of 3 classes (interrupted)"
    assert "The training was interrupted" in page.sections["What stands out"]


def test_a_training_that_goes_on_has_a_page_of_all_of_it(tmp_path, undrawn):
    kept = tmp_path / "c.safetensors"
    assert (
        train(
            "line", "--schedule", "constant", "--checkpoint", kept, "--report", tmp_path / "a.html"
        ).exit_code
        == 0
    )
    command = ["train", "--resume", kept, "--epochs", 5, "--report", tmp_path / "b.html"]
    result = CliRunner().invoke(main, list(map(str, command)))
    assert result.exit_code == 0, result.stderr
    page = read(tmp_path / "b.html")
    ((_, epochs, *_),) = page.tables["Each network"][1:]
    assert epochs == "5"
    settings = {name: by for name, _, by in page.tables["All settings"][1:]}
    assert {name for name, by in settings.items() if by == "you"} == {
        *("device", "members", "hidden", "bins", "epochs", "schedule"),
    }
    assert settings["learning_rate"] == "the rules"
    assert "not recorded" not in page.sections["Training"]


def test_a_training_that_began_without_says_that_norms_are_missing(tmp_path, undrawn):
    kept = tmp_path / "c.safetensors"
    assert train("line", "--schedule", "constant", "--checkpoint", kept).exit_code == 0
    command = ["train", "--resume", kept, "--epochs", 5, "--report", tmp_path / "b.html"]
    assert CliRunner().invoke(main, list(map(str, command))).exit_code == 0
    assert "The norms of gradients were not recorded." in read(tmp_path / "b.html").sections["Training"]


def test_the_folder_of_a_run_keeps_where_it_is(tmp_path, undrawn):
    result = train("line", "--run", tmp_path / "run", "--report", tmp_path / "x.html")
    assert result.exit_code == 0, result.stderr
    assert json.loads((tmp_path / "run" / "scores.json").read_text())["report"] == str(tmp_path / "x.html")


@pytest.mark.parametrize("more", [(), ("--folds", 2)])
def test_the_network_is_that_of_each_member(tmp_path, undrawn, more):
    given = ("--report", tmp_path / "x.html", "--hidden", 5, "--members", 3, "--epochs", 2, "--bins", 0)
    words = ["train", "iris", *given, "--device", "cpu", *more]
    result = CliRunner().invoke(main, list(map(str, words)))
    assert result.exit_code == 0, result.stderr
    page = read(tmp_path / "x.html")
    assert page.facts["network"].startswith("4 -> 5 ")
    assert page.facts["network"].endswith(f"{4 * 5 + 5 + 5 * 3 + 3} parameters")
    assert page.facts["network"] in result.stderr
    assert page.facts["members"].startswith("3 such networks")


def test_files_may_be_in_the_folder_that_a_run_makes(tmp_path, undrawn):
    folder = tmp_path / "runs" / "new"
    result = train("line", "--run", folder, "--report", folder / "r.html", "--plot", folder / "p.png")
    assert result.exit_code == 0, result.stderr
    assert {"r.html", "p.png", "model.safetensors"} <= {path.name for path in folder.iterdir()}
    other = tmp_path / "other"
    for place in (tmp_path / "no" / "r.html", other / "more" / "r.html", other / ("x" * 300 + ".html")):
        result = train("line", "--report", place, "--run", other)
        assert result.exit_code == 2
        assert "cannot be written" in " ".join(result.stderr.split())
    assert not other.exists()


@pytest.mark.parametrize("folder", ["x.html", "x.html/run", "../here/x.html"])
@pytest.mark.parametrize("option", ["--report", "--plot"])
def test_a_file_is_no_folder_of_a_run(tmp_path, monkeypatch, folder, option):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    name = "x.html" if option == "--report" else "x.png"
    result = train("line", option, name, "--run", folder.replace("x.html", name))
    assert result.exit_code == 2
    assert "and a folder, of --run" in " ".join(result.stderr.split())
    assert list(Path().iterdir()) == []


def test_several_targets_are_said_to_be_averaged(tmp_path):
    data, kept = tmp_path / "rows.csv", tmp_path / "m.safetensors"
    data.write_text("x,y,z\n" + "".join(f"{i % 7},{i % 7},{1000 * (i % 5)}\n" for i in range(60)))
    said = "r2, rmse, mae, rmse_of_mean: the mean over the 2 targets"
    assert said in train(data, "--target", "y,z", "--out", kept).stdout
    assert said in CliRunner().invoke(main, ["evaluate", str(kept), str(data)]).stdout
    assert said not in train(data, "--target", "z").stdout

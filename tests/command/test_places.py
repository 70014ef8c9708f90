"""No command writes a file that it reads: by any name of it, and before anything takes time."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

import fuseprop
from fuseprop.cli import main

ROWS = "a,b,y\n" + "".join(f"{i},{i % 5},{2 * i + i % 3}\n" for i in range(40))
FAST = ("--device", "cpu", "--members", 1, "--hidden", 3, "--bins", 0, "--epochs", 2)


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def other_name(path, how):
    """Return another name of a file: spelled otherwise, or of a link."""
    if how == "same":
        return path
    if how == "spelling":
        return Path("..") / Path.cwd().name / path
    place = Path(f"link{path.suffix}")
    if how == "symlink":
        place.symlink_to(path)
    else:
        os.link(path, place)
    return place


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def files():
    return {path.name: path.read_bytes() for path in Path().iterdir()}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("how", ["same", "spelling", "symlink", "hard link"])
@pytest.mark.parametrize(
    ("option", "suffix", "more"),
    [
        ("--report", ".html", ()),
        ("--plot", ".png", ()),
        ("--tried", ".csv", ("--tune", 2)),
        ("--out", ".safetensors", ()),
        ("--checkpoint", ".safetensors", ()),
    ],
)
def test_training_replaces_none_of_its_data(option, suffix, more, how):
    pytest.importorskip("matplotlib")
    data = Path(f"rows{suffix}")
    data.write_text(ROWS)
    Path("more.csv").write_text(ROWS)
    place, before = other_name(data, how), files()
    result = run("train", "more.csv", data, "--target", "y", option, place, *more, *FAST)
    assert result.exit_code == 2
    words = " ".join(result.stderr.split())
    assert f"{option} would replace {data}, which is read as DATA" in words
    assert (f"named {place} there" in words) == (how != "same")
    assert files() == before


@pytest.mark.usefixtures("here")
def test_training_replaces_no_settings_file():
    pytest.importorskip("matplotlib")
    Path("s.html").write_text('data = ["line"]\nepochs = 2\n')
    result = run("train", "--settings", "s.html", "--report", "s.html")
    assert result.exit_code == 2
    assert "would replace s.html, which is read as --settings" in " ".join(result.stderr.split())
    assert "epochs" in Path("s.html").read_text()


@pytest.mark.usefixtures("here")
def test_other_commands_replace_nothing_that_they_read():
    pytest.importorskip("matplotlib")
    Path("rows.csv").write_text(ROWS)
    assert run("train", "rows.csv", "--target", "y", "--out", "m.safetensors", *FAST).exit_code == 0
    for name in ("m.png", "m.json", "m.html"):
        os.link("m.safetensors", name)
    os.link("rows.csv", "rows.png")
    before = files()
    for words, what in (
        (("explain", "m.safetensors", "rows.csv", "--plot", "rows.png"), "rows.csv, which is read as DATA"),
        (
            ("explain", "m.safetensors", "rows.csv", "--plot", "m.png"),
            "m.safetensors, which is read as",
        ),
        (("verify", "m.safetensors", "--out", "m.json"), "m.safetensors, which is read as"),
        (("bench", "m.safetensors", "--html", "m.html"), "m.safetensors, which is read as"),
    ):
        result = run(*words)
        assert result.exit_code == 2, words
        assert f"would replace {what}" in " ".join(result.stderr.split())
    os.link("m.safetensors", "other.safetensors")
    result = run("convert", "m.safetensors", "other.safetensors", "--overwrite")
    assert "are one file" in result.stderr
    Path("other.safetensors").unlink()
    assert files() == before


@pytest.mark.usefixtures("here")
def test_python_replaces_no_data_by_a_report():
    pytest.importorskip("matplotlib")
    data = Path("rows.html")
    data.write_text(ROWS)
    given = {"device": "cpu", "members": 1, "hidden": (3,), "bins": 0, "epochs": 2}
    table = fuseprop.load_table(data, "y")
    model, _ = fuseprop.train(table, **given)
    os.link(data, "link.html")
    for place in (data, "link.html"):
        for rows in (str(data), data, [data], table):
            with pytest.raises(ValueError, match=r"would replace rows\.html, from which the data are read"):
                model.report(place, rows)
        with pytest.raises(ValueError, match="would replace"):
            fuseprop.train(data, "y", report=place, **given)
    assert data.read_text() == ROWS

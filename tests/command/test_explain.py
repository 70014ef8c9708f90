"""fuseprop explain: which columns a model relies on, as a table, as JSON and as a picture."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import fuseprop
from fuseprop.cli import main
from fuseprop.installing import how_to_install
from fuseprop.plots.drawing.library import SETTINGS

PNG = b"\x89PNG\r\n\x1a\n"


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A folder with a table in which income decides and noise does not, and its model."""
    folder = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(0)
    lines = ["income,noise,town,bought"]
    for i in range(120):
        income = rng.uniform(1000, 5000)
        bought = "" if i == 7 else ("yes" if income > 3000 else "no")
        lines.append(f"{income:.1f},{rng.normal():.3f},{('Ulm', 'Bonn')[i % 2]},{bought}")
    (folder / "shop.csv").write_text("\n".join(lines) + "\n")
    options = ("--target", "bought", "--device", "cpu", "--epochs", 30, "--quiet")
    assert run("train", folder / "shop.csv", *options, "--out", folder / "m.safetensors").exit_code == 0
    return folder


def explain(shop, *arguments):
    return run("explain", shop / "m.safetensors", shop / "shop.csv", "--device", "cpu", *arguments)


def test_the_columns_are_shown_with_the_most_important_first(shop):
    result = explain(shop)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert " ".join(lines[0].split()) == "column loss rises by 95% interval accuracy falls by 95% interval"
    assert lines[1].startswith("income")
    assert {line.split()[0] for line in lines[1:4]} == {"income", "noise", "town"}
    assert lines[4].startswith("119 rows, as they are: loss ")
    assert len(lines) == 5
    assert "1 row without a target left out" in result.stderr
    assert "permuting 3 columns among 119 rows, each 5 times" in result.stderr


def test_json_holds_what_python_returns(shop):
    result = explain(shop, "--json", "--repeats", 3, "--seed", 4)
    content = json.loads(result.stdout)
    model = fuseprop.load(shop / "m.safetensors", device="cpu")
    found = model.explain(shop / "shop.csv", repeats=3, seed=4)
    assert list(content) == [
        *("task", "backend", "device", "rows", "repeats", "seed", "loss", "accuracy"),
        *("columns", "notes", "plot"),
    ]
    assert (content["rows"], content["repeats"], content["seed"], content["plot"]) == (119, 3, 4, None)
    assert content["accuracy"] == found.scores["accuracy"]
    assert [column["name"] for column in content["columns"]] == [column.name for column in found.columns]
    first, expected = content["columns"][0], found.columns[0]
    for name, effect in (("loss", expected.loss), ("accuracy", expected.metric)):
        assert first[name] == {
            "mean": effect.mean,
            "deviation": effect.deviation,
            "low": effect.low,
            "high": effect.high,
        }
    assert explain(shop, "--json", "--repeats", 3, "--seed", 4).stdout == result.stdout
    assert (
        json.loads(explain(shop, "--json", "--repeats", 1).stdout)["columns"][0]["loss"]["deviation"] is None
    )


def test_the_target_may_have_another_name(shop, tmp_path):
    table = tmp_path / "renamed.csv"
    table.write_text((shop / "shop.csv").read_text().replace("bought", "sold", 1))
    model = shop / "m.safetensors"
    assert run("explain", model, table, "--device", "cpu").exit_code == 1
    renamed = run("explain", model, table, "--target", "sold", "--device", "cpu")
    assert renamed.stdout == explain(shop).stdout


def test_it_is_drawn(shop, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "columns.png"
    result = explain(shop, "--plot", path)
    assert result.exit_code == 0
    assert f"picture written to {path}" in result.stdout
    assert path.read_bytes().startswith(PNG)
    assert json.loads(explain(shop, "--plot", path, "--json").stdout)["plot"] == str(path)


def test_the_words_of_the_picture_stand_in_it(shop, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setitem(SETTINGS, "svg.fonttype", "none")
    explain(shop, "--plot", tmp_path / "columns.svg")
    text = (tmp_path / "columns.svg").read_text()
    for word in ("income", "noise", "town", "the loss rises", "accuracy falls", "column"):
        assert f">{word}<" in text


def test_what_is_drawn_is_what_was_found(shop):
    found = fuseprop.load(shop / "m.safetensors", device="cpu").explain(shop / "shop.csv")
    figure = found.figure("shop")
    rise, fall = (panel.ground for panel in figure.panels)
    assert list(rise.names) == list(fall.names) == [column.name for column in found.columns]
    assert list(rise.values) == [column.loss.mean for column in found.columns]
    assert list(fall.low) == [column.metric.low for column in found.columns]
    assert list(fall.high) == [column.metric.high for column in found.columns]
    assert [panel.y_label for panel in figure.panels] == ["column", "column"]
    assert figure.title == "shop: 119 rows, each column permuted 5 times"


def test_python_draws_it_too(shop):
    pytest.importorskip("matplotlib")
    found = fuseprop.load(shop / "m.safetensors", device="cpu").explain(shop / "shop.csv")
    drawn = found.plot("customers")
    assert drawn.get_suptitle() == "customers: 119 rows, each column permuted 5 times"
    for axes in drawn.axes:
        assert [label.get_text() for label in axes.get_yticklabels()] == [c.name for c in found.columns]


def test_of_many_columns_the_most_important_are_drawn():
    X = np.random.default_rng(0).normal(size=(50, 30))
    table = fuseprop.Table.of(X, X[:, 0])
    model, _ = fuseprop.train(table, epochs=1, device="cpu")
    found = model.explain(table, repeats=1)
    figure = found.figure("wide")
    assert list(figure.panels[0].ground.names) == [column.name for column in found.columns[:20]]
    assert figure.panels[0].y_label == "column, 20 of 30"


def test_wrong_use_is_refused(shop, monkeypatch, tmp_path):
    for arguments in (("--repeats", 0), ("--seed", -1), ("--plot", tmp_path / "x.jpg")):
        assert explain(shop, *arguments).exit_code == 2
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    result = explain(shop, "--plot", tmp_path / "x.png")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"Type: {how_to_install('plots')}." in " ".join(result.stderr.split())


def test_a_table_without_the_target_is_refused(shop, tmp_path):
    (tmp_path / "t.csv").write_text("income,noise,town\n1000,0.1,Ulm\n2000,0.2,Bonn\n")
    result = run("explain", shop / "m.safetensors", tmp_path / "t.csv", "--device", "cpu")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "bought" in result.stderr

"""Scores on the terminal and in JSON: intervals, confusion matrices, and what is missing."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from fuseprop.cli import main
from fuseprop.cli.scores_text import MOST_CLASSES, confusion_lines
from fuseprop.metrics.scores import Confusion


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def iris(tmp_path_factory):
    model = tmp_path_factory.mktemp("iris") / "m.safetensors"
    return model, run("train", "iris", "--epochs", 5, "--device", "cpu", "--out", model)


def test_the_test_rows_scores_are_shown_with_their_intervals(iris):
    lines = iris[1].stdout.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("test rows"))
    assert lines[start].split() == ["test", "rows", "95%", "interval"]
    shown = [line.split() for line in lines[start + 1 : start + 6]]
    assert [line[0] for line in shown] == ["accuracy", "balanced_accuracy", "f1", "log_loss", "roc_auc"]
    for _, value, low, to, high in shown:
        assert to == "to"
        assert float(low) <= float(value) <= float(high)
    assert lines[start + 6] == "f1: the mean over the classes"
    assert lines[start + 7].split() == ["true", "setosa", "versicolor", "virginica", "predicted"]
    counts = [[int(cell) for cell in line.split()[1:]] for line in lines[start + 8 : start + 11]]
    assert np.sum(counts) == 30


def test_evaluate_shows_what_its_json_holds(iris):
    lines = run("evaluate", iris[0], "iris", "--device", "cpu").stdout.splitlines()
    said = json.loads(run("evaluate", iris[0], "iris", "--device", "cpu", "--json").stdout)
    assert lines[0].split() == ["95%", "interval"]
    for line in lines[1:8]:
        name, value, *interval = line.split()
        assert value == f"{said[name]:.6g}"
        ends = said["intervals"].get(name)
        assert interval == ([] if ends is None else [f"{ends[0]:.4g}", "to", f"{ends[1]:.4g}"])
    assert said["confusion"]["classes"] == ["setosa", "versicolor", "virginica"]
    assert [line.split()[1:] for line in lines[10:]] == [
        [str(count) for count in row] for row in said["confusion"]["counts"]
    ]


def test_json_of_a_training():
    said = json.loads(run("train", "breast_cancer", "--epochs", 1, "--device", "cpu", "--json").stdout)
    for part in ("train", "validation", "test"):
        for name in ("loss", "accuracy", "baseline", "balanced_accuracy", "f1", "log_loss", "roc_auc"):
            assert 0 <= said[f"{part}_{name}"] < 10
    assert set(said["test_intervals"]) == {"accuracy", "balanced_accuracy", "f1", "log_loss", "roc_auc"}
    low, high = said["test_intervals"]["roc_auc"]
    assert low <= said["test_roc_auc"] <= high
    assert np.sum(said["test_confusion"]["counts"]) == said["rows"]["test"]


def test_json_without_test_rows():
    said = json.loads(run("train", "iris", "--epochs", 1, "--device", "cpu", "--test", 0, "--json").stdout)
    assert said["test_roc_auc"] is said["test_accuracy"] is said["test_confusion"] is None
    assert said["test_intervals"] == {}


def test_a_regression_is_shown_beside_its_mean():
    shown = run("train", "diabetes", "--epochs", 1, "--device", "cpu").stdout
    assert "rmse_of_mean: the RMSE of predicting the mean of these rows" in shown
    names = [line.split()[0] for line in shown.splitlines()]
    assert [name for name in names if name in ("r2", "rmse", "mae", "rmse_of_mean")] == [
        *("r2", "rmse", "mae", "rmse_of_mean")
    ]


def test_a_score_that_is_not_there_is_told(tmp_path):
    model, path = tmp_path / "m.safetensors", tmp_path / "t.csv"
    rows = [f"{i},{'no' if i < 20 else 'yes'}\n" for i in range(40)]
    path.write_text("x,y\n" + "".join(rows))
    assert (
        run("train", path, "--target", "y", "--epochs", 1, "--device", "cpu", "--out", model).exit_code == 0
    )
    path.write_text("x,y\n" + "".join(rows[:20]))
    shown = run("evaluate", model, path, "--device", "cpu").stdout
    assert "roc_auc            none: no row is of the class 'yes'" in shown
    said = json.loads(run("evaluate", model, path, "--device", "cpu", "--json").stdout)
    assert said["roc_auc"] is None
    assert said["confusion"]["counts"][1] == [0, 0]


def test_a_part_of_one_row_has_no_r2(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{i},{i}.5\n" for i in range(20)))
    made = run(
        *("train", path, "--target", "y", "--task", "regression", "--epochs", 1, "--device", "cpu"),
        *("--test", 0.05, "--validation", 0.2),
    )
    assert made.exit_code == 0
    test = next(line for line in made.stdout.splitlines() if line.startswith("test "))
    assert test.split()[2:] == ["none", "1"]
    assert "none: one row alone deviates from no mean" in made.stdout


def test_a_confusion_matrix_is_shown_for_few_classes():
    def lines(k, name="class"):
        counts = np.arange(k * k).reshape(k, k) * 1000
        return confusion_lines(Confusion(tuple(f"{name} {i}" for i in range(k)), counts))

    assert len(lines(MOST_CLASSES)) == MOST_CLASSES + 1
    assert len({len(line) for line in lines(MOST_CLASSES)[1:]}) == 1, "columns are aligned"
    assert lines(MOST_CLASSES + 1) == confusion_lines(None) == []
    escaped = "\n".join(lines(2, "\x1b[31mred"))
    assert "\x1b" not in escaped
    assert max(map(len, lines(2, "a" * 500))) < 80

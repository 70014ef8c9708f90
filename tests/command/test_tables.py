"""What the command says of targets, scores and rows unlike those of training, and what reaches a terminal."""

import csv
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import fuseprop
from fuseprop import Table
from fuseprop.cli import main

X = np.random.default_rng(0).normal([50.0, -3.0], [9.0, 0.1], (60, 2))
RED, BLUE = "\x1b[31mred", "\x9b2Jblue"


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def train(*arguments):
    return run("train", *arguments, "--device", "cpu", "--epochs", 1, "--members", 1)


def csv_of(path, cells, X=X, names=("a", "b", "y")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [names, *([*row, cell] for row, cell in zip(X.tolist(), cells, strict=True))]
        )
    return path


def test_missing_classes_are_refused_where_they_are_many_and_kept_on_request(tmp_path):
    cells = ["0", "1", "NA"] * 20
    path, model = csv_of(tmp_path / "t.csv", cells), tmp_path / "m.safetensors"
    refused = train(csv_of(tmp_path / "r.csv", ["no", "yes", "NA"] * 20), "--target", "y")
    assert refused.exit_code == 1
    assert "row 3 (line 4), column 'y': 'NA' says that the value is missing (20 such rows)" in refused.stderr
    assert "--keep-as-class NA" in refused.stderr
    kept = train(path, "--target", "y", "--keep-as-class", "NA", "--out", model)
    assert kept.exit_code == 0
    assert "3 classes: 0, 1, NA" in kept.stderr
    assert run("evaluate", model, path).exit_code == 0


def test_rows_without_a_class_are_left_out_told_and_counted(tmp_path):
    path, model = (
        csv_of(tmp_path / "t.csv", ["no", "yes"] * 28 + ["NA", "", "NA", "?"]),
        tmp_path / "m.safetensors",
    )
    result = train(path, "--target", "y", "--json", "--out", model)
    assert result.exit_code == 0
    made = json.loads(result.stdout)
    assert (made["without_target"], sum(made["rows"].values())) == (4, 56)
    assert "4 rows without a target left out" in result.stderr
    assert "'NA' in 2 rows of the target 'y'" in result.stderr
    assert "--keep-as-class NA" in result.stderr
    again = run("evaluate", model, path, "--json")
    assert json.loads(again.stdout)["rows"] == 56
    assert "4 rows without a target left out" in again.stderr


def test_codes_are_printed_as_they_were_read(tmp_path):
    path, model = csv_of(tmp_path / "t.csv", ["01234", "007", "07", "7"] * 15), tmp_path / "m.safetensors"
    assert train(path, "--target", "y", "--out", model).exit_code == 0
    assert (
        run("predict", model, path)
        .stdout.splitlines()[0]
        .endswith("probability 007,probability 01234,probability 07,probability 7")
    )
    scores = json.loads(run("evaluate", model, path, "--json").stdout)
    assert scores["baseline"] == 0.25
    as_numbers = train(path, "--target", "y", "--target-as", "numbers")
    assert "2 classes: 7, 1234" in as_numbers.stderr
    wrong = train(path, "--target", "y", "--target-as", "number")
    assert wrong.exit_code == 2
    assert 'Did you mean "numbers"?' in wrong.stderr


def test_a_model_of_numbers_reads_numbers_again(tmp_path):
    path, model = csv_of(tmp_path / "t.csv", [f"{i:03d}" for i in range(60)]), tmp_path / "m.safetensors"
    assert train(path, "--target", "y").exit_code == 1
    assert train(path, "--target", "y", "--target-as", "numbers", "--out", model).exit_code == 0
    assert "r2" in run("evaluate", model, path).stdout


def test_the_baseline_stands_beside_every_accuracy(tmp_path):
    cells = [1 if i == 17 else 0 for i in range(60)]
    path, model = csv_of(tmp_path / "t.csv", cells), tmp_path / "m.safetensors"
    result = train(path, "--target", "y", "--out", model)
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["loss", "accuracy", "baseline", "rows"]
    assert lines[3].split()[-2:] == ["1.0000", "12"]
    assert "baseline: the accuracy of the most frequent class alone" in lines
    assert any(line.startswith("1 epoch, ") for line in lines)
    assert "training  1 epoch, " in result.stderr
    made = json.loads(train(path, "--target", "y", "--json").stdout)
    assert (made["test_baseline"], made["validation_baseline"]) == (1.0, 1.0)
    assert made["train_baseline"] == pytest.approx(37 / 38)
    assert f"baseline           {59 / 60:.6g}" in run("evaluate", model, path).stdout
    assert "baseline" not in train("diabetes", "--json").stdout
    labels = tmp_path / "labels.npz"
    np.savez(labels, X=X, y=np.tile([[0, 1], [1, 1], [0, 1]], (20, 1)))
    assert "the most frequent combination of labels alone" in train(labels).stdout


def test_rows_unlike_those_of_training_are_told_on_standard_error(tmp_path):
    model = tmp_path / "m.safetensors"
    train(csv_of(tmp_path / "t.csv", ["no", "yes"] * 30), "--target", "y", "--out", model)
    far = X.copy()
    far[3, 0] = 50 + 9 * 300
    path = csv_of(tmp_path / "far.csv", ["no", "yes"] * 30, far)
    for command in ("predict", "evaluate"):
        result = run(command, model, path)
        assert result.exit_code == 0
        (line,) = result.stderr.splitlines()
        assert line.startswith(f"Warning: {path}: row 4 is far outside of what the model learned from")
        assert "a (" in line
        assert "b (" not in line
        assert "Warning" not in result.stdout
        assert run(command, model, tmp_path / "t.csv").stderr == ""


def test_names_and_cells_do_not_steer_the_terminal(tmp_path):
    names = ("a\x1b[2J", "b", "y\x07")
    path, model = csv_of(tmp_path / "t.csv", [RED, BLUE] * 30, names=names), tmp_path / "m.safetensors"
    shown = [
        train(path, "--target", names[2], "--out", model),
        train(path, "--target", names[2], "--json"),
        train(path, "--target", "z"),
        train(path, "--target", "b", "--hidden", "none"),
        run("evaluate", model, path),
        run("predict", model, path, "--json"),
        run("predict", model, "iris"),
    ]
    for result in shown:
        for line in [*result.stdout.splitlines(), *result.stderr.splitlines()]:
            assert line.isprintable(), line
    assert r'"\x1b[31mred", "\x9b2Jblue"' in shown[0].stderr
    assert json.loads(shown[5].stdout)["classes"] == [RED, BLUE]
    by_feature = csv_of(tmp_path / "u.csv", X[:, 0] * 2, names=("a\x1b[2J", "b", "y"))
    linear = train(by_feature, "--target", "y", "--hidden", "none")
    assert r'of "a\x1b[2J"' in linear.stdout


def test_a_program_reads_back_the_classes_as_they_are(tmp_path):
    path, model = csv_of(tmp_path / "t.csv", [RED, "=1+1"] * 30), tmp_path / "m.safetensors"
    assert train(path, "--target", "y", "--out", model).exit_code == 0
    rows = list(csv.reader(io.StringIO(run("predict", model, path).stdout)))
    assert rows[0] == ["prediction", f"probability {RED}", "probability =1+1"]
    assert {row[0] for row in rows[1:]} <= {RED, "=1+1"}


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX terminals")
def test_predictions_on_a_terminal_do_not_steer_it(tmp_path):
    import pty

    model = tmp_path / "m.safetensors"
    made, _ = fuseprop.train(Table.of(X, [RED, BLUE] * 30), epochs=1, device="cpu")
    made.save(model)
    np.savez(tmp_path / "t.npz", X=X[:5])
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "fuseprop",
        "predict",
        str(model),
        str(tmp_path / "t.npz"),
        "--device",
        "cpu",
    ]
    subprocess.run(command, stdout=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert shown.count("\n") == 6
    assert all(line.isprintable() for line in shown.splitlines())
    assert r"\x1b[31mred" in shown


def test_text_that_a_spreadsheet_would_compute(tmp_path):
    classes = ["=1+1", "+x", "-x", "@x", "x=1", "-5"]
    path, model = csv_of(tmp_path / "t.csv", classes * 10), tmp_path / "m.safetensors"
    X_wide = np.repeat(np.eye(6), 10, axis=0)
    made, _ = fuseprop.train(
        Table.of(X_wide, np.repeat(classes, 10)), hidden=(), epochs=300, test=0, validation=0, device="cpu"
    )
    made.save(model)
    np.savez(tmp_path / "t.npz", X=np.eye(6))
    given = [row[0] for row in csv.reader(io.StringIO(run("predict", model, tmp_path / "t.npz").stdout))][1:]
    assert given == classes
    result = run("predict", model, tmp_path / "t.npz", "--spreadsheet")
    quoted = [row[0] for row in csv.reader(io.StringIO(result.stdout))][1:]
    assert quoted == ["'=1+1", "'+x", "'-x", "'@x", "x=1", "'-5"]
    assert run("predict", model, path, "--spreadsheet", "--json").exit_code == 2


def test_a_target_may_have_a_comma_in_its_name_and_be_given_one_by_one(tmp_path):
    path = csv_of(tmp_path / "t.csv", X[:, 0] * 2, names=("a", "b", "y, doubled"))
    given = ("train", path, "--epochs", "1", "--json")
    refused = run(*given, "--target", "y, doubled")
    assert refused.exit_code == 1
    quoted = "'\"y, doubled\"'"
    assert f"a name with a comma stands in double quotes: {quoted}." in refused.stderr
    assert json.loads(run(*given, "--target", '"y, doubled"').stdout)["rows"]["train"] > 0
    several = ("--target", "b", "--target", '"y, doubled"')
    assert run(*given, *several, "--out", tmp_path / "m.safetensors").exit_code == 0
    assert fuseprop.load(tmp_path / "m.safetensors").task.targets == ("b", "y, doubled")
    for twice in (("--target", "b,b"), ("--target", "b", "--target", "b"), ("--target", "a\nb")):
        assert "expected different names" in run(*given, *twice).stderr

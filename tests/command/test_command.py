"""The command: results, exit codes, and what bad input gets."""

import csv
import io
import json
import os
import re

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import save

import fuseprop
from fuseprop.cli import main
from fuseprop.data import load_table
from fuseprop.formulas import LOSSES
from fuseprop.formulas.activation import trainable_activations


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def train(*arguments):
    return run("train", *arguments, "--device", "cpu")


@pytest.fixture
def houses(tmp_path):
    rng = np.random.default_rng(0)
    area, rooms = rng.uniform(20, 200, 60), rng.integers(1, 6, 60)
    lines = [
        f"{a:.2f},{r},{'villa' if a > 120 else 'flat'},{1000 * a + 500 * r:.2f}\n"
        for a, r in zip(area, rooms, strict=True)
    ]
    (tmp_path / "prices.csv").write_text(
        "area,rooms,price\n" + "".join(",".join(np.array(line.split(","))[[0, 1, 3]]) for line in lines)
    )
    (tmp_path / "kinds.csv").write_text(
        "area,rooms,kind\n" + "".join(",".join(line.split(",")[:3]) + "\n" for line in lines)
    )
    (tmp_path / "new.csv").write_text("note;rooms;area\nfirst;2;150\nsecond;3;30\n")
    return tmp_path


def test_settings_are_shown_before_results_and_apart_from_them():
    result = train(
        "iris", "--epochs", 2, "--members", 1, "--hidden", 64, "--activation", "tanh", "--learning-rate", 0.1
    )
    assert result.exit_code == 0
    for word in ("96 to learn from", "64 tanh", "learning rate 0.1", "seed 0", "epoch 2/2"):
        assert word in result.stderr
        assert word not in result.stdout
    assert result.stdout.split()[:4] == ["loss", "accuracy", "baseline", "rows"]


def test_quiet_prints_results_alone():
    result = train("iris", "--epochs", 2, "--quiet")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "test" in result.stdout


@pytest.mark.parametrize(("data", "metric"), [("iris", "accuracy"), ("diabetes", "r2"), ("xor", "accuracy")])
def test_json_is_one_strict_object(data, metric):
    result = train(data, "--epochs", 3, "--members", 1, "--hidden", 64, "--bins", 0, "--json")

    def refuse(constant):
        raise AssertionError(constant)

    made = json.loads(result.stdout, parse_constant=refuse)
    assert made["backend"] == "numpy"
    assert made["device"] == "cpu"
    assert made["epochs"] == 3
    assert made["stop_reason"] == "finished"
    assert made["seconds_per_epoch"] > 0
    assert made["train_loss"] > 0
    features, outputs = load_table(data).X.shape[1], 3 if data == "iris" else 1
    assert made["parameters"] == (features + 1) * 64 + 65 * outputs
    held_out = data != "xor"
    assert (made["validation_loss"] is not None) == held_out
    assert (made[f"test_{metric}"] is not None) == held_out
    assert made["settings"]["hidden"] == [64]


def test_line_prints_its_slope():
    result = train("line", "--quiet")
    assert "y = intercept -1.0" in result.stdout
    assert "slope" in result.stdout
    made = json.loads(train("line", "--quiet", "--json").stdout)
    assert made["slope"]["y"]["x"] == pytest.approx(2.0, abs=0.05)
    assert made["intercept"]["y"] == pytest.approx(-1.0, abs=0.05)


def test_every_option_arrives(houses):
    result = train(
        *(houses / "kinds.csv", "--target", "kind", "--task", "exclusive", "--hidden", "5,4"),
        *("--activation", "relu,tanh", "--loss", "half_squared_error", "--learning-rate", 0.02),
        *("--momentum", 0.5, "--weight-decay", 0.01, "--epochs", 2, "--batch-size", 7),
        *("--validation", 0.2, "--test", 0.5, "--seed", 4, "--dtype", "float64", "--json"),
        *("--schedule", "step", "--clip-norm", 2, "--dropout", 0.25, "--patience", 7),
        *("--class-weight", "flat=1,villa=2.5", "--members", 2, "--bins", 3, "--clip"),
        *("--on-divergence", "halve", "--on-oom", "halve", "--scaling", "weak"),
    )
    made = json.loads(result.stdout)
    assert made["task"] == "exclusive"
    assert made["rows"] == {"train": 30, "validation": 12, "test": 30}
    assert made["class_weights"] == {"flat": 1.0, "villa": 2.5}
    assert made["settings"] == {
        "hidden": [5, 4],
        "activation": ["relu", "tanh"],
        "loss": "half_squared_error",
        "learning_rate": 0.02,
        "momentum": 0.5,
        "weight_decay": 0.01,
        "epochs": 2,
        "batch_size": 7,
        "test": 0.5,
        "validation": 0.2,
        "seed": 4,
        "dtype": "float64",
        "device": "cpu",
        "optimizer": "momentum",
        "schedule": "step",
        "clip_norm": 2.0,
        "dropout": 0.25,
        "patience": 7,
        "class_weight": {"flat": 1.0, "villa": 2.5},
        "members": 2,
        "bins": 3,
        "clip": True,
        "on_divergence": "halve",
        "on_oom": "halve",
        "scaling": "weak",
    }


@pytest.mark.parametrize("hidden", ["", "none"])
def test_no_hidden_layer(hidden):
    assert json.loads(train("iris", "--hidden", hidden, "--json").stdout)["parameters"] == 5 * 3


def test_train_predict_evaluate_a_regression(houses):
    model = houses / "m.safetensors"
    assert (
        train(houses / "prices.csv", "--target", "price", "--out", model, "--hidden", "none").exit_code == 0
    )
    rows = list(csv.reader(io.StringIO(run("predict", model, houses / "new.csv").stdout)))
    assert rows[0] == ["prediction"]
    assert [float(row[0]) for row in rows[1:]] == pytest.approx([151_000, 31_500], rel=0.05)
    scores = run("evaluate", model, houses / "prices.csv", "--json")
    assert json.loads(scores.stdout)["r2"] > 0.99
    assert "r2" in run("evaluate", model, houses / "prices.csv").stdout


def test_train_predict_evaluate_classes(houses):
    model = houses / "m.safetensors"
    made = train(houses / "kinds.csv", "--target", "kind", "--out", model, "--members", 1)
    assert made.exit_code == 0
    rows = list(csv.reader(io.StringIO(run("predict", model, houses / "new.csv").stdout)))
    assert rows[0] == ["prediction", "probability flat", "probability villa"]
    assert [row[0] for row in rows[1:]] == ["villa", "flat"]
    for row in rows[1:]:
        assert float(row[1]) + float(row[2]) == pytest.approx(1, abs=1e-6)
    made = json.loads(run("predict", model, houses / "new.csv", "--json").stdout)
    assert made["predictions"] == ["villa", "flat"]
    assert made["classes"] == ["flat", "villa"]
    assert np.shape(made["probabilities"]) == (2, 2)
    assert json.loads(run("evaluate", model, houses / "kinds.csv", "--json").stdout)["accuracy"] > 0.9


def test_many_labels_in_an_npz_file(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    np.savez(tmp_path / "t.npz", X=X, tags=(X > 0).astype(int))
    model = tmp_path / "m.safetensors"
    made = train(tmp_path / "t.npz", "--target", "tags", "--out", model, "--members", 1)
    assert made.exit_code == 0
    header = run("predict", model, tmp_path / "t.npz").stdout.splitlines()[0]
    assert header == "prediction tags1,prediction tags2,probability tags1,probability tags2"
    scores = run("evaluate", model, tmp_path / "t.npz", "--target", "tags", "--json")
    assert json.loads(scores.stdout)["accuracy"] > 0.8


def test_built_in_data_sets_are_predicted_and_evaluated(tmp_path):
    model = tmp_path / "m.safetensors"
    train("iris", "--epochs", 5, "--out", model)
    assert len(run("predict", model, "iris").stdout.splitlines()) == 151
    assert run("evaluate", model, "iris").exit_code == 0
    assert "lacks the features" in run("predict", model, "wine").stderr


def test_the_same_command_twice_writes_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        train("iris", "--epochs", 4, "--out", tmp_path / f"{name}.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


USAGE = {
    ("irs",): ["digits, iris", 'Did you mean "iris"?'],
    ("iris", "--activation", "sigmod"): ["identity, sigmoid, tanh, relu", 'Did you mean "sigmoid"?'],
    ("iris", "--loss", "mse"): ["half_squared_error, mean_squared_error"],
    ("iris", "--loss", "huber(0)"): ["delta of huber must be a number above 0, got 0.0"],
    ("iris", "--loss", "huber(1, 2)"): ["huber takes the parameters (delta=1)"],
    ("iris", "--loss", "huber(exit())"): ['"exit()" is no number. Write huber(delta=1).'],
    ("iris", "--loss", "quantile(q=0.5, q=0.6)"): ["q is given twice"],
    ("iris", "--loss", "relu"): ['loss "relu" is not known', "hinge."],
    ("iris", "--loss", "x" * 100_000): ['loss "xxx', "is not known"],
    ("iris", "--activation", "relu(1)"): ["relu takes no parameters"],
    ("iris", "--activation", "leaky_relu(0.1,0.2)"): [
        "leaky_relu takes the parameters (negative_slope=0.01)"
    ],
    ("iris", "--activation", "tanh,gelo"): ['activation "gelo" is not known', 'Did you mean "gelu"?'],
    ("iris", "--activation", "leaky_relu(0.2"): ['activation "leaky_relu(0.2" is not known'],
    ("iris", "--activation", "step"): ["cannot be trained by gradient descent"],
    ("iris", "--activation", "lambda z: z"): ['activation "lambda z: z" is not known'],
    ("iris", "--activation", "relu(" + "," * 100_000): ["is not known"],
    ("iris", "--task", "multi"): ["multi-label"],
    ("iris", "--hidden", "0"): ["at least 1", "'0'"],
    ("iris", "--hidden", "-3,4"): ["at least 1"],
    ("iris", "--hidden", "many"): ["64,32", "'many'"],
    ("iris", "--hidden", "8", "--activation", "tanh,relu"): ["2 entries for 1 hidden"],
    ("iris", "--learning-rate", "0"): ["--learning-rate"],
    ("iris", "--learning-rate", "nan"): ["--learning-rate", "nan"],
    ("iris", "--test", "1"): ["--test"],
    ("iris", "--validation", "nan"): ["validation", "nan"],
    ("iris", "--epochs", "0"): ["--epochs"],
    ("iris", "--dtype", "float16"): ["float32", "float64"],
    ("iris", "--target", "a,,b"): ["'a,,b'"],
    ("iris", "--out", "model.pt"): [".safetensors", "'model.pt'"],
    ("iris", "--out", "nowhere/m.safetensors"): ["nowhere", "does not exist"],
    ("iris", "--optimizer", "adm"): ["momentum, adam", 'Did you mean "adam"?'],
    ("iris", "--optimizer", "adam", "--momentum", "0.9"): ["the optimizer is adam. Leave momentum out"],
    ("iris", "--schedule", "cosin"): ["constant, cosine", 'Did you mean "cosine"?'],
    ("iris", "--dropout", "1"): ["--dropout"],
    ("iris", "--dropout", "0.5", "--hidden", "none"): ["dropout=0.5", "there is none"],
    ("iris", "--clip-norm", "0"): ["--clip-norm"],
    ("iris", "--members", "0"): ["--members"],
    ("iris", "--bins", "-1"): ["--bins"],
    ("iris", "--bins", "1001"): ["--bins", "0<=x<=1000"],
    ("iris", "--patience", "-1"): ["--patience"],
    ("iris", "--patience", "5", "--validation", "0"): ["patience=5", "validation=0.2"],
    ("xor", "--patience", "5"): ["patience=5", "no rows are held out"],
    ("iris", "--class-weight", "even"): ["expected balanced", "no=1,yes=5", "'even'"],
    ("iris", "--class-weight", "setosa=1,setosa=2"): ["expected balanced", "different classes"],
    ("iris", "--class-weight", "setosa=-1"): ['class "setosa" the weight -1.0'],
    ("iris", "--optimiser", "adam"): ["--optimiser"],
    (): ["DATA"],
}


@pytest.mark.parametrize("arguments", USAGE, ids=lambda arguments: " ".join(arguments)[:60])
def test_wrong_use_is_2(arguments):
    result = run("train", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    for word in USAGE[arguments]:
        assert word in " ".join(result.stderr.split())


def refused(path, words):
    result = train("iris", "--out", path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in " ".join(result.stderr.split())


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_out_must_be_writable(open_path, as_nobody):
    (open_path / "d.safetensors").mkdir()
    os.mkfifo(open_path / "f.safetensors")
    (open_path / "r.safetensors").touch(0o444)
    (open_path / "m.interrupted.safetensors").mkdir()
    refused(open_path / "d.safetensors", "is a directory")
    refused(open_path / "f.safetensors", "no regular file")
    refused(open_path / "m.safetensors", "m.interrupted.safetensors cannot be written: this is a directory")
    refused(open_path / f"{'long' * 62}.safetensors", "File name too long")
    as_nobody(lambda: refused(open_path / "r.safetensors", "Permission denied"))
    open_path.chmod(0o555)
    as_nobody(lambda: refused(open_path / "n.safetensors", "Permission denied"))
    assert len(list(open_path.iterdir())) == 4


def test_failures_are_1_and_say_why(houses, tmp_path):
    model = tmp_path / "m.safetensors"
    train("iris", "--epochs", 1, "--out", model)
    (tmp_path / "bad.csv").write_text("age,y\n" + "".join(f"{i},{i}\n" for i in range(30)) + "abc,3\n")
    (tmp_path / "one.csv").write_text("age,y\n1,2\n3,2\n")
    np.savez(tmp_path / "labels.npz", X=np.eye(4), y=[[0, 1], [1, 1], [1, 0], [0, 0]])
    (tmp_path / "new.safetensors").write_bytes(save({"w": np.ones(2)}, {"fuseprop": '{"format": 9}'}))
    for arguments, words in [
        (("train", tmp_path / "missing.csv", "--target", "y"), ["no such file"]),
        (("train", houses / "prices.csv"), ["--target", "area, rooms, price"]),
        (("train", houses / "prices.csv", "--target", "prize"), ['Did you mean "price"?']),
        (("train", tmp_path / "bad.csv", "--target", "y"), ["row 31 (line 32)", "'age'", "'abc'"]),
        (("train", tmp_path / "one.csv", "--target", "y"), ["2.0 in every row"]),
        (("train", tmp_path / "labels.npz", "--loss", "softmax_cross_entropy"), ["exclude each other"]),
        (("train", "xor", "--test", "0.1"), ["4 rows are too few"]),
        (("train", "iris", "--target", "x"), ["built-in"]),
        (("predict", tmp_path / "missing.safetensors", "iris"), ["no such file"]),
        (("predict", tmp_path / "new.safetensors", "iris"), ["format 9", "a newer fuseprop is needed"]),
        (("predict", houses / "prices.csv", "iris"), ["not a model file"]),
        (("evaluate", model, "wine"), ["lacks the features"]),
        (("evaluate", model, houses / "prices.csv"), ["lacks the target class"]),
    ]:
        result = run(*arguments)
        assert result.exit_code == 1, (arguments, result.output)
        assert result.stdout == ""
        assert result.stderr.startswith("Error: ")
        for word in words:
            assert word in result.stderr


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
def test_a_device_that_is_not_there_is_3(device, tmp_path):
    assert run("train", "iris", "--device", device).exit_code == 3
    train("iris", "--epochs", 1, "--out", tmp_path / "m.safetensors")
    result = run("predict", tmp_path / "m.safetensors", "iris", "--device", device)
    assert result.exit_code == 3
    assert result.stderr.startswith("Error: ")


def test_divergence_is_4_and_writes_nothing(tmp_path):
    steps = ("--momentum", 0.6, "--learning-rate", 1e6)
    result = train("diabetes", *steps, "--out", tmp_path / "m.safetensors")
    assert result.exit_code == 4
    assert "epoch 1, batch" in result.stderr
    assert "was not written" in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_formulas_with_parameters(tmp_path):
    model = str(tmp_path / "m.safetensors")
    activation = "leaky_relu( negative_slope = 0.2 ) ,elu(0.5), gelu"
    quick = ("--members", 1, "--bins", 0, "--epochs", 20)
    result = train(
        *("diabetes", "--hidden", "4,4,4", "--activation", activation, "--loss", " huber(1.35)"),
        *("--out", model, *quick),
    )
    assert result.exit_code == 0
    assert "10 -> 4 leaky_relu(0.2) -> 4 elu(0.5) -> 4 gelu -> 1 identity; huber(1.35); " in result.stderr
    assert result.stdout.splitlines()[0].split() == ["loss", "rows"]
    loss = run("evaluate", model, "diabetes", "--json", "--device", "cpu")
    assert list(json.loads(loss.stdout)) == [
        *("task", "backend", "device", "rows", "loss"),
        *("r2", "rmse", "mae", "rmse_of_mean", "intervals", "undefined", "confusion"),
    ]
    assert run("predict", model, "diabetes", "--device", "cpu").stdout.startswith("prediction\n")
    settings = json.loads(train("diabetes", "--loss", "quantile(0.9)", "--json", *quick).stdout)["settings"]
    assert settings["loss"] == "quantile(0.9)"


def test_hinge_has_no_probabilities(tmp_path):
    model = str(tmp_path / "m.safetensors")
    made = train("breast_cancer", "--loss", "hinge", "--out", model, "--members", 1, "--epochs", 9)
    assert made.exit_code == 0
    lines = run("predict", model, "breast_cancer", "--device", "cpu").stdout.splitlines()
    assert lines[0] == "prediction"
    assert set(lines[1:]) == {"benign", "malignant"}
    said = json.loads(run("predict", model, "breast_cancer", "--json", "--device", "cpu").stdout)
    assert (said["classes"], said["probabilities"]) == (["benign", "malignant"], None)
    lines = run("evaluate", model, "breast_cancer", "--device", "cpu").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:7]] == [
        *("loss", "accuracy", "baseline", "balanced_accuracy", "f1", "roc_auc"),
    ]


def test_help_names_every_formula_with_its_parameters():
    said = " ".join(run("train", "--help").stdout.split())
    for family in [*trainable_activations().values(), *LOSSES.values()]:
        assert re.search(rf"\b{re.escape(family.usage)}[,.]", said)
    assert "sigmoid, tanh" in said  # without the step between them, which has no slope


def test_version_and_help():
    assert run("--version").stdout.strip() == f"fuseprop, version {fuseprop.__version__}"
    assert "fuseprop train digits\n" in run("--help").stdout
    for command in ("train", "predict", "evaluate", "explain"):
        assert run(command, "--help").exit_code == 0

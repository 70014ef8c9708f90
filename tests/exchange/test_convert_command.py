"""fuseprop convert: from one format to another by the names of the files, and nothing lost on the way."""

import json
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from runtime import run as run_onnx
from runtime import without_metadata

import fuseprop
from fuseprop import MLPClassifier, Network, mlp, to_onnx
from fuseprop.cli import main
from fuseprop.exchange.formats import FORMATS
from fuseprop.exchange.onnx.writing import notes_of


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    """A folder with the model of a table that has columns of several kinds."""
    folder = tmp_path_factory.mktemp("houses")
    rng, lines = np.random.default_rng(0), ["size,town,sold,price"]
    for i in range(80):
        size = rng.uniform(30, 200)
        town, day = ("Ulm", "Bonn")[i % 2], f"2024-{1 + i % 12:02d}-{1 + i % 28:02d}"
        lines.append(f"{size:.1f},{town},{day},{size * 1e3:.0f}")
    (folder / "houses.csv").write_text("\n".join(lines) + "\n")
    options = ("--target", "price", "--device", "cpu", "--epochs", 2, "--members", 2, "--quiet")
    done = run("train", folder / "houses.csv", *options, "--out", folder / "houses.safetensors")
    assert done.exit_code == 0, done.stderr
    return folder


def test_a_model_to_onnx_and_back_has_the_same_bytes(houses, tmp_path):
    done = run("convert", houses / "houses.safetensors", tmp_path / "houses.onnx")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path / 'houses.onnx'}: Model, regression, 3 columns, 3 layers, ")
    notes = [line for line in done.stderr.splitlines() if "houses.onnx: " in line]
    assert [note.partition("houses.onnx: ")[2] for note in notes] == [
        "town: a text as in training, no spaces around it, empty where it is missing; others count as new",
        "sold: days since 1970-01-01, the time of day as a fraction, NaN where it is missing",
    ]
    made = run_onnx(
        tmp_path / "houses.onnx",
        size=np.array([[80.0]]),
        town=np.array([["Ulm"]], object),
        sold=np.array([[19800.0]]),
    )
    assert made["prediction"].shape == (1,)
    assert run("convert", tmp_path / "houses.onnx", tmp_path / "again.safetensors").exit_code == 0
    assert (tmp_path / "again.safetensors").read_bytes() == (houses / "houses.safetensors").read_bytes()


def test_json(houses, tmp_path):
    done = run("convert", houses / "houses.safetensors", tmp_path / "houses.onnx", "--json")
    model = fuseprop.load(houses / "houses.safetensors", device="cpu")
    assert json.loads(done.stdout) == {
        "source": str(houses / "houses.safetensors"),
        "target": str(tmp_path / "houses.onnx"),
        "format": "ONNX",
        "kind": "Model",
        "task": "regression",
        "columns": 3,
        "layers": 3,
        "parameters": sum(layer.parameters for layer in model.network.layers),
        "notes": notes_of(model),
        "bytes": (tmp_path / "houses.onnx").stat().st_size,
    }
    assert len(notes_of(model)) == 2


def test_a_file_that_is_there_is_replaced_only_when_asked(houses, tmp_path):
    target = tmp_path / "houses.onnx"
    target.write_bytes(b"something of worth")
    done = run("convert", houses / "houses.safetensors", target)
    assert done.exit_code == 2
    assert "is there already. Name another TARGET, or add --overwrite" in done.stderr
    assert target.read_bytes() == b"something of worth"
    assert run("convert", houses / "houses.safetensors", target, "--overwrite").exit_code == 0
    assert len(target.read_bytes()) > 1000
    before = target.read_bytes()
    (tmp_path / "bad.safetensors").write_bytes(b"no model")
    assert run("convert", tmp_path / "bad.safetensors", target, "--overwrite").exit_code == 1
    assert target.read_bytes() == before


def test_one_file_is_not_converted_to_itself(houses):
    source = houses / "houses.safetensors"
    before = source.read_bytes()
    done = run("convert", source, houses / "." / "houses.safetensors", "--overwrite")
    assert done.exit_code == 2
    assert "are one file" in done.stderr
    assert source.read_bytes() == before


@pytest.mark.parametrize("name", ["houses.pb", "houses", "houses.onnx.txt", ".onnx "])
def test_an_unknown_format_is_refused_with_the_list(houses, tmp_path, name):
    done = run("convert", houses / "houses.safetensors", tmp_path / name)
    assert done.exit_code == 2
    assert all(end in done.stderr for end in FORMATS)
    assert not (tmp_path / name).exists()


def test_a_source_that_is_not_there(tmp_path):
    done = run("convert", tmp_path / "no.onnx", tmp_path / "m.safetensors")
    assert (done.exit_code, done.stderr) == (1, f"Error: {tmp_path / 'no.onnx'}: there is no such file.\n")
    done = run("convert", tmp_path / "no.onnx", tmp_path / "no" / "m.safetensors")
    assert done.exit_code == 2
    assert "does not exist. Make it first" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("loss", "outputs", "task", "classes"),
    [
        ("softmax_cross_entropy", 3, "exclusive", (0, 1, 2)),
        ("sigmoid_cross_entropy", 1, "binary", (0, 1)),
        ("sigmoid_cross_entropy", 2, "multi-label", ()),
        ("mean_squared_error", 2, "regression", ()),
        ("half_poisson_deviance", 1, "regression", ()),
        ("hinge", 1, "binary", (0, 1)),
    ],
)
def test_a_network_becomes_a_model_of_numbered_columns(tmp_path, loss, outputs, task, classes):
    network = Network(mlp([3, 4, outputs], "tanh"), loss, device="cpu", seed=0)
    to_onnx(network, tmp_path / "n.onnx")
    done = run("convert", tmp_path / "n.onnx", tmp_path / "m.safetensors")
    assert done.exit_code == 0, done.stderr
    assert f"taken for the task {task} by its loss, {loss}, on 3 columns x1, x2, ..." in done.stderr
    model = fuseprop.load(tmp_path / "m.safetensors", device="cpu")
    assert (model.task.name, model.task.classes, model.feature_names) == (task, classes, ("x1", "x2", "x3"))
    X = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    made, wanted = model.predict(X), network.predict(X)
    if model.task.has_probabilities(network.stack.loss):
        np.testing.assert_array_equal(made.probabilities[:, -outputs:], wanted)
    elif task == "regression":
        np.testing.assert_array_equal(made.values.reshape(wanted.shape), wanted)


def test_a_softmax_of_one_class_is_no_model(tmp_path):
    to_onnx(Network(mlp([2, 1]), "softmax_cross_entropy", device="cpu"), tmp_path / "n.onnx")
    done = run("convert", tmp_path / "n.onnx", tmp_path / "m.safetensors")
    assert done.exit_code == 1
    assert "knows a single class" in done.stderr
    assert not (tmp_path / "m.safetensors").exists()


def test_a_file_of_others_and_what_it_cannot_be(houses, tmp_path):
    to_onnx(Network(mlp([2, 3, 1], "relu"), "half_squared_error", device="cpu"), tmp_path / "n.onnx")
    assert run("convert", without_metadata(tmp_path / "n.onnx"), tmp_path / "m.safetensors").exit_code == 0
    run("convert", houses / "houses.safetensors", tmp_path / "houses.onnx")
    done = run("convert", without_metadata(tmp_path / "houses.onnx"), tmp_path / "x.safetensors")
    assert done.exit_code == 1
    assert "expected one, rows (n, inputs)" in done.stderr
    assert not (tmp_path / "x.safetensors").exists()


def test_an_estimator_in_onnx_becomes_its_own_file(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    made = MLPClassifier(hidden_layer_sizes=(3,), max_iter=400, solver="lbfgs", random_state=0)
    made.fit(X, np.where(X[:, 0] > 0, "a", "b"))
    to_onnx(made, tmp_path / "e.onnx")
    done = run("convert", tmp_path / "e.onnx", tmp_path / "e.safetensors")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path / 'e.safetensors'}: MLPClassifier, classification, 2 columns")
    again = MLPClassifier.load(tmp_path / "e.safetensors")
    np.testing.assert_array_equal(again.predict_proba(X), made.predict_proba(X))


def test_a_package_that_is_missing_is_one_line(tmp_path, monkeypatch):
    """Not a traceback: which package, and what to type."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    fuseprop.train("xor", epochs=1, device="cpu")[0].save(tmp_path / "m.safetensors")
    done = CliRunner().invoke(main, ["convert", str(tmp_path / "m.safetensors"), str(tmp_path / "m.onnx")])
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert "onnx" in done.stderr.splitlines()[0]
    assert "install" in done.stderr
    assert "Traceback" not in done.stderr

"""Model files: round trips, what is refused and in which words, and files that are never half there."""

import json
import os
import pickle
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

import fuseprop
from fuseprop import ModelFileError, Table
from fuseprop.model.files import read_model, write_model
from fuseprop.storage.atomic import write_atomically

QUICK = {"epochs": 2, "members": 1, "bins": 0, "test": 0.0, "validation": 0.0, "device": "cpu"}


@pytest.fixture(scope="module")
def trained():
    return fuseprop.train("iris", hidden=(5, 3), **QUICK)[0]


@pytest.fixture
def saved(trained, tmp_path):
    trained.save(tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def refusal(path):
    with pytest.raises(ModelFileError) as caught:
        fuseprop.load(path)
    return str(caught.value)


def rng_table(targets, features=3):
    X = np.random.default_rng(1).normal(5.0, 3.0, (len(targets), features))
    return Table.of(X, targets)


TARGETS = {
    "regression": np.linspace(100.0, 900.0, 30),
    "regression of two": np.random.default_rng(2).normal(50.0, 9.0, (30, 2)),
    "binary": ["no", "yes", "yes"] * 10,
    "exclusive numbers": [10, 9, 100] * 10,
    "exclusive texts": ["ä", "b,c", '"q"'] * 10,
    "multi-label": np.random.default_rng(3).integers(0, 2, (30, 3)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", TARGETS)
def test_round_trip_predicts_the_same_bits(tmp_path, case, dtype):
    table = rng_table(TARGETS[case])
    model, report = fuseprop.train(table, dtype=dtype, hidden=(4,), **QUICK)
    model.save(tmp_path / "m.safetensors")
    again = fuseprop.load(tmp_path / "m.safetensors", device="cpu")
    before, after = model.predict(table), again.predict(table)
    np.testing.assert_array_equal(after.values, before.values)
    if before.probabilities is not None:
        np.testing.assert_array_equal(after.probabilities, before.probabilities)
    assert again.task == model.task
    assert again.feature_names == model.feature_names
    assert again.evaluate(table) == model.evaluate(table) == report.train
    assert again.network.backend.dtype == dtype


@pytest.mark.parametrize("loss", ["half_squared_error", "mean_squared_error", "softmax_cross_entropy"])
@pytest.mark.parametrize("targets", [["no", "yes", "yes"] * 10, ["a", "b", "c"] * 10])
def test_round_trip_of_other_losses(tmp_path, targets, loss):
    table = rng_table(targets)
    model, _ = fuseprop.train(table, loss=loss, **QUICK)
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(
        fuseprop.load(tmp_path / "m.safetensors").predict(table).values, model.predict(table).values
    )


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        model, _ = fuseprop.train("wine", seed=3, epochs=3, device="cpu")
        model.save(tmp_path / f"{name}.safetensors")
    model, _ = fuseprop.train("wine", seed=4, epochs=3, device="cpu")
    model.save(tmp_path / "c.safetensors")
    first, second, other = ((tmp_path / f"{name}.safetensors").read_bytes() for name in "abc")
    assert first == second
    assert first != other


def rewritten(path, change):
    """Write a model file again, with its configuration or its tensors changed."""
    layers, configuration = read_model(path)
    tensors = {}
    for i, (weights, bias) in enumerate(layers):
        tensors |= {f"layers.{i}.weight": weights.copy(), f"layers.{i}.bias": bias.copy()}
    about = {"format": 1, "version": "0", **asdict(configuration)}
    change(about, tensors)
    path.write_bytes(save(tensors, {"fuseprop": json.dumps(about)}))
    return refusal(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda a, t: a.update(format=6),
            ["written by format 6", "reads up to 5", "a newer fuseprop is needed"],
        ),
        (lambda a, t: a.pop("format"), ["lacks a format version"]),
        (lambda a, t: a.pop("loss"), ["no valid 'loss'"]),
        (lambda a, t: a.update(classes=[[]]), ["no valid 'classes'"]),
        (lambda a, t: a.update(loss="hing"), ['loss "hing" is not known. Choose from: half_sq', '"hinge"?']),
        (lambda a, t: a.update(loss="huber(-1)"), ["delta of huber must be a number above 0, got -1.0"]),
        (lambda a, t: a.update(metric="hits"), ["hits"]),
        (lambda a, t: a.update(metric="r2"), ["contradicts itself", "r2"]),
        (lambda a, t: a.update(task="poetry"), ["contradicts itself", "poetry"]),
        (lambda a, t: a.update(task="regression"), ["contradicts itself"]),
        (lambda a, t: a.update(activations=["gelo"] * 3), ['activation "gelo" is not known']),
        (lambda a, t: a.update(activations=[]), ["activations"]),
        (lambda a, t: a.update(activations=["tanh"] * 4), ["lacks the tensor 'layers.3.weight'"]),
        (lambda a, t: a.update(input_scale=[1.0, 0.0, 1.0, 1.0]), ["scale"]),
        (lambda a, t: a.update(input_mean=[10**400, 0.0, 1.0, 1.0]), ["mean"]),
        (lambda a, t: a.update(input_mean=[0.0]), ["input_mean"]),
        (lambda a, t: a.update(feature_names=[]), ["input_mean"]),
        (lambda a, t: a.update(classes=["a", "b"]), ["3 outputs", "needs 2"]),
        (lambda a, t: a.update(task="binary"), ["contradicts itself", "binary", "3 classes"]),
        (lambda a, t: a.update(dtype="float64"), ["is float32, expected float64"]),
        (lambda a, t: a.update(classes=["a", "b", "a"]), ["classes must differ", "'a' is there twice"]),
        (lambda a, t: a.update(classes=[1, 2, "1"]), ["classes must be text, or numbers"]),
        (lambda a, t: a.update(classes=[1, 2, 10**400]), ["classes must be text, or numbers"]),
        (lambda a, t: a.update(classes=["a", "b", "\ud800"]), ["classes must be text that UTF-8 holds"]),
        (lambda a, t: a.update(classes=["a", "b", None]), ["no valid 'classes'"]),
        (lambda a, t: a["feature_names"].__setitem__(0, "petal width (cm)"), ["feature_names must differ"]),
        (lambda a, t: a.update(target_names=["y", "y"]), ["target_names must differ"]),
        (lambda a, t: a.update(target_names=["y", "z"]), ["needs one target"]),
        (lambda a, t: a.update(target_mean=[0.0], target_scale=[1.0]), ["target_mean has 1 entries"]),
        (lambda a, t: a.update(target_mean=[0.0]), ["equally long"]),
        (lambda a, t: a.update(input_mean=[True, 0.0, 1.0, 1.0]), ["no valid 'input_mean'"]),
        (lambda a, t: a.update(input_mean=[np.nan, 0.0, 1.0, 1.0]), ["NaN is no number"]),
        (lambda a, t: a.update(input_scale=[np.inf, 0.0, 1.0, 1.0]), ["Infinity is no number"]),
        (lambda a, t: a.update(format=True), ["lacks a format version"]),
        (lambda a, t: a.update(dtype="float16"), ["dtype must be float32 or float64"]),
        (lambda a, t: a.update(loss=["hinge"]), ["no valid 'loss'"]),
        (lambda a, t: t.update({"momentum": np.zeros(7, "f4")}), ["'momentum', which is none of its 3"]),
        (lambda a, t: t.update({"layers.0.bias": np.zeros(5, "f2")}), ["'F16', expected F32 or F64"]),
        (lambda a, t: t.update({"layers.0.bias": np.zeros((5, 1, 1), "f4")}), ["no valid shape"]),
        (lambda a, t: t.update({"layers.0.bias": np.zeros(0, "f4")}), ["no valid shape"]),
        (lambda a, t: t.update({"layers.0.bias": np.zeros(7, "f4")}), ["layer 0", "(4, outputs)", "(7,)"]),
        (lambda a, t: t.update({"layers.1.weight": np.zeros((2, 2), "f4")}), ["layer 1", "(5, outputs)"]),
        (lambda a, t: t["layers.2.weight"].__setitem__((0, 0), np.nan), ["'layers.2.weight'", "nan or inf"]),
    ],
)
def test_inconsistent_files(saved, change, words):
    message = rewritten(saved, change)
    for word in ["m.safetensors", *words]:
        assert word in message


def test_files_that_are_none(tmp_path, saved):
    assert "no such file" in refusal(tmp_path / "missing.safetensors")
    assert "is a directory" in refusal(tmp_path)
    for protocol in (2, 3, 4, 5):
        (tmp_path / "p.safetensors").write_bytes(pickle.dumps({"weights": [1.0]}, protocol))
        message = refusal(tmp_path / "p.safetensors")
        assert "is a pickle" in message
        assert "never unpickles" in message
    (tmp_path / "other.safetensors").write_bytes(save({"w": np.ones(3)}, {"format": "pt"}))
    assert "not written by fuseprop" in refusal(tmp_path / "other.safetensors")
    (tmp_path / "j.safetensors").write_bytes(save({"w": np.ones(3)}, {"fuseprop": "{"}))
    assert "JSONDecodeError" in refusal(tmp_path / "j.safetensors")
    (tmp_path / "t.safetensors").write_text("just some text, and long enough")
    assert "not a model file" in refusal(tmp_path / "t.safetensors")
    whole = saved.read_bytes()
    for size, word in ((0, "empty"), (5, "truncated"), (200, "truncated"), (len(whole) - 1, "truncated")):
        saved.write_bytes(whole[:size])
        assert word in refusal(saved)
        assert size == 0 or f"it has {size:,} bytes" in refusal(saved)


@settings(derandomize=True, deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_files_are_refused_or_whole(trained, tmp_path, data):
    path = tmp_path / "fuzz.safetensors"
    trained.save(path)
    whole = path.read_bytes()
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 3))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(damaged))
    try:
        model = fuseprop.load(path)
    except ModelFileError as error:
        assert "fuzz.safetensors" in str(error)  # noqa: PT017 (both outcomes are right)
    else:
        assert len(damaged) == len(whole)
        assert np.isfinite(model.network.weights()[0][0]).all()


@settings(derandomize=True, deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_truncation_is_refused(trained, tmp_path, data):
    path = tmp_path / "cut.safetensors"
    trained.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ModelFileError):
        fuseprop.load(path)


def failing(*_args, **_kwargs):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failing_step_leaves_the_old_file(tmp_path, monkeypatch, trained, step):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"old")
    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), failing)
    with pytest.raises(OSError, match="No space left"):
        trained.save(path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["m.safetensors"]


def test_an_interruption_or_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "text cannot be written")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["m.safetensors"]


def test_errors_name_the_file_that_was_asked_for(tmp_path, monkeypatch):
    (tmp_path / "d").mkdir()
    for path, error in (
        (tmp_path / "missing" / "m", FileNotFoundError),
        (tmp_path / "d", IsADirectoryError),
        (Path(), IsADirectoryError),
    ):
        with pytest.raises(error) as caught:
            write_atomically(path, b"new")
        assert str(caught.value).endswith(f"'{path}'")

    def denied(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "replace", denied)
    with pytest.raises(PermissionError) as caught:
        write_atomically(tmp_path / "m", b"new")
    assert caught.value.filename == str(tmp_path / "m")


def test_a_file_that_may_not_be_read_is_not_said_to_be_missing(saved, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    assert "cannot be read: Permission denied" in refusal(saved)


def test_data_and_name_reach_the_disk_in_that_order(tmp_path, monkeypatch):
    calls = []
    fsync, move = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (calls.append("fsync"), fsync(descriptor)))
    monkeypatch.setattr(Path, "replace", lambda *names: (calls.append("replace"), move(*names))[1])
    write_atomically(tmp_path / "m", b"new")
    assert (tmp_path / "m").read_bytes() == b"new"
    assert calls == ["fsync", "replace", "fsync"]


def test_weights_that_are_not_finite_are_not_written(tmp_path, trained):
    layers = trained.network.weights()
    layers[1][0][0, 0] = np.inf
    trained.save(tmp_path / "m.safetensors")
    configuration = replace(read_model(tmp_path / "m.safetensors")[1])
    with pytest.raises(ValueError, match="nan or inf"):
        write_model(tmp_path / "n.safetensors", layers, configuration)
    assert not (tmp_path / "n.safetensors").exists()

"""Models with formulas of every kind: what fits which task, what is predicted, what files say."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from safetensors.numpy import save

import fuseprop
from fuseprop import Activation, Loss, ModelFileError, MomentumSGD, Network, Table
from fuseprop.callbacks import SaveBest
from fuseprop.data.tasks import Task, is_for_classes
from fuseprop.formulas import LOSSES, exp, huber, leaky_relu, log1p, maximum, sigmoid, where
from fuseprop.formulas.activation import trainable_activations
from fuseprop.formulas.kept import keep_activation, keep_loss
from fuseprop.layers.dense import Dense
from fuseprop.model.files import FORMAT, read_model
from fuseprop.model.regions import boundary

OWN = Activation("swish", lambda z: z * sigmoid(z), text="z sigmoid(z)")
ASYMMETRIC = Loss("asymmetric", lambda y, t: where(y > t, 3 * (y - t), t - y))
COUNTS = Loss("log counts", lambda z, t: (z - log1p(t)) ** 2, low=0)
LOGISTIC = Loss(
    "logistic", lambda z, t: log1p(exp(-abs(z))) + maximum(-t * z, 0), link="sigmoid", coding=(-1, 1)
)
X = np.random.default_rng(0).normal(size=(60, 2))
Y = X @ [1.0, -2.0]
TARGETS = {
    "binary": np.where(Y > 0, "yes", "no"),
    "exclusive": np.array(["c", "a", "b"])[np.digitize(Y, (-1, 1))],
    "multi-label": (X > 0).astype(int),
}
QUICK = {
    "hidden": (6,),
    "optimizer": "momentum",
    "members": 1,
    "device": "cpu",
    "epochs": 40,
    "test": 0.0,
    "validation": 0.2,
}


def kept(model, path):
    """The model from its file, which predicts the same bits and is written as the same bytes again."""
    model.save(path)
    again = fuseprop.load(path, device="cpu")
    for table in (X, X * 1.5):
        np.testing.assert_array_equal(again.predict(table).values, model.predict(table).values)
    again.save(path.with_name("again.safetensors"))
    assert path.read_bytes() == path.with_name("again.safetensors").read_bytes()
    return again


@pytest.mark.parametrize("name", trainable_activations())
def test_every_activation_is_kept(tmp_path, name):
    model, report = fuseprop.train(Table.of(X, TARGETS["binary"]), activation=name, **QUICK)
    assert report.train["accuracy"] > 0.8
    assert kept(model, tmp_path / "m.safetensors").network.layers[0].activation == name


@pytest.mark.parametrize("name", [name for name, family in LOSSES.items() if not is_for_classes(family())])
def test_every_loss_of_numbers_is_kept(tmp_path, name):
    table = Table.of(X, np.abs(Y))
    model, report = fuseprop.train(table, loss=name, **QUICK)
    assert report.train["loss"] >= 0
    assert kept(model, tmp_path / "m.safetensors").evaluate(table) == model.evaluate(table)


@pytest.mark.parametrize("task", TARGETS)
@pytest.mark.parametrize("loss", ["hinge", LOGISTIC, ASYMMETRIC, "mean_squared_error", huber(0.5)], ids=str)
def test_losses_decide_classes_in_their_own_coding(tmp_path, task, loss):
    table = Table.of(X, TARGETS[task])
    model, report = fuseprop.train(table, loss=loss, activation=OWN, **{**QUICK, "epochs": 150})
    assert report.train["accuracy"] > max(0.7, report.train["baseline"])
    made = kept(model, tmp_path / "m.safetensors").predict(table)
    expected = table.targets if task == "multi-label" else table.targets[:, 0]
    right = (made.values == expected).reshape(len(X), -1).all(axis=1).mean()
    assert right == pytest.approx(model.evaluate(table)["accuracy"])
    if loss == "hinge":
        assert (made.probabilities, made.labels) == (None, ())
        assert model.network.layers[-1].activation == "identity"
        return
    assert made.probabilities.min() >= 0
    assert made.probabilities.max() <= 1
    if task == "binary":
        np.testing.assert_array_equal(made.probabilities[:, 1] > 0.5, made.values == "yes")
        np.testing.assert_allclose(made.probabilities.sum(axis=1), 1, rtol=1e-6)


def test_hinge_learns_from_minus_one_and_one():
    model, _ = fuseprop.train(Table.of(X, TARGETS["binary"]), loss="hinge", **QUICK)
    assert set(model.encode_targets(Table.of(X, TARGETS["binary"]))) == {-1.0, 1.0}
    decisions = model.network.classify(model.encode_inputs(X))
    np.testing.assert_array_equal(decisions[:, 0] == 1, model.predict(X).values == "yes")
    network = Network([Dense(2, 1, "identity")], "hinge", device="cpu")
    with pytest.raises(
        ValueError, match=r'hinge codes "no" as -1 and "yes" as 1, but these targets are 0 and 1'
    ):
        network.fit(X, Y > 0, epochs=1)
    with pytest.raises(ValueError, match=r"hinge needs targets in \[-1, 1\]"):
        network.fit(X, 2.0 * np.sign(Y), epochs=1)


def test_a_link_with_a_coding_decides_at_one_half():
    network = Network([Dense(2, 1, "identity")], LOGISTIC, device="cpu", seed=0)
    history = network.fit(X, np.sign(Y), epochs=60, validation=0.2)
    assert history.metric == "loss"
    probabilities = network.predict(X)
    np.testing.assert_array_equal(network.classify(X), np.where(probabilities > 0.5, 1, -1))
    accurate = Network([Dense(2, 1, "identity")], LOGISTIC, metric="accuracy", device="cpu", seed=0)
    accurate.set_weights(network.weights())
    share = np.mean((probabilities[:, 0] > 0.5) == (Y > 0))
    assert accurate.evaluate(X, np.sign(Y))["accuracy"] == pytest.approx(share)


def test_an_interval_of_targets_is_not_standardized(tmp_path):
    table = Table.of(X, np.arange(60.0) % 7 + 0.5)
    model, _ = fuseprop.train(table, loss=COUNTS, **QUICK)
    assert model.targets is model.linear() is None
    kept(model, tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match="log counts needs targets of at least 0, such as counts, got -"):
        fuseprop.train(Table.of(X, Y), loss=COUNTS, **QUICK)


@pytest.mark.parametrize(
    ("task", "loss", "words"),
    [
        ("regression", "hinge", "needs classes, but the task is regression"),
        ("regression", LOGISTIC, 'loss "logistic" needs classes'),
        ("binary", Loss("far", lambda y, t: (y - t) ** 2, low=2), "takes targets from 2 to inf"),
        ("binary", LOSSES["half_poisson_deviance"], "needs counts or amounts"),
        ("multi-label", "softmax_cross_entropy", "classes that exclude each other"),
    ],
)
def test_what_does_not_fit_a_task_is_told_by_the_loss(task, loss, words):
    classes = ("no", "yes") if task == "binary" else ()
    with pytest.raises(ValueError, match=words):
        Task(task, ("y",), classes).outputs(loss)


def test_the_same_model_by_name_by_object_and_by_family():
    table = Table.of(X, Y)
    several = [
        fuseprop.train(table, loss=loss, activation=activation, **{**QUICK, "hidden": (4, 3)})[0]
        for loss, activation in [
            ("huber(2)", "leaky_relu(0.25)"),
            (huber(2), leaky_relu(0.25)),
            ("huber(delta = 2)", ["leaky_relu(negative_slope=0.25)", leaky_relu(0.25)]),
        ]
    ]
    for model in several[1:]:
        for left, right in zip(several[0].network.weights(), model.network.weights(), strict=True):
            np.testing.assert_array_equal(left[0], right[0])
    with pytest.raises(ValueError, match="activation has 3 entries for 2 hidden layers"):
        fuseprop.train(table, activation=["relu", OWN, "tanh"], hidden=(4, 3))


def test_the_best_model_is_kept_and_goes_on(tmp_path):
    path = tmp_path / "best.safetensors"
    model, _ = fuseprop.train(Table.of(X, Y), loss=ASYMMETRIC, activation=OWN, **QUICK)
    slow = MomentumSGD(0.01, 0.0)  # each epoch is better than the one before
    model.network.fit(model.encode_inputs(X), Y, slow, epochs=2, callbacks=[SaveBest(model, path)])
    best = fuseprop.load(path, device="cpu")
    assert best.network.stack.loss == ASYMMETRIC
    assert best.saved_score(path) == model.saved_score(path)
    assert model.saved_score(path).monitor == "train_loss"
    model.network.fit(model.encode_inputs(X), Y, slow, epochs=1, callbacks=[SaveBest(model, path)])


def test_a_picture_of_decisions_without_probabilities():
    table = Table.of(X, TARGETS["exclusive"])
    model, _ = fuseprop.train(table, loss="hinge", **QUICK)
    regions = boundary(model, table)[0].ground
    assert regions is not None


# Files


def format_of(path):
    whole = path.read_bytes()
    header = json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])
    return json.loads(header["__metadata__"]["fuseprop"])["format"]


def test_a_file_has_the_oldest_format_that_can_say_it(tmp_path):
    path = tmp_path / "m.safetensors"
    for options, expected in (
        ({}, 1),
        ({"activation": "relu", "loss": "mean_absolute_error"}, 1),
        ({"activation": "gelu"}, 2),
        ({"loss": "huber(1.35)"}, 2),
        ({"activation": OWN}, 2),
        ({"loss": ASYMMETRIC}, 2),
    ):
        fuseprop.train(Table.of(X, Y), **{**QUICK, "epochs": 1}, **options)[0].save(path)
        assert format_of(path) == expected


def test_a_name_that_was_built_in_later_is_told_apart(tmp_path):
    model, _ = fuseprop.train(Table.of(X, Y), activation=OWN, loss=ASYMMETRIC, **QUICK)
    path = tmp_path / "m.safetensors"
    model.save(path)
    rewritten(path, lambda about: about["activations"][0].update(name="relu"))
    again = fuseprop.load(path, device="cpu")
    assert again.network.layers[0].function.name == "own relu"
    np.testing.assert_array_equal(again.predict(X).values, model.predict(X).values)


def rewritten(path, change):
    layers, configuration = read_model(path)
    tensors = {}
    for i, (weights, bias) in enumerate(layers):
        tensors |= {f"layers.{i}.weight": weights, f"layers.{i}.bias": bias}
    about = {"format": FORMAT, "version": "0", **asdict(configuration)}
    change(about)
    path.write_bytes(save(tensors, {"fuseprop": json.dumps(about)}))


DOUBLED = ["z", *(["add", i, i] for i in range(250))]
WRONG = {
    "a place ahead": ({"value": ["z", ["multiply", 0, 2], ["exp", 1]]}, "entry 1 of a formula"),
    "itself": ({"value": ["z", ["multiply", 0, 1]]}, "entry 1 of a formula"),
    "a negative place": ({"value": ["z", ["exp", -1]]}, "entry 1 of a formula"),
    "an unknown operation": ({"value": ["z", ["system", 0]]}, "entry 1 of a formula is ['system', 0]"),
    "another variable": ({"value": ["t"]}, "entry 0 of a formula is 't'"),
    "too few operands": ({"value": ["z", ["add", 0]]}, "entry 1 of a formula"),
    "a number as condition": ({"value": ["z", ["where", 0, 0, 0]]}, "entry 1 of a formula"),
    "no entries": ({"value": []}, "a list of 1 to 200 entries, got 0"),
    "a million entries": ({"value": ["z"] * 10**6}, "got 1000000 of them"),
    "a whole number beyond floats": ({"value": ["z", 10**400, ["add", 0, 1]]}, "a whole number too large"),
    "a number beyond float32": ({"value": ["z", 1e300, ["add", 0, 1]]}, "which float32 cannot hold"),
    "lists in lists": ({"value": [[[["z"]]]]}, "entry 0 of a formula is [[...]]"),
    "an object": ({"value": [{"op": "exp"}]}, "entry 0 of a formula is dict"),
    "doublings": ({"value": DOUBLED}, "got 251 of them"),
    "another slope": ({"slope": ["z", 2.0, ["multiply", 0, 1]]}, "its slope at z = -71.7 is -143.4"),
    "y and z": ({"slope": ["y", "z", ["multiply", 0, 1]]}, "entry 1 of a formula is 'z'"),
    "no slope": ({"slope": [0.0]}, "its slope at z ="),
    "a name with an escape": ({"name": "\x1b[2J"}, "the name of the activation must be 1 to 60 letters"),
    "a text with an escape": ({"text": "\x1b[2J"}, "printable characters"),
    "low above high": ({"low": 2}, "low below high"),
    "low beyond floats": ({"low": -(10**400)}, "low below high"),
    "a truth value": ({"low": True}, "'low' is missing or not as it should be"),
    "another key": ({"code": "import os"}, "'code' is missing or not as it should be"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_damaged_activation_is_refused_by_name(tmp_path, case):
    change, words = WRONG[case]
    path = tmp_path / "m.safetensors"
    fuseprop.train(Table.of(X, Y), activation=OWN, **{**QUICK, "epochs": 1})[0].save(path)
    rewritten(path, lambda about: about["activations"][0].update(change))
    with pytest.raises(ModelFileError) as caught:
        fuseprop.load(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"term": ["y", "t", ["pow", 0, 1]]}, "entry 2 of a formula"),
        ({"slope": [1.0]}, 'loss "asymmetric" with the target'),
        ({"link": "softmax"}, 'link "softmax" is not known'),
        ({"coding": [-1]}, "coding of the loss"),
        ({"coding": ["a", "b"]}, "must be two numbers"),
        ({"low": 1, "coding": [-1, 1]}, "two targets that it takes"),
        ({"metric": "r2"}, "is no squared error"),
        ({"metric": "hits"}, 'metric "hits" is not known'),
        ({"constant": 7.0}, "a quantile between 0 and 1"),
        ({"mean": "yes"}, "'mean' is missing or not as it should be"),
        ({"high": -(10**400)}, "low below high"),
    ],
)
def test_a_damaged_loss_is_refused_by_name(tmp_path, change, words):
    path = tmp_path / "m.safetensors"
    fuseprop.train(Table.of(X, Y), loss=ASYMMETRIC, **{**QUICK, "epochs": 1})[0].save(path)
    rewritten(path, lambda about: about["loss"].update(change))
    with pytest.raises(ModelFileError) as caught:
        fuseprop.load(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_too_many_different_activations_are_refused_before_they_are_parsed(tmp_path):
    path = tmp_path / "m.safetensors"
    fuseprop.train(Table.of(X, Y), activation=OWN, **{**QUICK, "epochs": 1})[0].save(path)
    many = [{**keep_activation(OWN), "name": f"f{i}"} for i in range(20_000)]
    rewritten(path, lambda about: about.update(activations=many))
    with pytest.raises(ModelFileError, match="at most 100 different activations, got 20000"):
        fuseprop.load(path)


def test_what_a_file_keeps_is_plain_data():
    for data in (keep_activation(OWN), keep_loss(ASYMMETRIC), keep_loss(LOGISTIC)):
        assert json.loads(json.dumps(data, allow_nan=False)) == data

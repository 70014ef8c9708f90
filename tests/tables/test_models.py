"""Models: scores over seeds, no peeking at held-out rows, and what a table must bring."""

from itertools import chain
from statistics import median

import numpy as np
import pytest

import fuseprop
from fuseprop import Table
from fuseprop.callbacks import OnEpochEnd
from fuseprop.data import DataError, load_table
from fuseprop.data.datasets import INTERCEPT, SLOPE
from fuseprop.data.tasks import make_task
from fuseprop.model.fitting import Fitting
from fuseprop.model.settings import SettingsError, settings_for

SEEDS = range(10)


@pytest.mark.parametrize(
    ("name", "metric", "at_median", "at_worst"),
    [
        ("digits", "accuracy", 0.96, 0.94),
        ("iris", "accuracy", 0.93, 0.80),
        ("wine", "accuracy", 0.93, 0.85),
        ("breast_cancer", "accuracy", 0.93, 0.90),
        ("diabetes", "r2", 0.40, 0.15),
    ],
)
def test_scores_over_seeds(name, metric, at_median, at_worst):
    quick = {"members": 1, "device": "cpu"}
    scores = [fuseprop.train(name, seed=seed, **quick)[1].test[metric] for seed in range(3)]
    assert median(scores) >= at_median
    assert min(scores) >= at_worst


@pytest.mark.parametrize("seed", SEEDS)
def test_xor_is_solved_exactly(seed):
    model, report = fuseprop.train("xor", seed=seed, device="cpu")
    assert model.predict([[0, 0], [0, 1], [1, 0], [1, 1]]).values.tolist() == [0, 1, 1, 0]
    assert report.train["accuracy"] == 1.0
    assert report.validation is report.test is None


@pytest.mark.parametrize("seed", SEEDS)
def test_line_finds_slope_and_intercept(seed):
    model, _ = fuseprop.train("line", seed=seed, device="cpu")
    slopes, intercepts = model.linear()
    np.testing.assert_allclose(slopes, [[SLOPE]], atol=0.05)
    np.testing.assert_allclose(intercepts, [INTERCEPT], atol=0.05)
    np.testing.assert_allclose(
        model.predict([[0.5]]).values, 0.5 * slopes[0] + intercepts, rtol=1e-5, atol=1e-6
    )


def test_a_linear_model_of_several_features_and_targets_is_least_squares():
    rng = np.random.default_rng(0)
    X = rng.normal([100.0, -3.0, 0.0], [20.0, 0.1, 5.0], (200, 3))
    Y = X @ rng.normal(size=(3, 2)) + [7.0, -70.0]
    model, _ = fuseprop.train(Table.of(X, Y), hidden=(), dtype="float64", test=0.0, validation=0.0)
    expected = np.linalg.lstsq(np.hstack([X, np.ones((200, 1))]), Y)[0]
    slopes, intercepts = model.linear()
    np.testing.assert_allclose(slopes, expected[:3], rtol=1e-6)
    np.testing.assert_allclose(intercepts, expected[3], rtol=1e-6)


def test_networks_with_hidden_layers_and_classes_have_no_slope():
    assert fuseprop.train("diabetes", epochs=1)[0].linear() is None
    assert fuseprop.train("iris", hidden=(), epochs=1)[0].linear() is None


def test_held_out_rows_do_not_steer():
    """Whatever stands in the test and validation rows, the weights of each epoch are the same."""

    def weights_of(fitting):
        seen = []
        fitting.run(callbacks=[OnEpochEnd(lambda _: seen.extend(chain(*fitting.model.network.weights())))])
        return seen

    table = load_table("diabetes")
    given = {"epochs": 3, "members": 1, "clip": False, "device": "cpu"}
    fitting = Fitting(table, **given)
    untouched = fitting.train
    spoiled = np.setdiff1d(np.arange(len(table)), untouched)
    assert len(spoiled) == len(fitting.validation) + len(fitting.test)
    X, targets = table.X.copy(), table.targets.copy()
    X[spoiled] = 50.0
    targets[spoiled] = -1000.0
    before, after = weights_of(fitting), weights_of(Fitting(Table.of(X, targets), **given))
    assert len(before) == 3 * 2 * len(fitting.model.network.layers)
    for mine, theirs in zip(before, after, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_allclose(fitting.model.encoder.scaling.mean, table.X[fitting.train].mean(axis=0))


def test_splits_are_stratified_and_disjoint():
    fitting = Fitting(load_table("iris"), members=1, device="cpu")
    sizes = [len(part) for _, part in fitting.parts()]
    assert sizes == [96, 24, 30]
    for _, part in fitting.parts():
        assert len(set(np.unique(fitting.table.targets[part], return_counts=True)[1])) == 1


def test_features_are_matched_by_name():
    table = load_table("iris")
    model, _ = fuseprop.train(table, epochs=2)
    turned = Table.of(table.X[:, ::-1], feature_names=table.feature_names[::-1])
    np.testing.assert_array_equal(model.predict(turned).values, model.predict(table.X).values)
    with pytest.raises(DataError, match="lacks the feature petal width"):
        model.predict(Table.of(table.X[:, :3], feature_names=table.feature_names[:3]))
    with pytest.raises(DataError, match="has 3 features, but 4 are expected"):
        model.predict(table.X[:, :3])
    with pytest.raises(DataError, match=r"\(rows, features\)"):
        model.predict(table.X[0])
    with pytest.raises(DataError, match="no target column"):
        model.evaluate(turned)


def test_a_value_that_the_dtype_cannot_hold_is_named():
    model, _ = fuseprop.train("iris", epochs=1)
    X = load_table("iris").X[:3].copy()
    X[1, 2] = 1e300
    with pytest.raises(DataError, match=r"row 2, column 'petal length.*float32 cannot hold"):
        model.predict(X)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"hidden": (64, 0)}, ["hidden layer's size", "got 0"]),
        ({"activation": "sigmod"}, ["identity, sigmoid, tanh, relu", 'Did you mean "sigmoid"?']),
        ({"activation": ("tanh", "relu"), "hidden": (3,)}, ["2 entries for 1 hidden"]),
        ({"loss": "mse"}, ["half_squared_error, mean_squared_error"]),
        ({"epochs": 0}, ["epochs"]),
        ({"batch_size": 0}, ["batch_size"]),
        ({"learning_rate": float("nan")}, ["learning_rate"]),
        ({"momentum": 1.5}, ["momentum"]),
        ({"weight_decay": -1.0}, ["weight_decay"]),
        ({"test": 1.0}, ["test", "below 1"]),
        ({"validation": float("nan")}, ["validation"]),
        ({"seed": -1}, ["seed"]),
    ],
)
def test_settings_out_of_range(given, words):
    with pytest.raises(SettingsError) as caught:
        fuseprop.train("iris", **given)
    for word in words:
        assert word in str(caught.value)


def test_what_is_no_setting_and_no_table_is_refused_by_name():
    with pytest.raises(TypeError, match=r"'epoch' is no setting.*momentum.*Did you mean \"epochs\""):
        fuseprop.train("iris", epoch=3)
    with pytest.raises(TypeError, match=r"got ndarray. `Table.of\(X, target\)`"):
        fuseprop.train(np.ones((3, 2)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seed": "x"}, "seed must be a whole number of at least 0, got 'x'"),
        ({"seed": np.random.default_rng(0)}, "seed must be a whole number of at least 0, got Generator"),
        ({"seed": True}, "seed must be a whole number of at least 0, got True"),
        ({"hidden": 64}, r"hidden must be a sequence such as \(64,\).* got 64"),
        ({"hidden": "64"}, r"hidden must be a sequence such as \(64,\).* got '64'"),
        ({"activation": 3}, "activation 3 is not known. Choose from: identity, sigmoid"),
        ({"activation": [["relu"]]}, r"activation \['relu'\] is not known"),
        ({"activation": {"relu": 1}}, 'activation must be a sequence such as .*"relu".* or one for all'),
        (
            {"activation": np.tanh},
            "activation must be a name or an Activation, got <ufunc 'tanh'>. Make one of",
        ),
        ({"activation": "tan", "hidden": ()}, 'activation "tan" is not known'),
        ({"loss": np.sum}, "loss must be a name or a Loss, got <function sum"),
        ({"loss": ["hinge"]}, r"loss \['hinge'\] is not known"),
        ({"batch_size": "a"}, "batch_size must be a whole number of at least 1, got 'a'"),
        ({"validation": "a"}, "validation must be a share of the rows, .* got 'a'"),
        ({"test": [0.1]}, r"test must be a share of the rows, .* got \[0.1\]"),
        ({"validation": True}, "validation must be a share of the rows, .* got True"),
    ],
)
def test_settings_of_another_type(given, message):
    with pytest.raises(SettingsError, match=message):
        fuseprop.train("iris", **given)


@pytest.mark.parametrize("name", ["columns", "rows", "table", "self"])
def test_names_of_our_own_are_no_settings(name):
    with pytest.raises(TypeError, match=f"'{name}' is no setting of training. There are: task, hidden, "):
        fuseprop.train("iris", **{name: 3})


def test_settings_follow_task_and_size():
    classes, numbers = make_task(load_table("iris")), make_task(load_table("diabetes"))
    assert settings_for(classes, 150, 4).epochs > settings_for(classes, 100_000, 64).epochs
    few = settings_for(classes, 4, 2)
    assert (few.test, few.validation, few.patience, few.members, few.bins) == (0.0, 0.0, 0, 1, 0)
    assert settings_for(numbers, 1000, 2).bins > settings_for(numbers, 1000, 300).bins
    given = settings_for(classes, 150, 4, hidden=(7, 5), activation="relu", momentum=None, batch_size=8)
    assert (given.hidden, given.activation, given.batch_size) == ((7, 5), ("relu", "relu"), 8)


def test_the_optimizer_follows_the_network_and_what_is_given():
    classes, numbers = make_task(load_table("iris")), make_task(load_table("diabetes"))
    for task in (classes, numbers):
        adam = settings_for(task, 442, 10)
        assert (adam.optimizer, adam.momentum, adam.schedule) == ("adam", None, "cosine")
        assert settings_for(task, 442, 10, learning_rate=lambda _: 0.1).schedule == "constant"
        assert settings_for(task, 442, 10, optimizer="adam", hidden=()).optimizer == "adam"
        for given in ({"momentum": 0.5}, {"hidden": ()}, {"optimizer": "momentum"}):
            made = settings_for(task, 442, 10, **given)
            assert (made.optimizer, made.schedule, made.members, made.bins) == ("momentum", "constant", 1, 0)
            assert made.momentum == given.get("momentum", made.momentum) > 0
    sizes = [settings_for(numbers, rows, 10, optimizer="momentum").weight_decay for rows in (442, 10_000)]
    assert sizes[0] > sizes[1]
    assert settings_for(numbers, 442, 10, hidden=()).weight_decay == 0.0


def test_too_few_rows_for_the_split():
    with pytest.raises(DataError, match=r"cannot hold out test rows: 4 rows are too few.*share of 0"):
        fuseprop.train("xor", test=0.1)


def test_python_takes_a_file_and_the_name_of_its_target(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,y\n" + "".join(f"{i},{i % 7},{3 * i}.5\n" for i in range(40)))
    model, report = fuseprop.train(tmp_path / "t.csv", "y", hidden=())
    assert model.feature_names == ("a", "b")
    assert report.test["r2"] > 0.99


def test_counts_are_predicted_as_counts_and_survive_a_file(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    counts = rng.poisson(np.exp(X @ [0.5, -0.5] + 1))
    data = Table.of(X, counts)
    given = {"task": "regression", "loss": "half_poisson_deviance", "hidden": ()}
    model, report = fuseprop.train(data, device="cpu", **given)
    assert report.test["d2"] > 0.1
    assert model.targets is None
    assert model.linear() is None
    predictions = model.predict(X).values
    assert predictions.mean() == pytest.approx(counts.mean(), rel=0.2)
    model.save(tmp_path / "counts.safetensors")
    again = fuseprop.load(tmp_path / "counts.safetensors", device="cpu")
    np.testing.assert_array_equal(again.predict(X).values, predictions)

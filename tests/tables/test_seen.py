"""Rows far outside of what was learned from are told by name, and a baseline stands beside an accuracy."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fuseprop
from fuseprop import MLPClassifier, Table, UnlikeTrainingWarning
from fuseprop.data import load_table
from fuseprop.data.seen import Seen

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal([50.0, -3.0, 0.0], [9.0, 0.1, 5.0], (200, 3))
NAMES = ["area", "depth", "age"]
CLASSES = np.where(X[:, 0] > 50, "large", "small")


@pytest.fixture(scope="module")
def model():
    return fuseprop.train(Table.of(X, CLASSES, feature_names=NAMES), epochs=2, device="cpu")[0]


def told(function, *arguments):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(*arguments)
    assert all(entry.category is UnlikeTrainingWarning for entry in caught)
    assert all(entry.filename == __file__ for entry in caught)
    return [str(entry.message) for entry in caught]


def test_hundreds_of_deviations_are_told_by_name(model, tmp_path):
    model.save(tmp_path / "m.safetensors")
    again = fuseprop.load(tmp_path / "m.safetensors", device="cpu")
    far = X.copy()
    far[3, 0] = 50 + 9 * 300
    for loaded in (model, again):
        (message,) = told(loaded.predict, far)
        assert message.startswith(
            "X: row 4 is far outside of what the model learned from, so that its answer"
        )
        assert "area (" in message
        assert "2750 here" in message
        assert "depth" not in message
        assert len(told(loaded.evaluate, far, CLASSES)) == 1
        assert not told(loaded.predict, X)
        assert not told(loaded.predict, X * [1.3, 1.0, 2.0])


def test_a_column_of_which_no_row_was_seen_is_told(model):
    metres = X * [0.01, 1.0, 1.0]
    assert "area (" in told(model.predict, metres)[0]
    assert not told(model.predict, metres[:3]), "three rows may lie anywhere"


def test_a_column_that_never_varied(model):
    constant = np.hstack([X[:, :1], np.full((200, 1), 0.1)])
    made, _ = fuseprop.train(Table.of(constant, CLASSES), epochs=2, device="cpu")
    assert not told(made.predict, constant.astype(np.float32))
    assert "x2 (70 here, 0.1 in training)" in told(made.predict, np.array([[50.0, 70.0]]))[0]


@pytest.mark.parametrize(
    ("seen", "new"),
    [
        (np.tile(np.arange(2000, 2021), 10), np.full(20, 2021)),
        (np.arange(1000), np.arange(1000, 1100)),
        (np.linspace(0, 1, 100), np.full(12, 1.001)),
        (np.zeros(100), np.repeat([0, 1], 6)),
        (np.full(100, 7), np.full(12, 8)),
        (np.repeat([0, 1], 50), np.ones(20)),
    ],
    ids=[
        "the next year",
        "the next ids",
        "just beyond",
        "a flag that was never set",
        "7 and 8",
        "a flag",
    ],
)
def test_values_that_go_on_where_those_of_training_end_are_no_matter(seen, new):
    limits = Seen.of(seen[:, None].astype(float))
    assert limits.warning_for(Table.of(new[:, None].astype(float)), ["x1"]) == ""


def test_the_rows_are_named():
    seen, rows = Seen.of(X), X.copy()
    rows[[6, 8], [0, 1]] = 1e5, 1e6
    text = seen.warning_for(Table.of(rows, source="t.csv"), NAMES)
    assert text.startswith("t.csv: 2 of 200 rows, row 7 the first, are far outside")
    assert "area (100000 here" in text
    assert "depth (1e+06 here" in text
    assert seen.warning_for(Table.of(rows[[6, 8]]), NAMES).startswith("the table is far outside")
    assert seen.warning_for(Table.of(X * 0.01), NAMES).startswith("the table is far outside")


@pytest.mark.parametrize("name", ["iris", "breast_cancer", "wine"])
def test_raw_rows_of_an_estimator_behind_a_scaler_are_told(name):
    table = load_table(name)
    scaled = StandardScaler().fit_transform(table.X)
    seen = Seen.of(scaled, raw=False)
    assert "such as scaling" in seen.warning_for(table, table.feature_names)
    halves = Seen.of(scaled[::2], raw=False)
    assert (
        halves.warning_for(Table.of(scaled[1::2], feature_names=table.feature_names), table.feature_names)
        == ""
    )


def test_an_estimator_behind_a_scaler(tmp_path):
    frame = pd.DataFrame(X, columns=NAMES)
    scaler = StandardScaler().set_output(transform="pandas")
    pipeline = make_pipeline(scaler, MLPClassifier(max_iter=5, random_state=0)).fit(frame, CLASSES)
    pipeline[-1].save(tmp_path / "m.safetensors")
    with safe_open(tmp_path / "m.safetensors", "numpy") as file:
        about = json.loads(file.metadata()["fuseprop"])
    assert about["raw_inputs"] is False
    loaded = fuseprop.load(tmp_path / "m.safetensors", device="cpu")
    (message,) = told(loaded.predict, frame)
    assert "area (" in message
    assert "saved by an estimator" in message
    assert "scaling" in message
    assert not told(loaded.predict, pipeline[:-1].transform(frame))
    again = MLPClassifier.load(tmp_path / "m.safetensors")
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "m.safetensors").read_bytes()


def test_an_estimator_remembers_all_that_it_was_handed():
    model = MLPClassifier(random_state=0).partial_fit(X[:100], CLASSES[:100], classes=np.unique(CLASSES))
    model.partial_fit(X[100:], CLASSES[100:])
    np.testing.assert_array_equal(model._seen.low, X.min(axis=0))
    np.testing.assert_array_equal(model._seen.high, X.max(axis=0))
    model.fit(X[:50], CLASSES[:50])
    np.testing.assert_array_equal(model._seen.high, X[:50].max(axis=0))
    import scipy.sparse as sparse

    model.fit(sparse.csr_array(X), CLASSES)
    np.testing.assert_array_equal(model._seen.low, X.min(axis=0))


def test_an_estimator_with_unknown_ranges(tmp_path):
    import sklearn.neural_network

    theirs = sklearn.neural_network.MLPClassifier(max_iter=2, random_state=0).fit(X, CLASSES)
    fuseprop.from_sklearn(theirs).save(tmp_path / "m.safetensors")
    loaded = fuseprop.load(tmp_path / "m.safetensors", device="cpu")
    loaded.save(tmp_path / "again.safetensors")
    for name in ("m", "again"):
        with safe_open(tmp_path / f"{name}.safetensors", "numpy") as file:
            about = json.loads(file.metadata()["fuseprop"])
        assert (about["raw_inputs"], about["input_low"]) == (False, [])
    for call in ((loaded.predict, X), (loaded.predict, X * 1e3), (loaded.evaluate, X, CLASSES)):
        (message,) = told(*call)
        assert message.startswith("The model was saved by an estimator. Between which values")
        assert "X is like them" in message
    # What it goes on from stays unknown, whatever it is shown later.
    goes_on = MLPClassifier.load(tmp_path / "m.safetensors").partial_fit(X[:100], CLASSES[:100])
    goes_on.save(tmp_path / "later.safetensors")
    assert len(told(fuseprop.load(tmp_path / "later.safetensors", device="cpu").predict, X)) == 1
    goes_on.fit(X, CLASSES).save(tmp_path / "anew.safetensors")
    assert not told(fuseprop.load(tmp_path / "anew.safetensors", device="cpu").predict, X)


def test_a_file_of_before_cannot_warn(model, tmp_path):
    path = tmp_path / "m.safetensors"
    model.save(path)
    with safe_open(path, "numpy") as file:
        about = json.loads(file.metadata()["fuseprop"])
    for name in ("input_low", "input_high", "raw_inputs"):
        del about[name]
    tensors = load_file(path)
    del tensors["digest"]
    path.write_bytes(save(tensors, {"fuseprop": json.dumps(about)}))
    old = fuseprop.load(path, device="cpu")
    assert old.seen is None
    assert not told(old.predict, X * 1e3)
    np.testing.assert_array_equal(old.predict(X).values, model.predict(X).values)


def test_the_ends_of_float64_overflow_nowhere():
    seen = Seen(np.array([-1e308]), np.array([1e308]))
    assert seen.warning_for(Table.of([[1.7e308]]), ["x1"]) == ""


@pytest.mark.parametrize(
    ("targets", "baseline"),
    [
        ([0] * 199 + [1], 0.995),
        (["a"] * 50 + ["b"] * 120 + ["c"] * 30, 0.6),
        ([[0, 1]] * 80 + [[1, 1]] * 20 + [[0, 0]] * 100, 0.5),
    ],
)
def test_a_classification_shows_what_its_most_frequent_class_alone_would_get(targets, baseline):
    table = Table.of(X, targets)
    model, report = fuseprop.train(table, epochs=2, device="cpu")
    assert model.evaluate(table)["baseline"] == pytest.approx(baseline)
    for part in (report.train, report.validation, report.test):
        assert list(part)[:3] == ["loss", "accuracy", "baseline"]
    few = table.take(np.arange(5))
    assert model.evaluate(few)["baseline"] == 1.0


def test_a_regression_has_its_own():
    assert list(fuseprop.train("diabetes", epochs=1, device="cpu")[1].test)[:2] == ["loss", "r2"]
    assert load_table("diabetes").targets is not None

"""Named columns: features and targets are found by name, and what is no plain value is refused by name."""

import datetime
import sys
import warnings

import duckdb
import narwhals
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import fuseprop
from fuseprop import Table
from fuseprop.data import DataError, load_table

X = np.random.default_rng(0).normal(size=(200, 3))
Y = X @ [1.0, 5.0, -3.0]
COLUMNS = {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": Y}
FRAME = pd.DataFrame(COLUMNS)


def structured(columns):
    records = np.zeros(len(Y), [(name, np.asarray(values).dtype) for name, values in columns.items()])
    for name, values in columns.items():
        records[name] = values
    return records


TURNED = {"note": ["text"] * 200, **{name: COLUMNS[name] for name in ("y", "c", "b", "a")}}
KINDS = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "arrow": pa.table,
    "batch": pa.record_batch,
    "dict": dict,
    "records": structured,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("frames") / "t.csv"
    FRAME.to_csv(path, index=False)
    return fuseprop.train(path, "y", hidden=(), device="cpu")[0]


@pytest.mark.parametrize("kind", KINDS)
def test_columns_are_found_by_name_and_others_ignored(model, kind):
    data = KINDS[kind](TURNED)
    np.testing.assert_allclose(model.predict(data).values, Y, atol=1e-4)
    assert model.evaluate(data)["r2"] > 0.999
    np.testing.assert_array_equal(model.encode_inputs(data), model.encode_inputs(X))
    np.testing.assert_array_equal(model.encode_targets(data), model.encode_targets(Table.of(X, Y)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_keeps_the_names_of_its_columns(kind):
    table = Table.of(KINDS[kind]({name: TURNED[name] for name in ("c", "y", "a")}), "y")
    assert (table.feature_names, table.target_names) == (("c", "a"), ("y",))
    np.testing.assert_array_equal(table.X, X[:, [2, 0]])
    np.testing.assert_array_equal(table.targets[:, 0], Y)
    chosen = Table.of(KINDS[kind](TURNED), ["y", "b"], feature_names=["a"])
    assert (chosen.feature_names, chosen.target_names) == (("a",), ("y", "b"))


def test_training_takes_a_frame_and_the_name_of_its_target():
    model, report = fuseprop.train(FRAME, "y", hidden=(), device="cpu")
    assert model.feature_names == ("a", "b", "c")
    assert model.task.targets == ("y",)
    assert report.test["r2"] > 0.999
    with pytest.raises(DataError, match=r"which column is the target\? .*a, b, c, y"):
        fuseprop.train(FRAME)


def test_without_names_the_order_counts(model):
    np.testing.assert_allclose(model.predict(X).values, Y, atol=1e-4)
    np.testing.assert_allclose(model.predict(pd.DataFrame(X)).values, Y, atol=1e-4)
    assert model.evaluate(X, Y)["r2"] > 0.999
    nameless, _ = fuseprop.train(Table.of(X, Y), hidden=(), device="cpu")
    np.testing.assert_allclose(nameless.predict(FRAME[["a", "b", "c"]]).values, Y, atol=1e-4)
    assert nameless.evaluate(FRAME)["r2"] > 0.999
    with pytest.raises(DataError, match="has 2 features, but 3 are expected"):
        nameless.predict(FRAME[["a", "b"]])


def test_targets_keep_their_names_too():
    assert Table.of(X, FRAME["y"]).target_names == ("y",)
    assert Table.of(X, FRAME[["y", "a"]]).target_names == ("y", "a")
    assert Table.of(FRAME[["a"]], Y, target_names=["t"]).target_names == ("t",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (FRAME[["a", "b"]], ["lacks the feature c", "a, b"]),
        (pd.concat([FRAME, FRAME[["a"]]], axis=1), ["more than one column a"]),
        (FRAME.assign(b=pd.Timestamp("2020-01-01")), ["row 1, column 'b'", "expected a number, got a date"]),
        (FRAME.assign(b=pd.Timedelta("1D")), ["column 'b'", "spans of time"]),
        (FRAME.assign(b=[datetime.date(2020, 1, 1)] * 200), ["column 'b'", "got a date"]),
        (FRAME.assign(b=1j), ["column 'b'", "complex"]),
        (FRAME.assign(b="x"), ["row 1, column 'b'", "expected a number, as in training, got 'x'"]),
        (FRAME.assign(b="1,028"), ["row 1, column 'b'", "got '1,028'"]),
        (FRAME.assign(b=np.inf), ["column 'b'", "inf in row 1"]),
        ({**COLUMNS, "b": [1.0]}, ["column 'b' has 1 row", "'a' has 200"]),
        ({"a": 1.0, "b": [2.0], "c": [3.0]}, ["column 'a'", "(rows,)"]),
        (FRAME[:0], ["at least one row"]),
        (FRAME.iloc[0], ["(rows, features)", "reshape"]),
        (np.ma.masked_less(X, 0), ["masked", "leave out their rows"]),
        (X + 1j, ["complex"]),
        (X.astype("M8[D]"), ["dates"]),
        (X.astype("m8[D]"), ["spans of time"]),
        (X.astype("S9"), ["bytes", "astype(str)"]),
    ],
)
def test_what_is_no_number_is_refused_by_name(model, data, words):
    with pytest.raises(DataError) as caught:
        model.predict(data)
    for word in words:
        assert word in str(caught.value)


def test_a_lazy_table_holds_no_values(model):
    lazy = pl.LazyFrame(COLUMNS)
    for data in (lazy, narwhals.from_native(lazy)):
        with pytest.raises(TypeError, match=r"a LazyFrame of polars: `.collect\(\)` it"):
            model.predict(data)
    relation = duckdb.from_arrow(pa.table(COLUMNS))
    with pytest.raises(
        TypeError, match=r"a DuckDBPyRelation of duckdb: `.df\(\)`, `.pl\(\)` or `.arrow\(\)` it"
    ):
        model.predict(relation)
    np.testing.assert_allclose(model.predict(relation.to_arrow_table()).values, Y, atol=1e-4)


def test_frames_need_narwhals(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "narwhals.stable.v2", None)
    for data in (FRAME, pl.DataFrame(COLUMNS), pa.table(COLUMNS), {**COLUMNS, "a": FRAME["a"]}):
        with pytest.raises(DataError, match=r"narwhals, which is not installed. Type: .*\[tables\]"):
            model.predict(data)
    for data in (COLUMNS, structured(COLUMNS), X, X.astype(object), X.tolist()):
        np.testing.assert_allclose(model.predict(data).values, Y, atol=1e-4)


@pytest.mark.parametrize(
    "targets",
    [
        np.ma.masked_less(Y, 0),
        Y + 1j,
        pd.Series(pd.date_range("2020-01-01", periods=200)),
        pd.Series([datetime.date(2020, 1, 1)] * 200),
        pd.Series([pd.Timedelta("1D")] * 200),
        pd.Series(pd.period_range("2020-01-01", periods=200)),
        pd.Series(pd.cut(Y, 3)),
        pd.Series([[1], [2]] * 100),
        np.array([b"yes", b"no"] * 100),
        np.zeros((200, 1), [("p", "f8"), ("q", "M8[D]")])[:, 0],
    ],
)
def test_targets_that_are_no_plain_values(model, targets):
    with pytest.raises(DataError):
        Table.of(X, targets)
    with pytest.raises(DataError):
        model.evaluate(X, targets)


def test_a_mask_that_hides_nothing_is_no_matter(model):
    np.testing.assert_allclose(model.predict(np.ma.array(X)).values, Y, atol=1e-4)


def test_names_that_do_not_fit():
    with pytest.raises(DataError, match="lacks the target z"):
        Table.of(FRAME, "z")
    with pytest.raises(DataError, match="'y' is a name, but the columns of X have none"):
        Table.of(X, "y")
    with pytest.raises(DataError, match=r"a is the target, so it cannot be .* a feature"):
        Table.of(FRAME, "a", feature_names=["a", "b"])
    with pytest.raises(DataError, match="names of columns or the classes of as many rows"):
        Table.of(FRAME[:2], ["a", "y"])
    with pytest.raises(DataError, match="has its target already"):
        fuseprop.train(Table.of(X, Y), "a")


def test_a_table_has_its_targets(model):
    with pytest.raises(DataError, match="its targets belong into it"):
        model.evaluate(Table.of(X, Y), Y)
    with pytest.raises(DataError, match="lacks the target y"):
        model.evaluate(FRAME[["a", "b", "c"]])


def r2(model, data, targets=Y):
    return model.evaluate(data, targets)["r2"]


X_NAMED = pd.DataFrame(X, columns=["x3", "x1", "x2"])


@pytest.mark.parametrize("door", ["frame", "array", "file", "npz"])
def test_names_that_look_like_numbering_are_names(tmp_path, door):
    X_NAMED.assign(y=Y).to_csv(tmp_path / "t.csv", index=False)
    np.savez(tmp_path / "t.npz", X=X, y=Y, feature_names=list(X_NAMED.columns))
    table = {
        "frame": lambda: Table.of(X_NAMED, Y),
        "array": lambda: Table.of(X, Y, feature_names=list(X_NAMED.columns)),
        "file": lambda: load_table(tmp_path / "t.csv", "y"),
        "npz": lambda: load_table(tmp_path / "t.npz"),
    }[door]()
    made, _ = fuseprop.train(table, hidden=(), device="cpu")
    made.save(tmp_path / "m.safetensors")
    turned, other = X_NAMED[["x1", "x2", "x3"]], X_NAMED.set_axis(["x1", "x2", "x4"], axis=1)
    for model in (made, fuseprop.load(tmp_path / "m.safetensors", device="cpu")):
        assert r2(model, turned) > 0.999
        assert model.evaluate(Table.of(turned, Y))["r2"] > 0.999
        assert model.evaluate(table.with_features(["x1", "x2", "x3"]))["r2"] > 0.999
        for data in (other, Table.of(other)):
            with pytest.raises(DataError, match="lacks the feature x3"):
                model.predict(data)
        with pytest.raises(DataError, match="lacks the features x3, x1, x2"):
            model.predict(FRAME)
        assert r2(model, X) > 0.999, "an array has no names: the order counts"


def test_names_survive_the_estimators_file(tmp_path):
    pytest.importorskip("sklearn")
    estimator = fuseprop.MLPRegressor(hidden_layer_sizes=(), max_iter=3, random_state=0, device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(X_NAMED.set_axis(["x1", "x2", "x3"], axis=1), Y).save(tmp_path / "m.safetensors")
        fuseprop.MLPRegressor(hidden_layer_sizes=(), max_iter=3, device="cpu").fit(X, Y).save(
            tmp_path / "n.safetensors"
        )
    again = fuseprop.MLPRegressor.load(tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match="feature names should match"):
        again.predict(X_NAMED)
    assert not hasattr(fuseprop.MLPRegressor.load(tmp_path / "n.safetensors"), "feature_names_in_")


@pytest.mark.parametrize(
    "labels",
    [
        pd.MultiIndex.from_tuples([("g", "a"), ("g", "b"), ("h", "a")]),
        pd.date_range("2020-01-01", periods=3),
        pd.period_range("2020-01", periods=3, freq="M"),
        [2019, 2020, 2021],
        [2, 1, 0],
        [b"a", b"b", b"c"],
        [0.0, 1.0, 2.0],
    ],
    ids=str,
)
def test_labels_of_any_type_are_names(labels):
    frame = pd.DataFrame(X, columns=labels)
    made, _ = fuseprop.train(Table.of(frame, Y), hidden=(), device="cpu")
    assert r2(made, frame.iloc[:, [2, 0, 1]]) > 0.999
    with pytest.raises(DataError, match="lacks the feature"):
        made.predict(frame.iloc[:, :2])


def test_numbers_that_pandas_gave_are_found_again():
    frame = pd.DataFrame(X)
    nameless, _ = fuseprop.train(Table.of(frame, Y), hidden=(), device="cpu")
    assert r2(nameless, frame) > 0.999
    with pytest.raises(DataError, match=r"numbers 2, 1, 0, .*by their order alone.*to_numpy"):
        nameless.predict(frame[[2, 1, 0]])
    known, _ = fuseprop.train(frame.assign(y=Y), "y", hidden=(), device="cpu")
    numbered, _ = fuseprop.train(pd.concat([frame, pd.Series(Y)], axis=1, ignore_index=True), 3, hidden=())
    for made in (known, numbered):
        assert r2(made, frame) > 0.999
        assert r2(made, frame[[2, 0, 1]]) > 0.999
    part, _ = fuseprop.train(Table.of(frame.drop(columns=0), Y), hidden=(), device="cpu")
    assert r2(part, frame) == r2(part, frame[[2, 1]])
    with pytest.raises(DataError, match="lacks the feature 2"):
        part.predict(pd.DataFrame(X[:, :2]))


def test_a_name_is_asked_for_once(tmp_path):
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    np.savez(tmp_path / "t.npz", X=X, y=Y)
    for refused in (
        lambda: load_table(tmp_path / "t.csv", "y", features=["a", "a"]),
        lambda: load_table(tmp_path / "t.npz", features=["a", "a", "b"]),
        lambda: fuseprop.train(tmp_path / "t.csv", ["a", "a"]),
        lambda: fuseprop.train(FRAME, ["a", "a"]),
        lambda: Table.of(FRAME, "y", feature_names=["a", "a"]),
        lambda: Table.of(FRAME, "y").with_features(["a", "a"]),
    ):
        with pytest.raises(DataError, match=r"a stands more than once among the"):
            refused()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Table.of(X, Y, feature_names=3), "feature_names must be the names of columns, .* got 3"),
        (lambda: Table.of(X, Y, target_names=3), "target_names must be the names of columns, .* got 3"),
        (lambda: load_table("iris", 2), "target must be the names of columns, .* got 2"),
        (lambda: load_table("iris", features=2), "features must be the names of columns, .* got 2"),
    ],
)
def test_names_that_are_none(call, words):
    with pytest.raises(TypeError, match=words):
        call()


def test_strings_of_any_length():
    words = np.array(["long", "short"] * 100, np.dtypes.StringDType(na_object=None))
    np.testing.assert_array_equal(Table.of(X, words).targets[:, 0], ["long", "short"] * 100)
    np.testing.assert_array_equal(Table.of(X.astype(str).astype(np.dtypes.StringDType()), Y).X, X)
    words[4] = None
    with pytest.raises(DataError, match=r"row 5, target 'y': 'None' says that the value is missing"):
        Table.of(X, words)


def test_masked_rows_in_a_list():
    rows = [np.ma.array([1.0, 2.0], mask=[0, 1]), np.ma.array([3.0, 4.0], mask=[0, 0])]
    for refused in (lambda: Table.of(rows, [0.0, 1.5]), lambda: Table.of(X[:2], rows)):
        with pytest.raises(DataError, match="masked arrays in it, whose masks would be forgotten"):
            refused()


def test_columns_of_one_name_that_are_not_asked_for_do_not_matter(model):
    arrow = pa.table([*COLUMNS.values(), COLUMNS["y"]], names=[*COLUMNS, "y"])
    for data in (pd.concat([FRAME, FRAME["y"]], axis=1), arrow):
        np.testing.assert_allclose(np.asarray(model.predict(data).values), Y, atol=1e-4)
        with pytest.raises(DataError, match="more than one column y; names must differ"):
            model.evaluate(data)
        with pytest.raises(DataError, match="more than one column y; names must differ"):
            Table.of(data)
    np.testing.assert_array_equal(Table.of(arrow, feature_names=["b"]).X[:, 0], X[:, 1])


def test_columns_of_one_name_are_told_as_such():
    twice = pd.DataFrame(X[:, :2], columns=["a", "a"])
    with pytest.raises(DataError, match="the table has more than one column a; names must differ"):
        Table.of(twice, Y)

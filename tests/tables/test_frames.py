"""Named columns: features and targets are found by name, and what is no plain value is refused by name."""

import datetime

import numpy as np
import pandas as pd
import pytest

import fuseprop
from fuseprop import Table
from fuseprop.data import DataError

X = np.random.default_rng(0).normal(size=(200, 3))
Y = X @ [1.0, 5.0, -3.0]
COLUMNS = {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": Y}
FRAME = pd.DataFrame(COLUMNS)


class Series:
    """A column as Polars and PyArrow have them: no array, but one can be made of it."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)

    def __len__(self):
        return len(self.values)


class PolarsLike:
    def __init__(self, columns):
        self._columns = columns
        self.columns = list(columns)

    def __getitem__(self, name):
        return Series(self._columns[name])


class ArrowLike:
    def __init__(self, columns):
        self._columns = columns
        self.column_names = list(columns)

    def column(self, place):
        return Series(self._columns[self.column_names[place]])


class Lazy(PolarsLike):
    def collect(self):
        raise AssertionError("nothing is collected unasked")

    collect_schema = collect


def structured(columns):
    records = np.zeros(len(Y), [(name, np.asarray(values).dtype) for name, values in columns.items()])
    for name, values in columns.items():
        records[name] = values
    return records


TURNED = {"note": ["text"] * 200, **{name: COLUMNS[name] for name in ("y", "c", "b", "a")}}
KINDS = {
    "pandas": pd.DataFrame,
    "polars": PolarsLike,
    "arrow": ArrowLike,
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
        (FRAME[["a", "b"]], ["lacks the features c", "a, b"]),
        (pd.concat([FRAME, FRAME[["a"]]], axis=1), ["more than one column a"]),
        (FRAME.assign(b=pd.Timestamp("2020-01-01")), ["column 'b'", "dates", "days since"]),
        (FRAME.assign(b=pd.Timedelta("1D")), ["column 'b'", "spans of time"]),
        (FRAME.assign(b=[datetime.date(2020, 1, 1)] * 200), ["column 'b'", "dates"]),
        (FRAME.assign(b=1j), ["column 'b'", "complex"]),
        (FRAME.assign(b="x"), ["row 1, column 'b'", "expected a number, got 'x'"]),
        (FRAME.assign(b="1,028"), ["row 1, column 'b'", "'1,028'", "comma"]),
        (FRAME.assign(b=[1.0, None] * 100), ["row 2, column 'b'", "nan"]),
        (FRAME.assign(b=pd.array([1, None] * 100, dtype="Int64")), ["row 2, column 'b'", "nan"]),
        (FRAME.assign(b=pd.Series([1, None] * 100, dtype=object)), ["row 2, column 'b'", "no value"]),
        ({**COLUMNS, "b": [1.0]}, ["column 'b' has 1 row", "'a' has 200"]),
        ({"a": 1.0, "b": 2.0, "c": 3.0}, ["column 'a'", "(rows,)"]),
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
    with pytest.raises(TypeError, match=r"a Lazy: `.collect\(\)` it"):
        model.predict(Lazy(COLUMNS))


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
    with pytest.raises(DataError, match="a cannot be a feature and the target too"):
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

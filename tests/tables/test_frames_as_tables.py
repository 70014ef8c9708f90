"""`Table.of` and `train` on frames, dicts and arrays of objects: the rules of files, and what a user says."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import fuseprop
from fuseprop import Table
from fuseprop.data import DataError
from fuseprop.data.cells import Booleans, Dates, Numbers, Texts
from fuseprop.data.column import Column
from fuseprop.data.texts import as_spelled

N = 60
RNG = np.random.default_rng(0)
COLUMNS = {
    "id": [*range(N)],
    "age": [*RNG.integers(20, 70, N - 1).tolist(), None],
    "colour": [None, *RNG.choice(["red", "green", "blue"], N - 1).tolist()],
    "member": RNG.choice([True, False], N).tolist(),
    "when": [
        datetime.datetime(2020, 1, 1) + datetime.timedelta(days=int(d)) for d in RNG.integers(0, 900, N)
    ],
    "note": [f"the customer came on day {i} and said nothing" for i in range(N)],
    "same": ["x"] * N,
    "y": [*RNG.choice(["no", "yes"], N - 2).tolist(), None, "yes"],
}
KINDS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table, "dict": dict}


@pytest.mark.parametrize("kind", KINDS)
def test_the_rules_of_files_decide(kind):
    table = Table.of(KINDS[kind](COLUMNS), "y")
    assert [(column.name, column.kind) for column in table.columns] == [
        ("age", "number"),
        ("colour", "category"),
        ("member", "boolean"),
        ("when", "date"),
    ]
    assert [out.name for out in table.left_out] == ["id", "note", "same"]
    assert (table.without_target, len(table), table.source) == (1, N - 1, "the table")
    assert table.columns[1].levels == ("blue", "green", "red")
    assert np.isnan(table.X).sum(axis=0).tolist() == [1, 1, 0, 0]
    assert table.X[-1, 2] == COLUMNS["member"][-1]
    assert table.X[0, 3] == (COLUMNS["when"][0] - datetime.datetime(1970, 1, 1)).days


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_user_says_of_columns(kind):
    data = KINDS[kind](COLUMNS)
    table = Table.of(data, "y", drop=["colour", "same"], categorical=["age"], ignore_index=True)
    assert [(column.name, column.kind) for column in table.columns] == [
        ("age", "category"),
        ("member", "boolean"),
        ("when", "date"),
    ]
    assert [(out.name, out.why) for out in table.left_out] == [
        ("id", "it is the index of the rows"),
        ("colour", "it was dropped"),
        ("note", table.left_out[2].why),
        ("same", "it was dropped"),
    ]
    assert Table.of(data, "y", feature_names=["same", "id"]).feature_names == ("same", "id")
    with pytest.raises(DataError, match=r"the table: row 60, column 'age': the value is missing"):
        Table.of(data, "y", missing="refuse")
    with pytest.raises(DataError, match=r"the table: row 1, column 'note'.*expected a number"):
        Table.of(data, "y", numeric=["note"])


@pytest.mark.parametrize(
    "categories",
    [
        pd.DataFrame({"c": pd.Categorical([1, 2, 1, None] * 15), "y": range(60)}),
        pl.DataFrame({"c": pl.Series(["1", "2", "1", None] * 15, dtype=pl.Categorical), "y": range(60)}),
        pl.DataFrame({"c": pl.Series(["1", "2", "1", None] * 15, dtype=pl.Enum("123")), "y": range(60)}),
        pa.table({"c": pa.array(["1", "2", "1", None] * 15).dictionary_encode(), "y": range(60)}),
    ],
    ids=["pandas", "polars", "enum", "arrow"],
)
def test_a_categorical_type_is_a_category(categories):
    assert Table.of(categories, "y").columns == (Column("c", "category", ("1", "2")),)
    assert Table.of(categories, "y", numeric=["c"]).columns == (Column("c"),)
    assert Table.of(categories, "y", numeric=["c=1,234.5"]).columns[0].kind == "number"


def test_an_index_is_no_column(tmp_path):
    frame = pd.DataFrame(COLUMNS, index=pd.Index(range(5, 5 + N), name="row"))
    assert "row" not in [column.name for column in Table.of(frame, "y").columns]
    pd.DataFrame(COLUMNS).to_csv(tmp_path / "t.csv")
    for again in (pd.read_csv(tmp_path / "t.csv"), pl.read_csv(tmp_path / "t.csv")):
        outs = {out.name: out.why for out in Table.of(again, "y").left_out}
        assert outs[again.columns[0]] == "it is the index of the rows"


def test_arrays_of_objects():
    names = ["age", "colour", "member", "when", "same"]
    rows = [*zip(*(COLUMNS[name] for name in names), strict=True)]
    y = np.arange(N)
    for data in (np.array(rows, object), rows):
        table = Table.of(data, y)
        assert table.feature_names == ("x1", "x2", "x3", "x4", "x5"), "none is left out: the order counts"
        assert [column.kind for column in table.columns] == [
            "number",
            "category",
            "boolean",
            "date",
            "category",
        ]
        assert not table.named
        named = Table.of(data, y, feature_names=names, drop=["same"], categorical=["age"])
        assert named.feature_names == ("age", "colour", "member", "when")
        assert (named.named, named.columns[0].kind) == (True, "category")
    model, _ = fuseprop.train(Table.of(rows, y), hidden=(), epochs=2, device="cpu")
    expected = model.predict(rows).values
    np.testing.assert_array_equal(model.predict(np.array(rows, object)).values, expected)
    np.testing.assert_array_equal(
        model.predict({f"x{i + 1}": COLUMNS[n] for i, n in enumerate(names)}).values, expected
    )
    np.testing.assert_array_equal(model.predict(pd.DataFrame(rows)).values, expected)
    with pytest.raises(DataError, match="has 4 features, but 5 are expected"):
        model.predict([row[:4] for row in rows])


def test_an_array_of_numbers_of_which_something_is_said():
    X = RNG.integers(0, 3, (N, 2)).astype(float)
    table = Table.of(X, np.arange(N), categorical=["x2"])
    assert [column.kind for column in table.columns] == ["number", "category"]
    assert table.columns[1].levels == ("0", "1", "2")
    model, _ = fuseprop.train(table, hidden=(), epochs=2, device="cpu")
    np.testing.assert_array_equal(model.predict(X).values, model.predict(table).values)


def test_arrays_of_numbers_are_taken_as_they_are():
    X = RNG.normal(size=(N, 2))
    table = Table.of(X)
    np.testing.assert_array_equal(table.X, X)
    with pytest.raises(DataError, match=r"X contains nan in row 3, column 1"):
        Table.of(np.where(X[3, 1] == X, np.nan, X))
    holey = pd.DataFrame(np.where(X[3, 1] == X, np.nan, X))
    assert np.isnan(Table.of(holey).X).sum() == 1, "a frame has missing values, an array of numbers has none"


@pytest.mark.parametrize("kind", KINDS)
def test_training_and_answers(kind, tmp_path):
    data = KINDS[kind](COLUMNS)
    model, report = fuseprop.train(data, "y", hidden=(3,), epochs=3, device="cpu", drop=["member"])
    assert model.feature_names == ("age", "colour", "when")
    model.save(tmp_path / "m.safetensors")
    again = fuseprop.load(tmp_path / "m.safetensors", device="cpu")
    expected = model.predict_proba(COLUMNS)
    assert expected.shape == (N, 2)
    answer = again.predict_proba(data)
    if kind == "pandas":
        pd.testing.assert_frame_equal(answer, pd.DataFrame(expected, columns=["no", "yes"]))
    assert again.evaluate(data).keys() >= {"loss", "accuracy", "baseline"}
    assert report.test.keys() >= {"loss", "accuracy", "baseline"}


ZIP = Column("zip", "category", ("007", "7up", "8"))
UPPER = Column("flag", "category", ("TRUE", "false", "unknown"))


@pytest.mark.parametrize(
    ("column", "cells", "texts"),
    [
        (ZIP, Numbers(np.array([8.0, np.nan, 9.0])), ("8", "9")),
        (UPPER, Booleans(np.array([1.0, 0.0])), ("TRUE", "false")),
        (Column("c", "category", ("2020-01-01",)), Dates(np.array([18262.0])), ("2020-01-01",)),
        (Column("d", "date", notation="%Y%m%d"), Numbers(np.array([20200102.0])), ("20200102",)),
    ],
    ids=["numbers", "booleans", "dates", "digits"],
)
def test_typed_cells_as_the_texts_of_a_category(column, cells, texts):
    spelled = as_spelled(cells, column, "c")
    assert isinstance(spelled, Texts)
    assert spelled.texts == texts


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        (Column("zip"), Numbers(np.array([7.0]))),
        (Column("flag", "boolean", ("no", "yes")), Booleans(np.array([1.0]))),
        (Column("when", "date"), Dates(np.array([7.0]))),
        (ZIP, Texts(("7",), np.array([0]))),
    ],
    ids=["number", "boolean", "date", "texts"],
)
def test_cells_that_stay_as_they_are(column, cells):
    assert as_spelled(cells, column, "c") is cells


@pytest.mark.parametrize(
    ("levels", "cells", "words"),
    [
        (("007",), Numbers(np.array([7.0])), "c holds 7, a number, .* such as '007'"),
        (("007", "7"), Numbers(np.array([7.0])), "c holds 7, a number, .* such as '007'"),
        (("1.50",), Numbers(np.array([1.5])), "c holds 1.5, a number, .* such as '1.50'"),
        (("12345678901234567890",), Numbers(np.array([12345678901234567890.0])), "such as '1234567890123"),
        (("true", "TRUE", "?"), Booleans(np.array([1.0])), "c holds True, a boolean, .* such as 'true'"),
    ],
)
def test_what_a_reader_lost_is_refused(levels, cells, words):
    with pytest.raises(DataError, match=words):
        as_spelled(cells, Column("c", "category", levels), "c")

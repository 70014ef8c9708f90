"""Rows as dicts: one alone is read directly, and as a table would be; many are columns."""

import datetime
import warnings

import numpy as np
import pandas as pd
import pytest

import fuseprop
from fuseprop.data import DataError
from fuseprop.data.column import Column
from fuseprop.data.dicts import RowReader, as_columns
from fuseprop.data.given import table_as

COLUMNS = (
    Column("n"),
    Column("money", notation="1.234,5"),
    Column("c", "category", ("a", "b", "3", "True")),
    Column("flag", "boolean", ("no", "yes")),
    Column("day", "date", (), "%Y-%m-%d"),
    Column("when", "date", (), "%d.%m.%Y"),
    Column("typed", "date"),
)
ROW = {
    "n": 1.5,
    "money": 2.0,
    "c": "b",
    "flag": "yes",
    "day": "2024-02-29",
    "when": datetime.date(2024, 3, 1),
    "typed": datetime.datetime(2024, 3, 1, 6, 30, 15, 250_000),
}
VALUES = {
    "n": [
        *(3, -0.0, 2**53 - 1, 2**53 + 1, 1e300, np.float64(2.5), np.float32(0.1), np.int64(7), 10**400),
        *(float("inf"), float("nan"), None, pd.NA, True, 1j, [1], b"1"),
        *("4.5", "", "NA", "x", "1_000", " 7 "),
    ],
    "money": [5, "1.234,5", "1,5", "1.5", None],
    "c": ["a", " a ", "A", "new", "", "NA", None, 3, 3.0, True, "True", float("nan"), np.str_("b")],
    "flag": ["no", "No", "YES", "maybe", True, False, np.bool_(True), 0, 1, 2, None, "", "1"],
    "day": [
        *("1969-12-31", "0001-01-01", "2024-2-9", "2024-02-30", "20240229", "2024-W01-1", "2024-02-29 "),
        *("\uff12024-02-29", "01.02.2024", "2024-02-29T00:00", None, 5, pd.NaT),
        *(datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1, 12), pd.Timestamp("2024-02-29 03:00")),
        np.datetime64("2024-02-29"),
    ],
    "when": ["01.02.2024", "2024-02-01", datetime.date(9999, 12, 31), None],
    "typed": [
        *("2024-02-01", "01.02.2024", None, datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)),
        *(datetime.datetime(1, 1, 1, 23, 59, 59, 999_999), pd.Timestamp("2024-02-29 03:00:00.123456")),
    ],
}


def cells(row):
    """The cells of a row as what reads tables reads them; the first word of its error if it refuses them."""
    try:
        return table_as(row, COLUMNS, named=True).X
    except (DataError, TypeError):
        return None


def test_a_usual_row_is_read_directly():
    made = RowReader(COLUMNS)(ROW | {"more": object()})
    day = datetime.date(2024, 3, 1).toordinal() - datetime.date(1970, 1, 1).toordinal()
    seconds = 6 * 3600 + 30 * 60 + 15.25
    np.testing.assert_array_equal(made, [[1.5, 2.0, 1.0, 1.0, day - 1, day, day + seconds / 86400]])


@pytest.mark.parametrize("name", VALUES)
def test_what_is_read_directly_is_what_a_table_holds(name):
    """Whatever stands in a cell; what a table refuses is never read directly."""
    reader, directly = RowReader(COLUMNS), 0
    for value in VALUES[name]:
        row = ROW | {name: value}
        made, expected = reader(row), cells(row)
        if made is None:
            continue
        directly += 1
        assert expected is not None, value
        np.testing.assert_array_equal(made, expected[:, : len(COLUMNS)], str(value))
    assert directly >= 1


def test_single_values_are_a_row_and_lists_are_columns():
    assert as_columns({"a": 1, "b": "x", "c": None}) == {"a": [1], "b": ["x"], "c": [None]}
    for columns in ({"a": [1], "b": [2]}, {"a": np.array([1, 2])}, {"a": pd.Series([1])}, {}):
        assert as_columns(columns) is columns
    rows = [{"a": 1}, {"b": 2, "a": 3}, {}]
    assert as_columns(rows) == {"a": [1, 3, None], "b": [None, 2, None]}
    assert as_columns((*rows,)) == as_columns(rows)
    for others in ([], [[1, 2]], [{"a": 1}, [1]], "text", np.zeros((2, 2))):
        assert as_columns(others) is others


CONTAINERS = {
    "list": lambda value: [value],
    "tuple": lambda value: (value,),
    "array": lambda value: np.array([value]),
    "array of objects": lambda value: np.array([value], dtype=object),
    "Series": lambda value: pd.Series([value]),
    "Index": lambda value: pd.Index([value]),
}
NO_COLUMNS = {
    "set": lambda value: {value},
    "dict": lambda value: {0: value},
    "nested list": lambda value: [[value]],
    "array without dimensions": lambda value: np.array(value),
}


@pytest.mark.parametrize("first", ["n", "c", "flag", "typed"])
@pytest.mark.parametrize("form", [*CONTAINERS, *NO_COLUMNS])
def test_a_dict_of_columns_is_no_row_whatever_its_first_column_is(first, form):
    ordered = sorted(COLUMNS, key=lambda column: column.name != first)
    for cell in (ROW[first], True):
        row = ROW | {first: cell}
        columns = {name: [value] for name, value in row.items()}
        columns[first] = (CONTAINERS | NO_COLUMNS)[form](cell)
        assert RowReader(ordered)(columns) is None
    if form in NO_COLUMNS:
        with pytest.raises(DataError, match=f"column '{first}'"):
            table_as(columns, ordered, named=True)
        return
    columns[first] = CONTAINERS[form](ROW[first])
    np.testing.assert_array_equal(
        table_as(columns, ordered, named=True).X, table_as(ROW, ordered, named=True).X
    )


@pytest.fixture(scope="module")
def rows():
    colours, n = ("red", "green", "blue", "blue"), 80
    return [
        {
            "size": float(i % 9) if i % 11 else None,
            "colour": colours[i % 4] if i % 10 else None,
            "paid": ("no", "yes")[i % 2],
            "when": f"2024-{1 + i % 12:02}-{1 + i % 28:02}",
            "y": i % 9 + i % 4 + 0.5 * (i % 3),
        }
        for i in range(n)
    ]


@pytest.fixture(scope="module")
def model(rows):
    return fuseprop.train(rows, "y", epochs=2, device="cpu")[0]


def test_rows_of_dicts_train(model):
    assert [column.kind for column in model.encoder.columns] == ["number", "category", "boolean", "date"]
    assert {"size missing", "colour=blue", "colour missing", "paid", "when month sin"} <= set(
        model.encoder.feature_names
    )


def test_one_row_and_many_in_any_form_are_answered_alike(model, rows, tmp_path):
    expected = model.predict(rows).values
    turned = list(reversed(range(len(rows))))
    frame = pd.DataFrame(rows)[["paid", "y", "when", "colour", "size"]]
    path = tmp_path / "t.csv"
    frame.iloc[turned].to_csv(path, index=False)
    for data in (
        frame.iloc[turned],
        [rows[i] for i in turned],
        {name: [rows[i][name] for i in turned] for name in ("when", "size", "paid", "colour")},
        path,
        str(path),
    ):
        np.testing.assert_array_equal(model.predict(data).values, expected[turned])
        if not isinstance(data, dict):
            assert model.evaluate(data) == pytest.approx(model.evaluate(rows))
    for row, value in zip(rows[:12], expected, strict=False):
        for given in (row, {**row, "when": datetime.date.fromisoformat(row["when"])}, {**row, "paid": "Yes"}):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                made = model.predict(given).values
            if given.get("paid") == row["paid"]:
                np.testing.assert_allclose(made, [value], rtol=1e-6)


def test_a_row_that_cannot_be_read_is_refused_by_name(model, rows):
    with pytest.raises(DataError, match="X lacks the feature size"):
        model.predict({name: value for name, value in rows[1].items() if name != "size"})
    with pytest.raises(DataError, match=r"X: row 1, column 'when': expected a date .*got 'soon'"):
        model.predict({**rows[1], "when": "soon"})
    with pytest.raises(DataError, match=r"X: row 1, column 'size': expected a number.* got 'large'"):
        model.predict({**rows[1], "size": "large"})

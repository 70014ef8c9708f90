"""fuseprop inspect: the columns of a table as train would read them."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from fuseprop.cli import main

ROWS = """id,age,city,when,day,paid
1,31,Bonn,2024-01-03,03/04/2024,yes
2,,Ulm,2024-01-01,05/06/2024,no
3,40,Bonn,2024-01-02,03/04/2024,no
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(ROWS)
    return path


def inspect(*arguments):
    return CliRunner().invoke(main, ["inspect", *map(str, arguments)])


def test_columns_with_what_they_hold(table):
    done = inspect(table)
    assert done.exit_code == 0
    assert done.stderr == ""
    title, *lines = done.stdout.splitlines()
    assert title == f"{table}: 3 rows, 6 columns, 1 of them left out, 1 of them refused"
    assert lines[:5] == [
        "age   number    1 missing     31 to 40, quartiles 33.25, 35.5, 37.75",
        "city  category  none missing  Bonn 2, Ulm 1",
        "when  date      none missing  2024-01-01 to 2024-01-03, quartiles 2024-01-01 12:00, 2024-01-02, "
        "2024-01-02 12:00; written as %Y-%m-%d",
        "paid  boolean   none missing  no 2, yes 1",
        "id    left out                it tells rows apart (an id)",
    ]
    assert lines[5].startswith(
        f"day   refused                 {table}: row 1 (line 2), column 'day': '03/04/2024'"
    )
    assert "--date day=%d/%m/%Y" in lines[5]


def test_options_decide_as_for_train(table):
    done = inspect(
        table, "--date", "day=%d/%m/%Y", "--drop", "when", "--categorical", "age", "--target", "paid"
    )
    assert done.exit_code == 0
    title, *lines = done.stdout.splitlines()
    assert title == f"{table}: 3 rows, 6 columns, 2 of them left out"
    assert lines[0] == "paid  target    none missing  no 2, yes 1"
    assert lines[1] == "age   category  1 missing     31 1, 40 1"
    assert lines[-2:] == [
        "id    left out                it tells rows apart (an id)",
        "when  left out                it was dropped",
    ]


def test_json(table):
    found = json.loads(inspect(table, "--json").stdout)
    assert (found["data"], found["rows"], found["notes"]) == (str(table), 3, [])
    by_name = {column["name"]: column for column in found["columns"]}
    assert by_name["age"] == {
        "name": "age",
        "kind": "number",
        "missing": 1,
        "example": 31.0,
        "minimum": 31.0,
        "quartiles": [33.25, 35.5, 37.75],
        "maximum": 40.0,
    }
    assert by_name["day"]["kind"] == "refused"
    assert "'03/04/2024' is a date in several formats" in by_name["day"]["why"]
    assert by_name["id"] == {"name": "id", "kind": "left out", "why": "it tells rows apart (an id)"}


def test_notes_are_told(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b\n1,5;x\n2;y\n")
    assert "'a': '1,5' is read as 1.5." in inspect(path).stdout.splitlines()


def test_data_sets_and_arrays_of_numbers(tmp_path):
    assert inspect("xor").stdout.splitlines()[:2] == [
        "xor: 4 rows, 3 columns",
        "a xor b  target  none missing  0 to 1, quartiles 0, 0.5, 1",
    ]
    np.savez(tmp_path / "t.npz", X=np.array([[1.0, 2], [3, 4]]), y=np.array([0, 1]))
    assert "x2  number  none missing  2 to 4, quartiles 2.5, 3, 3.5" in inspect(tmp_path / "t.npz").stdout


def test_what_cannot_be_inspected(table, tmp_path):
    missing = inspect(table, "--drop", "agee")
    assert missing.exit_code == 1
    assert "lacks the column agee" in missing.stderr
    assert 'Did you mean "age"?' in missing.stderr
    assert inspect(tmp_path / "nothing.csv").exit_code == 1
    assert inspect(table, "--missing", "never").exit_code == 2


def test_a_missing_value_may_be_refused(table):
    done = inspect(table, "--missing", "refuse", "--drop", "day")
    assert done.stdout.splitlines()[-1].startswith(
        f"age   refused                 {table}: row 2 (line 3), column 'age': the value is missing."
    )


def test_a_table_without_features_is_shown_too(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\nx,1\nx,1\n")
    assert inspect(path).stdout.splitlines() == [
        f"{path}: 2 rows, 2 columns, 2 of them left out",
        "a  left out    it is the same in all rows",
        "b  left out    it is the same in all rows",
    ]

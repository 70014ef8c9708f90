"""CSV files: what is read, and which place an error names."""

import numpy as np
import pandas
import pytest

from fuseprop.data import DataError, Table, load_table
from fuseprop.data.files import open_source
from fuseprop.data.tasks import make_task


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.fixture
def csv_file(tmp_path):
    return lambda text, encoding="utf-8": write(tmp_path / "t.csv", text, encoding)


def refusal(path, *arguments):
    with pytest.raises(DataError) as caught:
        load_table(path, *arguments)
    return str(caught.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiter_comes_from_the_header(csv_file, delimiter):
    lines = [["a", "b", "y"], ["1", "2.5", "3"], ["-4e1", "5", "6"]]
    table = load_table(csv_file("\n".join(delimiter.join(line) for line in lines)), ["y"])
    np.testing.assert_array_equal(table.X, [[1, 2.5], [-40, 5]])
    np.testing.assert_array_equal(table.targets, [[3], [6]])
    assert (table.feature_names, table.target_names) == (("a", "b"), ("y",))
    assert table.X.dtype == np.float64


def test_quotes_byte_order_mark_blank_lines_and_windows_line_ends(csv_file):
    text = '\ufeff\r\n"a, long","b ""q""",y\r\n"1",2,"x, y"\r\n\r\n3,"4",z\r\n'
    table = load_table(csv_file(text), ["y"])
    assert table.feature_names == ("a, long", 'b "q"')
    np.testing.assert_array_equal(table.X, [[1, 2], [3, 4]])
    assert table.targets[:, 0].tolist() == ["x, y", "z"]


def test_several_targets_stand_anywhere_and_in_the_order_asked_for(csv_file):
    table = load_table(csv_file("b,x,a\n1,2,3\n4,5,6\n"), ["a", "b"])
    assert table.target_names == ("a", "b")
    np.testing.assert_array_equal(table.targets, [[3, 1], [6, 4]])
    np.testing.assert_array_equal(table.X, [[2], [5]])


def test_features_are_found_by_name_and_other_columns_are_not_looked_at(csv_file):
    table = load_table(csv_file("id,b,note,a\nq1,1,,2\nq2,3,x,4\n"), (), ["a", "b"])
    np.testing.assert_array_equal(table.X, [[2, 1], [4, 3]])
    assert table.targets is None


def test_numbers_written_differently_are_one_number(csv_file):
    table = load_table(csv_file("a,y\n1,1\n2,1.0\n3, 1e0\n"), ["y"])
    np.testing.assert_array_equal(table.targets, [[1], [1], [1]])


def test_classes_may_look_like_numbers_here_and_there(csv_file):
    table = load_table(csv_file("a,y\n1,3\n2,4\n3,5+\n"), ["y"])
    assert table.targets[:, 0].tolist() == ["3", "4", "5+"]


def test_text_among_many_numbers_of_a_target_is_a_mistake(csv_file):
    rows = "".join(f"{i},{i / 7}\n" for i in range(40))
    text = refusal(csv_file(f"a,y\n{rows}1,oops\n"), ["y"])
    assert "row 41" in text
    assert "'y'" in text
    assert "'oops'" in text


MANY = "a,b,y\n" + "".join(f"{i},x,{i / 7}\n" for i in range(40))

BAD = {
    "text among many numbers": (MANY + "oops,x,1\n", ["row 41 (line 42)", "'a'", "number", "'oops'"]),
    "text behind a blank line": (MANY + "\noops,x,1\n", ["row 41 (line 43)", "'oops'"]),
    "inf among many numbers": (MANY + "-inf,x,1\n", ["row 41 (line 42)", "'a'", "finite", "'-inf'"]),
    "thousands by underscores": (MANY + "1_000,x,1\n", ["row 41 (line 42)", "'a'", "number", "'1_000'"]),
    "an open quote behind numbers": (MANY + '41,"x,1\n', ["row 41 (line 42)", "never closed"]),
    "too many cells": ("a,y\n1,0\n2,3,4\n", ["row 2 (line 3)", "expected 2 cells", "got 3"]),
    "too few cells": ("a,b,y\n1,0,1\n2,3\n", ["row 2 (line 3)", "expected 3 cells", "got 2"]),
    "every row too long": ("a,y\n5,0,3\n7,3,4\n", ["row 1 (line 2)", "expected 2 cells", "got 3"]),
    "infinite target": ("a,y\n1,0\n2,inf\n", ["row 2 (line 3)", "'y'", "finite", "'inf'"]),
    "no target in any row": ("a,y\n1,\n2,NA\n", ["'y'", "missing in all rows"]),
    "empty file": ("", ["is empty", "header"]),
    "blank file": ("\n \n", ["is empty"]),
    "header alone": ("a,y\n", ["no rows"]),
    "no header": ("1,2\n3,4\n", ["header row", "Add one"]),
    "no feature": ("y\n1\n2\n", ["at least one"]),
}


@pytest.mark.parametrize("case", BAD)
def test_refusals_name_the_place(csv_file, case):
    text, words = BAD[case]
    message = refusal(csv_file(text), ["y"])
    assert "t.csv" in message
    for word in words:
        assert word in message


def test_target_is_needed_and_the_closest_name_suggested(csv_file):
    path = csv_file("length,prize\n1,2\n")
    assert "--target" in refusal(path)
    text = refusal(path, ["price"])
    assert 'Did you mean "prize"?' in text
    assert "length" in text


def test_missing_features_are_all_named(csv_file):
    text = refusal(csv_file("a,b\n1,2\n"), (), ["c", "a", "d"])
    assert "lacks the features c, d" in text


def test_a_feature_cannot_be_the_target_too(csv_file):
    text = refusal(csv_file("a,b,y\n1,2,3\n"), ["b"], ["a", "b"])
    assert "b is the target" in text


def test_underscores_make_a_class_and_no_number(csv_file):
    table = load_table(csv_file("a,y\n1,1_0\n2,10\n"), ["y"])
    assert table.targets[:, 0].tolist() == ["1_0", "10"]


def test_files_that_are_none(tmp_path):
    assert "no such file" in refusal(tmp_path / "missing.csv", ["y"])
    (tmp_path / "d.csv").mkdir()
    assert "is a directory" in refusal(tmp_path / "d.csv", ["y"])
    (tmp_path / "b.csv").write_bytes(bytes(range(256)))
    assert "binary" in refusal(tmp_path / "b.csv", ["y"])
    (tmp_path / "late.csv").write_text("a,y\nä,2\n" + "1,2\n" * 400_000)
    with (tmp_path / "late.csv").open("ab") as file:
        file.write(b"\xff\xfe,1\n")
    assert "no text in UTF-8" in refusal(tmp_path / "late.csv", ["y"])


def test_text_that_is_latin_1_late_in_the_file_is_read_as_that(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a,y\n" + b"1,x\n2,x\n" * 200_000 + "1,größe\n".encode("latin-1") * 20)
    table = load_table(tmp_path / "t.csv", ["y"], ["a"])
    assert sorted(set(table.targets[:, 0])) == ["größe", "x"]
    assert any("Windows-1252" in note for note in table.notes)


LATE = 160_000
"""Rows before one that differs; far more than a sample."""


@pytest.mark.parametrize("text", ["word", "1_0", "+-1"])
def test_what_the_first_rows_say_of_a_column_decides_nothing(tmp_path, text):
    lines = [f"{i},{i}\n" for i in range(LATE)]
    (tmp_path / "t.csv").write_text("".join(["a,b\n", *lines, f"{text},1\n"]))
    message = refusal(tmp_path / "t.csv", ["b"])
    assert f"row {LATE + 1} (line {LATE + 2})" in message
    assert repr(text.strip()) in message


@pytest.mark.parametrize("text", ["007", "9007199254740993", " 07"])
def test_codes_late_in_a_file_are_no_numbers(tmp_path, text):
    lines = [f"{i},{i}\n" for i in range(LATE)]
    (tmp_path / "t.csv").write_text("".join(["a,b\n", *lines, f"{text},1\n"]))
    cells = open_source(tmp_path / "t.csv").cells(["a"])["a"]
    assert cells.others == {LATE: text.strip()}
    assert cells.values[:-1].tolist() == list(range(LATE))


def test_a_text_late_among_few_numbers_makes_categories(tmp_path):
    lines = [f"{i % 9},{i}\n" for i in range(LATE)]
    (tmp_path / "t.csv").write_text("".join(["a,b\n", *lines, *["q,1\n"] * (LATE // 50)]))
    column = load_table(tmp_path / "t.csv", ["b"]).columns[0]
    assert (column.kind, column.levels) == ("category", (*map(str, range(9)), "q"))


def test_booleans_of_several_targets_are_zero_and_one(tmp_path):
    frame = pandas.DataFrame(
        {
            "x": [1.0, 2, 3, 4],
            "a": [0, 1, 1, 0],
            "b": [True, False, True, True],
            "c": [False, True, True, False],
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    for target in (("a", "b"), ("b", "c"), ("a", "b", "c")):
        expected = Table.of(frame[["x", *target]], list(target))
        table = load_table(tmp_path / "t.csv", target, ["x"])
        np.testing.assert_array_equal(table.targets, expected.targets)
        assert table.targets.dtype == np.float64
        assert make_task(table) == make_task(expected)
        assert make_task(table).name == "multi-label"
        again = load_table(tmp_path / "t.csv", target, ["x"], **make_task(table).reading().keywords())
        np.testing.assert_array_equal(again.targets, table.targets)
    assert load_table(tmp_path / "t.csv", ["b"], ["x"]).targets[:2, 0].tolist() == ["True", "False"]
    as_text = load_table(tmp_path / "t.csv", ["a", "b"], ["x"], target_as="text").targets
    assert as_text[0].tolist() == ["0", "True"]


def test_a_row_that_lacks_one_of_several_booleans_is_left_out(csv_file):
    table = load_table(csv_file("x,a,b\n1,0,TRUE\n2,1,\n3,1,false\n"), ["a", "b"])
    assert (table.targets.tolist(), table.without_target) == ([[0, 1], [1, 0]], 1)


def test_only_the_targets_that_hold_text_are_named(csv_file):
    table = load_table(csv_file("x,good,worse,bad\n1,0,True,no\n2,1,False,yes\n"), ["good", "worse", "bad"])
    for task in (None, "multi-label", "regression"):
        with pytest.raises(DataError) as caught:
            make_task(table, task)
        assert "bad" in str(caught.value)
        assert not {"good", "worse"} & set(str(caught.value).replace(",", "").split())
    assert "'no'" in str(caught.value)

"""CSV files: what is read, and which place an error names."""

import numpy as np
import pytest

from fuseprop.data import DataError, read_csv


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.fixture
def csv_file(tmp_path):
    return lambda text, encoding="utf-8": write(tmp_path / "t.csv", text, encoding)


def refusal(path, *arguments):
    with pytest.raises(DataError) as caught:
        read_csv(path, *arguments)
    return str(caught.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiter_comes_from_the_header(csv_file, delimiter):
    lines = [["a", "b", "y"], ["1", "2.5", "3"], ["-4e1", "5", "6"]]
    table = read_csv(csv_file("\n".join(delimiter.join(line) for line in lines)), ["y"])
    np.testing.assert_array_equal(table.X, [[1, 2.5], [-40, 5]])
    np.testing.assert_array_equal(table.targets, [[3], [6]])
    assert (table.feature_names, table.target_names) == (("a", "b"), ("y",))
    assert table.X.dtype == np.float64


def test_quotes_byte_order_mark_blank_lines_and_windows_line_ends(csv_file):
    text = '\ufeff\r\n"a, long","b ""q""",y\r\n"1",2,"x, y"\r\n\r\n3,"4",z\r\n'
    table = read_csv(csv_file(text), ["y"])
    assert table.feature_names == ("a, long", 'b "q"')
    np.testing.assert_array_equal(table.X, [[1, 2], [3, 4]])
    assert table.targets[:, 0].tolist() == ["x, y", "z"]


def test_several_targets_stand_anywhere_and_in_the_order_asked_for(csv_file):
    table = read_csv(csv_file("b,x,a\n1,2,3\n4,5,6\n"), ["a", "b"])
    assert table.target_names == ("a", "b")
    np.testing.assert_array_equal(table.targets, [[3, 1], [6, 4]])
    np.testing.assert_array_equal(table.X, [[2], [5]])


def test_features_are_found_by_name_and_other_columns_are_not_looked_at(csv_file):
    table = read_csv(csv_file("id,b,note,a\nq1,1,,2\nq2,3,x,4\n"), (), ["a", "b"])
    np.testing.assert_array_equal(table.X, [[2, 1], [4, 3]])
    assert table.targets is None


def test_numbers_written_differently_are_one_number(csv_file):
    table = read_csv(csv_file("a,y\n1,1\n2,1.0\n3, 1e0\n"), ["y"])
    np.testing.assert_array_equal(table.targets, [[1], [1], [1]])


def test_classes_may_look_like_numbers_here_and_there(csv_file):
    table = read_csv(csv_file("a,y\n1,3\n2,4\n3,5+\n"), ["y"])
    assert table.targets[:, 0].tolist() == ["3", "4", "5+"]


def test_text_among_many_numbers_of_a_target_is_a_mistake(csv_file):
    rows = "".join(f"{i},{i / 7}\n" for i in range(40))
    text = refusal(csv_file(f"a,y\n{rows}1,oops\n"), ["y"])
    assert "row 41" in text
    assert "'y'" in text
    assert "'oops'" in text


BAD = {
    "text in a feature": (
        "age,y\n" + "1,0\n" * 16 + "abc,1\n",
        ["row 17 (line 18)", "'age'", "number", "'abc'", "leave the column out"],
    ),
    "line after a blank one": ("age,y\n1,0\n\nx,1\n", ["row 2 (line 4)", "'x'"]),
    "empty cell": ("a,y\n1,0\n,1\n", ["row 2 (line 3)", "'a'", "empty"]),
    "empty target": ("a,y\n1,0\n2,\n", ["row 2 (line 3)", "'y'", "empty"]),
    "too many cells": ("a,y\n1,0\n2,3,4\n", ["row 2 (line 3)", "expected 2 cells", "got 3"]),
    "too few cells": ("a,b,y\n1,0,1\n2,3\n", ["row 2 (line 3)", "expected 3 cells", "got 2"]),
    "every row too long": ("a,y\n1,0,3\n2,3,4\n", ["row 1 (line 2)", "expected 2 cells", "got 3"]),
    "nan": ("a,y\n1,0\nnan,1\n", ["row 2 (line 3)", "'a'", "finite", "'nan'"]),
    "inf": ("a,y\n-inf,0\n3,1\n", ["row 1 (line 2)", "'a'", "finite", "'-inf'"]),
    "nan target": ("a,y\n1,0\n2,nan\n", ["row 2 (line 3)", "'y'", "missing", "'nan'"]),
    "infinite target": ("a,y\n1,0\n2,inf\n", ["row 2 (line 3)", "'y'", "finite", "'inf'"]),
    "thousands by underscores": ("a,y\n1,0\n1_000,1\n", ["row 2 (line 3)", "'a'", "number", "'1_000'"]),
    "digits of another script": ("a,y\n1,0\n\u0663,1\n", ["row 2 (line 3)", "'a'", "number"]),
    "decimal comma": ("a;y\n1,5;0\n", ["'1,5'", "decimals with a point"]),
    "empty file": ("", ["is empty", "header"]),
    "blank file": ("\n \n", ["is empty"]),
    "header alone": ("a,y\n", ["no rows"]),
    "no header": ("1,2\n3,4\n", ["header row", "Add one"]),
    "same name twice": ("a,y,a\n1,2,3\n", ["a", "more than once"]),
    "nameless column": ("a,,y\n1,2,3\n", ["column 2 of 3 has no name"]),
    "no feature": ("y\n1\n2\n", ["at least one feature"]),
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
    assert "b cannot be a feature and the target too" in text
    assert "a, b, y" in text


def test_underscores_make_a_class_and_no_number(csv_file):
    table = read_csv(csv_file("a,y\n1,1_0\n2,10\n"), ["y"])
    assert table.targets[:, 0].tolist() == ["1_0", "10"]


def test_files_that_are_none(tmp_path):
    assert "no such file" in refusal(tmp_path / "missing.csv", ["y"])
    (tmp_path / "d.csv").mkdir()
    assert "is a directory" in refusal(tmp_path / "d.csv", ["y"])
    (tmp_path / "b.csv").write_bytes(bytes(range(256)))
    assert "UTF-8" in refusal(tmp_path / "b.csv", ["y"])
    (tmp_path / "z.csv").write_bytes(b"a\0b,y\n1,2\n")
    assert "binary" in refusal(tmp_path / "z.csv", ["y"])
    (tmp_path / "late.csv").write_bytes(b"a,y\n" + b"1,2\n" * 9000 + b"\xff\xfe,1\n")
    assert "UTF-8" in refusal(tmp_path / "late.csv", ["y"])
    assert "UTF-8" in refusal(write(tmp_path / "l1.csv", "größe,y\n1,2\n", "latin-1"), ["y"])

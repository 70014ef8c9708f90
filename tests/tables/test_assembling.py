"""From a source to a table: which columns, in which order, with which targets; and for a model, its own."""

import numpy as np
import pytest
from memory_source import MemorySource

from fuseprop.data.assembling import assemble, assemble_as
from fuseprop.data.cells import Booleans, Dates, Numbers
from fuseprop.data.choices import NONE, Choices
from fuseprop.data.column import Column
from fuseprop.data.errors import DataError
from fuseprop.data.target_cells import AUTO, Reading

COLUMNS = {
    "age": ["31", "", "55", "40"],
    "city": ["Bonn", "Ulm", "Bonn", "NA"],
    "when": ["2024-01-01", "2024-01-02", "2024-01-01", ""],
    "smokes": ["no", "yes", "no", "no"],
    "y": ["1.5", "2.5", "4", "0"],
}


def source(columns=COLUMNS, **given):
    return MemorySource(columns, **given)


def table(columns=COLUMNS, target=("y",), reading=AUTO, **choices):
    return assemble(source(columns), target, Choices(**choices), reading)


def refused(columns=COLUMNS, target=("y",), reading=AUTO, **choices):
    with pytest.raises(DataError) as caught:
        table(columns, target, reading, **choices)
    return str(caught.value)


def of_column(made, name):
    return made.X[:, made.feature_names.index(name)]


def test_a_table_of_four_kinds():
    made = table()
    assert made.columns == (
        Column("age"),
        Column("city", "category", ("Bonn", "Ulm")),
        Column("when", "date", notation="%Y-%m-%d"),
        Column("smokes", "boolean", ("no", "yes")),
    )
    expected = [[31, 0, 19723, 0], [np.nan, 1, 19724, 1], [55, 0, 19723, 0], [40, np.nan, np.nan, 0]]
    np.testing.assert_array_equal(made.X, expected)
    np.testing.assert_array_equal(made.targets, [[1.5], [2.5], [4], [0]])
    assert (made.target_names, made.source, made.left_out, made.notes) == (("y",), "t.csv", (), ())
    assert made.rows is None
    assert made.without_target == 0


def test_without_targets():
    for target in (None, ()):
        made = table(target=target)
        assert made.targets is None
        assert made.feature_names == ("age", "city", "when", "smokes", "y")


def test_columns_are_asked_for_once_and_each_let_go():
    given = source()
    cells = given.cells(given.names)
    given.cells = lambda names, as_text=(): cells
    assemble(given, ("y",), NONE, AUTO)
    assert cells == {}


def test_one_reading_of_the_source_is_enough_for_plain_columns():
    given = source()
    assemble(given, ("y",), NONE, AUTO)
    assert given.asked == [(("y", "age", "city", "when", "smokes"), ())]


def test_columns_with_doubtful_numbers_are_read_again_together():
    given = source({"a": ["1", "2", "3,5"], "b": ["1", "2", "007"], "c": ["1", "2", "3"]})
    made = assemble(given, (), NONE, AUTO)
    assert given.asked[1] == (("a", "b"), ("a", "b"))
    assert [column.kind for column in made.columns] == ["number", "category", "number"]


def test_left_out_columns_say_why_in_the_order_of_the_source():
    columns = {"one": ["x"] * 4, "id": ["1", "2", "3", "4"], **COLUMNS}
    made = table(columns, drop=["city"])
    assert [(left.name, left.why) for left in made.left_out] == [
        ("one", "it is the same in all rows"),
        ("id", "it tells rows apart (an id)"),
        ("city", "it was dropped"),
    ]
    assert made.feature_names == ("age", "when", "smokes")


def test_features_that_are_named_come_in_their_order_and_alone():
    made = table(features=["smokes", "age"])
    assert made.feature_names == ("smokes", "age")
    np.testing.assert_array_equal(of_column(made, "smokes"), [0, 1, 0, 0])
    assert {left.name: left.why for left in made.left_out} == dict.fromkeys(
        ("city", "when"), "it is not among the features named"
    )


def test_a_named_feature_is_never_left_out():
    columns = {"one": ["7"] * 4, "id": ["1", "2", "3", "4"], **COLUMNS}
    assert table(columns, features=["one", "id"]).feature_names == ("one", "id")
    assert "one" in table(columns, numeric=["one"]).feature_names
    assert "one" in table(columns, categorical=["one"]).feature_names


def test_kinds_that_are_named():
    made = table(categorical=["age"], date=["when=%Y-%m-%d"])
    assert made.columns[0] == Column("age", "category", ("31", "40", "55"))
    assert made.columns[2] == Column("when", "date", notation="%Y-%m-%d")


def test_an_index_is_left_out_unless_it_is_named():
    columns = {"": ["Bonn", "Ulm", "Köln", "Bonn"], **COLUMNS}
    for made in (
        assemble(source(columns, index_like=("",)), ("y",), NONE, AUTO),
        table(columns, ignore_index=True),
    ):
        assert [(left.name, left.why) for left in made.left_out] == [("", "it is the index of the rows")]
    named = Choices(categorical=[""])
    assert "" in assemble(source(columns, index_like=("",)), ("y",), named, AUTO).feature_names


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"drop": ["agee"]}, ["t.csv lacks the column agee", 'Did you mean "age"?']),
        ({"features": ["age", "ctiy"]}, ["t.csv lacks the feature ctiy", 'Did you mean "city"?']),
        ({"numeric": ["nope"]}, ["lacks the column nope"]),
        ({"date": ["nope=%Y"]}, ["lacks the column nope"]),
        ({"features": ["age", "y"]}, ["y is the target", "--target-as"]),
        ({"drop": ["y"]}, ["y is the target"]),
        ({"numeric": ["y"]}, ["y is the target"]),
        ({"ignore_index": True, "numeric": ["age"]}, ["age cannot be the index and a feature"]),
        ({"numeric": ["city"]}, ["t.csv: row 1 (line 2), column 'city': expected a number, got 'Bonn'"]),
        ({"date": ["city"]}, ["row 1 (line 2), column 'city': expected a date in the format %Y-%m-%d, got"]),
        ({"missing": "refuse"}, ["row 2 (line 3), column 'age': the value is missing", 'missing="encode"']),
        ({"features": []}, ["no column beside the target that is a feature"]),
    ],
)
def test_choices_that_do_not_fit(choices, words):
    said = refused(**choices)
    assert all(word in said for word in words), said


def test_a_target_that_is_not_there():
    assert 'lacks the target yy. Columns there: age, city, when, smokes, y. Did you mean "y"?' in refused(
        target=("yy",)
    )


def test_the_first_column_cannot_be_target_and_index():
    assert "age cannot be the index" in refused(target=("age",), ignore_index=True)


def test_no_feature_left():
    said = refused({"one": ["x"] * 3, "id": ["1", "2", "3"], "y": ["1", "2", "3"]})
    assert said == (
        "t.csv has no column beside the target that is a feature; at least one is needed. one: it is the "
        "same in all rows; id: it tells rows apart (an id)."
    )


def test_the_target_alone():
    said = refused({"y": ["1", "2", "3"]})
    assert said == "t.csv has no column beside the target that is a feature; at least one is needed."


def test_many_columns_without_a_feature():
    said = refused({f"c{i}": ["x"] for i in range(20)} | {"y": ["1"]})
    assert said.endswith("c11: it is the same in all rows; and 8 more.")


def test_no_rows():
    for target in (("y",), ()):
        assert refused({"a": [], "y": []}, target) == "t.csv holds no rows."


def test_rows_without_a_target_are_left_out_and_counted():
    columns = {"a": ["1", "2", "3", "4", "5"], "y": ["1", "", "2", None, "4"]}
    made = table(columns)
    np.testing.assert_array_equal(made.X, [[1], [3], [5]])
    np.testing.assert_array_equal(made.targets, [[1], [2], [4]])
    np.testing.assert_array_equal(made.rows, [0, 2, 4])
    assert made.without_target == 2
    assert made.row_number(1) == 3


def test_a_column_is_decided_over_all_rows_with_or_without_a_target():
    made = table({"a": ["1", "x", "1"], "b": ["1", "2", "3"], "y": ["1", "", "2"]})
    assert made.columns[0] == Column("a", "category", ("1", "x"))
    np.testing.assert_array_equal(made.X, [[0, 1], [0, 3]])


def test_a_row_needs_all_of_its_targets():
    columns = {"a": ["1", "2", "3"], "y": ["1", "", "0"], "z": ["1", "1", "NA"]}
    made = table(columns, ("y", "z"))
    np.testing.assert_array_equal(made.targets, [[1, 1]])
    assert made.without_target == 2


def test_several_targets_keep_their_order():
    columns = {"a": ["1", "2"], "y": ["1", "0"], "z": ["5", "6"]}
    np.testing.assert_array_equal(table(columns, ("z", "y")).targets, [[5, 1], [6, 0]])


def test_all_targets_missing():
    assert refused({"a": ["1", "2"], "y": ["", "NA"]}) == "t.csv: the target 'y' is missing in all rows."


def test_a_word_that_says_missing_among_classes_is_told():
    columns = {"a": ["1", "2", "3", "4"], "y": ["cat", "none", "dog", ""]}
    made = table(columns)
    assert made.targets.tolist() == [["cat"], ["dog"]]
    [note] = made.notes
    assert note.startswith("'none' in 1 row of the target 'y' says that the value is missing.")
    assert "--keep-as-class none" in note
    kept = table(columns, reading=Reading(keep_as_class=("none",)))
    assert kept.targets.tolist() == [["cat"], ["none"], ["dog"]]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (
            ["1", "", "1,5", "2"],
            ["row 3 (line 4), column 'y': '1,5' looks like a number with a decimal comma"],
        ),
        (["$5", "$6", "", "$7"], ["row 1 (line 2), column 'y'", "amount of money"]),
        (["1", "", "inf", "2"], ["row 3 (line 4), column 'y': expected a finite number, got 'inf'"]),
    ],
)
def test_targets_are_read_as_ever_with_the_row_of_the_source(cells, words):
    said = refused({"a": ["1", "2", "3", "4"], "y": cells})
    assert all(word in said for word in words), said


@pytest.mark.parametrize(
    ("cells", "word", "row", "rows"),
    [(["", "none", "none", "brick", "stone", "none"], "none", 2, 3), (["a", "b", "NA"] * 20, "NA", 3, 20)],
)
def test_a_word_that_says_missing_most_often_may_be_a_class(cells, word, row, rows):
    columns = {"a": [str(i % 7) for i in range(len(cells))], "y": cells}
    said = refused(columns)
    assert said.startswith(f"t.csv: row {row} (line {row + 1}), column 'y': '{word}' says that the value is")
    assert f"({rows} such rows)" in said
    assert f"--keep-as-class {word}" in said
    assert word in table(columns, reading=Reading(keep_as_class=(word,))).targets


def test_a_word_that_says_missing_is_no_number_however_often_it_stands_there():
    columns = {"a": [str(i % 7) for i in range(60)], "y": ["0", "1", "NA"] * 20}
    assert table(columns, reading=Reading("numbers")).without_target == 20
    columns["y"] = [str(i) for i in range(25)] + ["NA"] * 35
    assert table(columns).targets[:, 0].tolist() == list(range(25))


def test_codes_are_classes():
    made = table({"a": ["1", "2", "3"], "y": ["007", "", "12"]})
    assert made.targets.tolist() == [["007"], ["12"]]


def test_a_target_of_numbers_read_as_text():
    columns = {"a": ["1", "2", "3"], "y": ["1", "2.50", "1"]}
    assert table(columns, reading=Reading("text")).targets.tolist() == [["1"], ["2.50"], ["1"]]
    assert table(columns, reading=Reading("numbers")).targets.tolist() == [[1], [2.5], [1]]


def test_targets_of_a_typed_source():
    def targets(cells):
        given = source({"a": ["1", "2", "3"], "y": cells}, typed=True)
        made = assemble(given, ("y",), NONE, AUTO)
        return made.targets.tolist(), made.without_target

    assert targets(Numbers(np.array([1.5, np.nan, 2]))) == ([[1.5], [2]], 1)
    assert targets(Booleans(np.array([1.0, 0, np.nan]))) == ([[1], [0]], 1)
    assert targets(["1", "2", "1"]) == ([["1"], ["2"], ["1"]], 0)
    with pytest.raises(DataError, match=r"row 1 .*column 'y': a date is no target. Make a column of numbers"):
        targets(Dates(np.array([1.0, 2, 3])))
    with pytest.raises(DataError, match=r"row 3 .*column 'y': expected a finite number, got inf"):
        targets(Numbers(np.array([1, np.nan, np.inf])))


def test_notes_of_the_source_come_first():
    given = source({"a": ["1,5", "2"], "y": ["1", "2"]}, notes=("The delimiter is ;.",))
    made = assemble(given, ("y",), NONE, AUTO)
    assert made.notes == ("The delimiter is ;.", "'a': '1,5' is read as 1.5.")


def test_missing_refused_counts_rows_of_the_source():
    said = refused({"a": ["", "2", ""], "y": ["", "1", "2"]}, missing="refuse")
    assert said.startswith("t.csv: row 3 (line 4), column 'a': the value is missing.")
    assert table({"a": ["", "2", "3"], "y": ["", "1", "2"]}, missing="refuse").X.tolist() == [[2], [3]]


def test_notes_of_many_columns_are_summed_up():
    notes = table({f"x{i}": ["1,5", "12,25"] for i in range(25)}, ()).notes
    assert len(notes) == 11
    assert notes[0] == "'x0': '12,25' is read as 12.25."
    assert notes[10] == "15 more columns of numbers are read likewise."


THOUSANDS = ["1,234", "12", "5,678"]
COMMAS = ["1,5", "2,25", "3"]
POINTS = ["1.5", "2.25", "3"]


def test_ambiguous_numbers_alone_are_refused():
    said = refused({"a": THOUSANDS, "b": ["1", "2", "3"], "y": ["1", "2", "3"]})
    assert said.startswith(
        "t.csv: row 1 (line 2), column 'a': '1,234' may be 1.234 (--numeric '\"a=1234,5\"') or"
    )
    assert "--numeric '\"a=1,234.5\"'" in said


@pytest.mark.parametrize(
    ("other", "values"),
    [
        (COMMAS, [1.234, 12, 5.678]),
        (POINTS, [1234, 12, 5678]),
        (["$1.50", "$2.25", "$3"], [1234, 12, 5678]),
        (["1.234.567", "1", "2"], [1.234, 12, 5.678]),
    ],
)
def test_other_columns_tell_the_decimal_mark(other, values):
    for columns in ({"a": THOUSANDS, "b": other}, {"b": other, "a": THOUSANDS}):
        made = table(columns, ())
        np.testing.assert_array_equal(of_column(made, "a"), values)
        assert f"'a': '1,234' is read as {values[0]}." in made.notes
    assert table(columns, (), numeric=["a"]).X[0, 1] == values[0]


def test_a_notation_that_is_said_decides():
    assert table({"a": THOUSANDS}, (), numeric=["a=1,234.5"]).X[:, 0].tolist() == [1234, 12, 5678]
    assert table({"a": THOUSANDS}, (), numeric=["a=1234,5"]).X[:, 0].tolist() == [1.234, 12, 5.678]


def test_points_between_thousands_beside_decimal_commas():
    made = table(
        {"a": COMMAS, "b": ["1.234", "999", "2.000"], "c": ["1.000", "2.000", "3"], "d": ["1", "2", "3"]}, ()
    )
    assert made.X.T.tolist() == [[1.5, 2.25, 3], [1234, 999, 2000], [1000, 2000, 3], [1, 2, 3]]
    assert [column.notation for column in made.columns] == ["1234,5", "1.234,5", "1.234,5", ""]


def test_decimal_commas_and_points_in_one_file_are_refused():
    said = refused({"a": COMMAS, "b": POINTS}, ())
    assert said.startswith(
        "t.csv: row 1 (line 2), column 'b': '1.5' has a point before decimals, but the column 'a' has commas."
    )
    assert "--numeric b," in said
    assert table({"a": COMMAS, "b": POINTS}, (), numeric=["b"]).X[:, 1].tolist() == [1.5, 2.25, 3]
    assert table({"a": COMMAS, "b": POINTS}, (), numeric=["a"]).X[:, 0].tolist() == [1.5, 2.25, 3]
    said = refused({"a": COMMAS, "b": ["1,234.5", "7", "8"]}, ())
    assert said.startswith("t.csv: the column 'b' has points before decimals, but 'a' has commas.")
    assert "--numeric '\"b=1,234.5\"'," in said


def test_decimal_commas_beside_a_column_that_is_missing_wherever_there_is_a_target():
    columns = {"a": [*COMMAS, "4"], "b": ["", "", "", "7"], "y": ["1", "2", "3", ""]}
    made = table(columns)
    np.testing.assert_array_equal(made.X, [[1.5, np.nan], [2.25, np.nan], [3, np.nan]])


def test_many_columns_may_be_named():
    names = [f"x{i}" for i in range(20_000)]
    cells = dict.fromkeys(names, Numbers(np.array([1.0, 2])))
    chosen = Choices(features=names, numeric=names)
    made = assemble(source({"z": cells["x0"], **cells}, typed=True), (), chosen, AUTO)
    assert made.X.shape == (2, 20_000)
    assert [left.name for left in made.left_out] == ["z"]


def test_numbers_of_a_typed_source_tell_nothing_about_its_texts():
    given = source({"a": COMMAS, "b": Numbers(np.array([1.5, 2, 3]))}, typed=True)
    assert assemble(given, (), NONE, AUTO).X.tolist() == [[1.5, 1.5], [2.25, 2], [3, 3]]
    given = source({"a": THOUSANDS, "b": Numbers(np.array([1.5, 2, 3]))}, typed=True)
    with pytest.raises(DataError, match="'1,234' may be"):
        assemble(given, (), NONE, AUTO)


def test_refused_columns_may_be_collected():
    bad = {
        "mistake": [str(i) for i in range(30)] + ["abc"],
        "day": ["03/04/2024", *["05/06/2024"] * 30],
        "comma": THOUSANDS * 10 + ["1,234"],
        "fine": [str(i % 7) for i in range(31)],
    }
    refusals = {}
    made = assemble(source(bad), (), NONE, AUTO, refusals)
    assert made.feature_names == ("fine",)
    assert made.X[:, 0].tolist() == [i % 7 for i in range(31)]
    assert list(refusals) == ["mistake", "day", "comma"]
    assert all(f"column '{name}'" in said for name, said in refusals.items())


def test_a_model_reads_its_columns_from_the_same_cells():
    made = table()
    again = assemble_as(source(), made.columns, ("y",), AUTO)
    assert again.columns == made.columns
    np.testing.assert_array_equal(again.X, made.X)
    np.testing.assert_array_equal(again.targets, made.targets)
    columns = tuple(reversed(made.columns))
    backwards = assemble_as(source(), columns, (), AUTO)
    assert backwards.columns == columns
    np.testing.assert_array_equal(backwards.X, made.X[:, ::-1])
    assert backwards.targets is None


def read_as(column, cells, typed=False):
    made = assemble_as(source({"c": cells}, typed=typed), [column], (), AUTO)
    return made.columns[0], made.X[:, 0].tolist()


def test_missing_cells_fit_a_category():
    column, values = read_as(Column("c", "category", ("a",)), ["", "NA"])
    assert column.levels == ("a",)
    assert np.isnan(values).all()


def test_unknown_texts_get_codes_behind_the_levels():
    column, values = read_as(Column("c", "category", ("a", "b")), ["b", "z", "a", "", "q", "z"])
    assert column.levels == ("a", "b", "z", "q")
    np.testing.assert_array_equal(values, [1, 2, 0, np.nan, 3, 2])


def test_numbers_are_texts_to_a_category():
    assert read_as(Column("c", "category", ("1", "02")), ["02", "1", "1"])[1] == [1, 0, 0]


@pytest.mark.parametrize(
    ("column", "cells", "values"),
    [
        (Column("c"), ["1", "007", "x"][:2], [1, 7]),
        (Column("c", notation="1.234,5"), ["1.234", "1,5"], [1234, 1.5]),
        (Column("c", notation="1.234,5"), Numbers(np.array([1.234, 1.5])), [1.234, 1.5]),
        (Column("c"), Booleans(np.array([0.0, 1])), [0, 1]),
        (Column("c", "boolean", ("no", "yes")), ["YES", "no"], [1, 0]),
        (Column("c", "boolean", ("no", "yes")), Booleans(np.array([0.0, 1])), [0, 1]),
        (Column("c", "boolean", ("false", "true")), Numbers(np.array([0.0, 1])), [0, 1]),
        (Column("c", "date", notation="%d/%m/%Y"), ["03/04/2024"], [19816]),
        (Column("c", "date", notation="%d/%m/%Y"), Dates(np.array([19816.5])), [19816.5]),
        (Column("c", "date"), ["2024-04-03", "2024-04-04"], [19816, 19817]),
        (Column("c", "date", notation="%Y%m%d"), ["20240403", "20240404"], [19816, 19817]),
    ],
)
def test_cells_of_a_known_column(column, cells, values):
    assert read_as(column, cells, typed=not isinstance(cells, list))[1] == values


@pytest.mark.parametrize("column", [Column("c"), Column("c", "date"), Column("c", "boolean", ("no", "yes"))])
@pytest.mark.parametrize(
    "cells",
    [["", "NA"], Numbers(np.full(2, np.nan)), Dates(np.full(2, np.nan)), Booleans(np.full(2, np.nan))],
)
def test_missing_cells_fit_every_column(column, cells):
    read, values = read_as(column, cells, typed=True)
    assert read == column
    assert np.isnan(values).all()


@pytest.mark.parametrize(
    ("column", "cells", "said"),
    [
        (
            Column("c"),
            ["1", "2", "x", "x"],
            "row 3 (line 4), column 'c': expected a number, as in training, got 'x' (2 such rows)",
        ),
        (Column("c"), ["a", "b"], "row 1 (line 2), column 'c': expected a number, as in training, got 'a'"),
        (
            Column("c"),
            ["1,5", "2,5"],
            "row 1 (line 2), column 'c': expected a number, as in training, got '1,5'",
        ),
        (
            Column("c"),
            ["1", "2", "inf"],
            "row 3 (line 4), column 'c': expected a number, as in training, got 'inf'",
        ),
        (
            Column("c"),
            Numbers(np.array([1, -np.inf])),
            "row 2 (line 3), column 'c': expected a number, as in training, got '-inf'",
        ),
        (
            Column("c"),
            Dates(np.array([np.nan, 1])),
            "row 2 (line 3), column 'c': expected a number, got a date",
        ),
        (
            Column("c", notation="1234,5"),
            ["1.5", "2"],
            "expected a number such as 1234,5, as in training, got '1.5'",
        ),
        (
            Column("c", "boolean", ("no", "yes")),
            ["no", "maybe"],
            "expected no or yes, as in training, got 'maybe'",
        ),
        (
            Column("c", "boolean", ("no", "yes")),
            ["0", "2"],
            "row 2 (line 3), column 'c': expected no or yes, as in training, got '2'",
        ),
        (Column("c", "boolean", ("no", "yes")), Dates(np.array([1.0])), "expected a boolean, got a date"),
        (
            Column("c", "date", notation="%d/%m/%Y"),
            ["13/13/2024"],
            "expected a date in the format %d/%m/%Y, as in training, got '13/13/2024'",
        ),
        (Column("c", "date"), ["1", "2"], "row 1 (line 2), column 'c': expected a date, got a number"),
        (
            Column("c", "date"),
            ["2024-01-01", "later"],
            "row 2 (line 3), column 'c': expected a date, as in training, got 'later'",
        ),
        (Column("c", "date"), Booleans(np.array([1.0])), "expected a date, got a boolean"),
    ],
)
def test_cells_that_are_not_of_a_known_column(column, cells, said):
    with pytest.raises(DataError) as caught:
        read_as(column, cells, typed=not isinstance(cells, list))
    assert said in str(caught.value)


def test_a_model_names_columns_that_are_not_there():
    with pytest.raises(DataError, match=r"t\.csv lacks the feature agee"):
        assemble_as(source(), [Column("agee")], (), AUTO)
    with pytest.raises(DataError, match=r"t\.csv lacks the target yy"):
        assemble_as(source(), [Column("age")], ("yy",), AUTO)
    with pytest.raises(DataError, match="holds no rows"):
        assemble_as(source({"age": []}), [Column("age")], (), AUTO)


def test_a_model_leaves_out_rows_without_a_target():
    made = assemble_as(source({"a": ["1", "2", "3"], "y": ["5", "", "6"]}), [Column("a")], ("y",), AUTO)
    assert made.X.tolist() == [[1], [3]]
    assert made.rows.tolist() == [0, 2]
    assert made.without_target == 1


POOL = [
    *(
        "1",
        "2",
        "3.5",
        "-4",
        "1e3",
        "007",
        "0",
        "12345678901234567890",
        "inf",
        "1e999",
        "nan",
        "1_000",
        "0x1F",
    ),
    *(
        "1,5",
        "1,234",
        "1.234",
        "1.234,5",
        "1,234.5",
        "1 234",
        "1'234",
        "14%",
        "5%",
        "$5",
        "$1,234",
        "(5)",
        "5-",
    ),
    *(
        "",
        "NA",
        None,
        "-",
        "?",
        "\u200b",
        "yes",
        "No",
        "true",
        "FALSE",
        "t",
        "y",
        "a",
        "b",
        "a b c d e f g h",
    ),
    *("2024-01-01", "2024-01-02 10:00", "03/04/2024", "31/12/2024", "31/12/99", "5 May 2024", "2024-02-30"),
    *(
        "\u0663",
        "\u221212",
        "\u00bd",
        "5\u00b2",
        "10 kg",
        "x\ny",
        "\x00",
        "a" * 100,
        "\ud83d\ude00",
        "%",
        "$",
        ",",
    ),
]


def test_whatever_a_column_holds_it_is_read_equally_for_a_model_or_refused_with_a_place():
    random = np.random.default_rng(0)
    read = 0
    for _ in range(500):
        pool = [POOL[i] for i in random.integers(len(POOL), size=random.integers(1, 5))]
        rows = int(random.integers(1, 40))
        odd = [pool[i] for i in random.integers(len(pool), size=rows)]
        given = source({"odd": odd, "even": (["1", "2"] * rows)[:rows]})
        refusals = {}
        made = assemble(given, (), Choices(features=["odd", "even"]), AUTO, refusals)
        assert all(said.startswith("t.csv: row ") and "column 'odd'" in said for said in refusals.values())
        again = assemble_as(given, made.columns, (), AUTO)
        assert again.columns == made.columns
        np.testing.assert_array_equal(again.X, made.X)
        assert not np.isinf(made.X).any()
        read += len(made.columns) == 2
    assert 150 < read < 480

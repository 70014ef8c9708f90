"""Decimal marks are those of a file: all its columns tell whether 1.234 is 1234, in the target too."""

import numpy as np
import pytest
from memory_source import MemorySource

from fuseprop.data.assembling import assemble, assemble_as
from fuseprop.data.choices import Choices
from fuseprop.data.errors import DataError
from fuseprop.data.target_cells import AUTO, Reading

AREAS = ["50,5", "51,5", "52,5"]
PRICES = ["950", "1.250", "980"]
THOUSANDS = [950, 1250, 980]
POINTS = ["0.5", "1.5", "2.5"]
NUMBERS = Reading("numbers")


def table(columns, target="y", reading=AUTO, **choices):
    return assemble(MemorySource(columns), (target,), Choices(**choices), reading)


def refused(columns, target="y", reading=AUTO, **choices):
    with pytest.raises(DataError) as caught:
        table(columns, target, reading, **choices)
    return str(caught.value)


@pytest.mark.parametrize("reading", [AUTO, NUMBERS], ids=str)
def test_commas_of_a_feature_tell_of_the_target(reading):
    made = table({"a": AREAS, "y": PRICES}, reading=reading)
    assert made.targets.tolist() == [[950], [1250], [980]]
    assert "'y': '1.250' is read as 1250." in made.notes


def test_rows_without_a_target_are_left_out_before_it_is_read_again():
    made = table({"a": ["", *AREAS], "y": ["NA", *PRICES]})
    assert made.targets[:, 0].tolist() == THOUSANDS


def test_one_of_several_targets_is_read_again():
    made = assemble(
        MemorySource({"a": POINTS, "y": PRICES, "z": AREAS}), ("y", "z"), Choices(numeric=["a"]), AUTO
    )
    assert made.targets.tolist() == [[950, 50.5], [1250, 51.5], [980, 52.5]]


TELLING = {
    "target": ({"y": AREAS}, {}),
    "target of classes": ({"y": ["0,5", "1,5", "0,5"]}, {"reading": Reading("text")}),
    "not among the features": ({"b": AREAS, "y": ["1", "2", "4"]}, {"features": ["a"]}),
    "dropped": ({"b": AREAS, "y": ["1", "2", "4"]}, {"drop": ["b"]}),
    "constant": ({"b": ["0,5"] * 3, "y": ["1", "2", "4"]}, {}),
    "category": ({"b": AREAS, "y": ["1", "2", "4"]}, {"categorical": ["b"]}),
    "asked to be numbers": ({"b": AREAS, "y": ["1", "2", "4"]}, {"numeric": ["b=1234,5"]}),
}


@pytest.mark.parametrize(("others", "given"), TELLING.values(), ids=TELLING)
def test_commas_of_any_column_tell_of_a_feature(others, given):
    made = table({"a": PRICES} | others, **given)
    assert made.X[:, 0].tolist() == THOUSANDS
    assert made.columns[0].notation == "1.234,5"
    assert "'a': '1.250' is read as 1250." in made.notes


def test_a_feature_with_a_comma_alone_is_settled_by_a_column_that_is_dropped():
    made = table({"a": ["1,234", "5,678"], "b": ["0,5", "1,5"], "y": ["1", "2"]}, drop=["b"])
    assert made.X[:, 0].tolist() == [1.234, 5.678]


def test_points_in_a_file_with_commas_are_refused_in_the_target_too():
    said = refused({"a": AREAS, "y": POINTS})
    assert said == (
        "t.csv: row 1 (line 2), column 'y': '0.5' has a point before decimals, but the column 'a' has commas."
        " Correct one of them, or say that it stands as it is: --target-as numbers, or "
        'target_as="numbers" in Python.'
    )
    assert table({"a": AREAS, "y": POINTS}, reading=NUMBERS).targets[:, 0].tolist() == [0.5, 1.5, 2.5]
    assert "column 'a': '0.5' has a point before decimals, but the column 'y'" in refused(
        {"a": POINTS, "y": AREAS}
    )


def test_what_columns_contradict_each_other_about_is_refused():
    columns = {"a": PRICES, "b": POINTS, "c": AREAS, "y": ["1", "2", "4"]}
    said = refused(columns, drop=["c"])
    assert said.startswith(
        "t.csv: row 2 (line 3), column 'a': the point in '1.250' may stand before decimals, as in the column "
        "'b', or between thousands, as the column 'c' has decimal commas. Say which: --numeric a=1234.5 "
    )
    assert table(columns, drop=["c"], numeric=["a=1234.5"]).X[:, 0].tolist() == [950, 1.25, 980]
    assert table(columns, drop=["c"], numeric=["a=1.234,5"]).X[:, 0].tolist() == THOUSANDS
    columns["y"], columns["a"] = PRICES, ["1", "2", "4"]
    assert "Write it without a point between thousands" in refused(columns, drop=["c"])


def test_points_stay_where_nothing_has_commas():
    columns = {"a": PRICES, "b": ["x, y", "z", "z"], "c": ["1", "2", "3"], "y": PRICES}
    for given in ({}, {"drop": ["b"]}, {"features": ["a"]}):
        made = table(columns, **given)
        assert made.X[:, 0].tolist() == made.targets[:, 0].tolist() == [950, 1.25, 980]


def test_other_columns_are_not_read_where_no_point_is_in_doubt():
    source = MemorySource({"a": ["1.5", "1500.25"], "b": ["0,5", "1,5"], "y": ["1000", "2.5"]})
    assemble(source, ("y",), Choices(drop=["b"]), AUTO)
    assert not any("b" in names for names, _ in source.asked)


@pytest.mark.parametrize("others", [{}, {"b": AREAS}, {"b": ["0,5"] * 3}], ids=["none", "b", "constant"])
def test_a_model_reads_the_target_as_its_training_did(others):
    columns = {"a": AREAS if not others else PRICES, "y": PRICES} | others
    trained = table(columns)
    made = assemble_as(MemorySource(columns), trained.columns, ("y",), NUMBERS)
    np.testing.assert_array_equal(made.targets, trained.targets)
    assert made.targets[:, 0].tolist() == THOUSANDS
    np.testing.assert_array_equal(made.X, trained.X)


def test_a_model_asks_the_columns_that_it_does_not_know():
    columns = {"a": ["1", "2", "4"], "b": ["0,5"] * 3, "y": PRICES}
    trained = table(columns)
    assert trained.targets[:, 0].tolist() == THOUSANDS
    made = assemble_as(MemorySource(columns), trained.columns, ("y",), NUMBERS)
    assert made.targets[:, 0].tolist() == THOUSANDS
    columns["b"] = ["0.5"] * 3
    made = assemble_as(MemorySource(columns), trained.columns, ("y",), NUMBERS)
    assert made.targets[:, 0].tolist() == [950, 1.25, 980]

"""Texts of a target: numbers, classes, and what is refused rather than guessed, in files and in arrays."""

import numpy as np
import pandas as pd
import pytest

import fuseprop
from fuseprop import Table
from fuseprop.data import DataError, load_table
from fuseprop.data.tasks import make_task

X = np.random.default_rng(0).normal(size=(60, 2))


def csv_of(path, cells, delimiter=","):
    rows = [f"{a}{delimiter}{b}{delimiter}{cell}\n" for (a, b), cell in zip(X.tolist(), cells, strict=False)]
    (path / "t.csv").write_text(delimiter.join(["a", "b", "y"]) + "\n" + "".join(rows))
    return path / "t.csv"


def refused(door, path, cells, **given):
    """Return what is said of a target of these texts, in a file or as an array."""
    read = {
        "file": lambda: load_table(csv_of(path, [f'"{cell}"' for cell in cells]), "y", **given),
        "array": lambda: Table.of(X, np.array(cells), **given),
        "frame": lambda: Table.of(pd.DataFrame({"a": X[: len(cells), 0], "y": cells}), "y", **given),
    }[door]
    with pytest.raises(DataError) as caught:
        read()
    return str(caught.value)


DOORS = ("file", "array", "frame")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("100,50", ["decimal comma", "decimals with a point"]),
        (
            "1,200",
            ["between thousands or before decimals", "Leave out the comma where it stands between thousands"],
        ),
        ("1,200.5", ["commas between thousands"]),
        ("1,200,000", ["commas between thousands"]),
        ("$14.00", ["amount of money"]),
        ("14 \u20ac", ["amount of money"]),
        ("14%", ["percentage"]),
        ("1 200", ["spaces between thousands"]),
        ("1\u00a0200", ["spaces between thousands"]),
        ("1'200", ["apostrophes between thousands"]),
        ("(12)", ["in parentheses", "minus"]),
        ("1.234,56", ["points between thousands and a decimal comma"]),
        ("1.234.567", ["points between thousands"]),
        ("\u221212", ["other signs"]),
        ("\u0663", ["other signs"]),
        ("- 12", ["space behind its sign"]),
        ("1,10,000", ["commas between lakhs and thousands"]),
        ("10\u200b", ["other signs"]),
    ],
)
def test_numbers_in_another_spelling_are_refused_with_the_cell(tmp_path, door, cell, words):
    message = refused(door, tmp_path, ["1", "2", cell] * 20)
    for word in ["row 3", "'y'", repr(cell), "looks like", "--target-as text", 'target_as="text"', *words]:
        assert word in message
    assert "1.2" not in message.replace("1.234", "")  # no advice that makes another number of it
    table = Table.of(X, ["1", "2", cell] * 20, target_as="text")
    assert make_task(table).classes == tuple(sorted(["1", "2", cell]))
    assert Table.of(X, ["a", "b", cell] * 20, keep_as_class=[cell]).targets[2, 0] == cell


MISSING = (
    r"NA ? nan N/A null - None n/a NULL #N/A <NA> \N (null) n.a #NULL! #DIV/0! 1.#IND -1.#IND 1.#QNAN nil"
)
MARKS = ["\u2013", "\u2014", "?\u200b", "\u200eNA"]


@pytest.mark.parametrize("text", [*MISSING.split(), *MARKS])
def test_missing_is_no_class(tmp_path, text):
    cells = ["no", "yes"] * 30
    cells[7] = cells[9] = text
    message = refused("array", tmp_path, cells)
    for word in ["row 8", "'y'", repr(text), "missing (2 such rows)", f"keep_as_class=({text!r},)"]:
        assert word in message
    assert (
        "--keep-as-class" in message
    ) == text.isprintable()  # what no shell can take is not told to be typed
    path, frame = csv_of(tmp_path, cells), pd.DataFrame({"a": X[:, 0], "y": cells})
    for without in (load_table(path, "y"), Table.of(frame, "y")):
        assert (without.without_target, [*np.delete(np.arange(60), [7, 9])]) == (2, [*without.rows])
        assert repr(text) in without.notes[0]
    for kept in (load_table(path, "y", keep_as_class=(text,)), Table.of(frame, "y", keep_as_class=(text,))):
        assert make_task(kept).classes == tuple(sorted(["no", "yes", text]))


@pytest.mark.parametrize("cell", ["", " "])
def test_an_empty_target_is_missing(tmp_path, cell):
    cells = ["0", "1", cell] * 20
    table = load_table(csv_of(tmp_path, cells), "y")
    assert (len(table), table.without_target, table.notes) == (40, 20, ())
    assert "row 3, target 'y': the cell is empty" in refused("array", tmp_path, cells)


@pytest.mark.parametrize("value", [None, np.nan, pd.NA, pd.NaT])
@pytest.mark.parametrize("others", [("no", "yes"), (0, 1), (0.5, 1.5), (False, True)])
def test_objects_that_stand_for_no_value(value, others):
    cells = pd.Series([*others] * 30, dtype=object)
    cells[7] = value
    with pytest.raises(DataError, match=r"row 8, target 'y': '.*' says that the value is missing"):
        Table.of(X, cells.rename("y"))
    table = Table.of(pd.DataFrame({"a": X[:, 0], "y": cells}), "y")
    assert (table.without_target, len(table), 7 in table.rows) == (1, 59, False)


def test_numbers_with_nan(tmp_path):
    targets = np.arange(60.0)
    targets[4] = np.nan
    with pytest.raises(DataError, match=r"row 5, target 'y': 'nan' says that the value is missing"):
        Table.of(X, targets)
    np.savez(tmp_path / "t.npz", X=X, y=targets)
    with pytest.raises(DataError, match=r"t\.npz: row 5, target 'y': 'nan'"):
        load_table(tmp_path / "t.npz")
    targets[4] = np.inf
    with pytest.raises(DataError, match=r"row 5, target 'y': expected a finite number, got 'inf'"):
        Table.of(X, targets)


CODES = ["01234", "007", "07", "7"]
LONG = [2**53, 2**53 + 1]


def test_leading_zeros_make_classes_as_they_are_written(tmp_path):
    path = csv_of(tmp_path, CODES * 15)
    model, _ = fuseprop.train(path, "y", epochs=2, device="cpu")
    assert model.task.classes == tuple(sorted(CODES))
    model.save(tmp_path / "m.safetensors")
    again = fuseprop.load(tmp_path / "m.safetensors", device="cpu")
    assert again.task.classes == tuple(sorted(CODES))
    assert set(again.predict(X).values) <= set(CODES)
    numbers = load_table(path, "y", target_as="numbers")
    assert make_task(numbers).classes == (7, 1234)
    assert make_task(load_table(csv_of(tmp_path, ["0", "10", "0.5"] * 20), "y")).classes == ()
    assert make_task(load_table(csv_of(tmp_path, ["0", "10", "-3"] * 20), "y")).classes == (-3, 0, 10)


@pytest.mark.parametrize("door", ["file", "npz", "array", "objects", "frame"])
def test_whole_numbers_that_float64_changes_are_text(tmp_path, door):
    values = np.array(LONG * 30)
    np.savez(tmp_path / "t.npz", X=X, y=values)
    table = {
        "file": lambda: load_table(csv_of(tmp_path, values), "y"),
        "npz": lambda: load_table(tmp_path / "t.npz"),
        "array": lambda: Table.of(X, values),
        "objects": lambda: Table.of(X, values.astype(object)),
        "frame": lambda: Table.of(pd.DataFrame({"a": X[:, 0], "y": values}), "y"),
    }[door]()
    assert make_task(table).classes == ("9007199254740992", "9007199254740993")
    assert make_task(Table.of(X, [10**400, 1] * 30)).classes == ("1", str(10**400))
    assert Table.of(X, values, target_as="numbers").targets.dtype == np.float64
    assert Table.of(X, values - 2).targets.dtype == np.float64
    assert Table.of(X, np.array([2**60, 2**61] * 30)).targets.dtype == np.float64


def test_many_codes_may_be_numbers_and_one_has_to_say(tmp_path):
    path = csv_of(tmp_path, [f"{i:04d}" for i in range(60)])
    with pytest.raises(
        DataError, match=r"row 1 \(line 2\).*'0000' is either a code or a number.*--target-as"
    ):
        load_table(path, "y")
    assert make_task(load_table(path, "y", target_as="numbers")).name == "regression"
    assert len(make_task(load_table(path, "y", target_as="text")).classes) == 60
    with pytest.raises(DataError, match=r"row 1, target 'y': '9007199254740993' is either a code"):
        Table.of(X, 2**53 + 1 + 2 * np.arange(60))


def test_numbers_that_came_as_text():
    assert make_task(Table.of(X, ["10", "9", "1"] * 20)).classes == ("1", "10", "9")
    assert make_task(Table.of(X, ["10", "9", "1"] * 20, target_as="numbers")).classes == (1, 9, 10)
    texts = [str(number) for number in X[:, 0]]
    with pytest.raises(DataError, match=r"60 different numbers, written as text.*target_as"):
        Table.of(X, texts)
    assert make_task(Table.of(X, texts, target_as="numbers")).name == "regression"
    assert make_task(Table.of(X, [3, 1, 2] * 20, target_as="text")).classes == ("1", "2", "3")


def test_numbers_alone_where_they_are_asked_for(tmp_path):
    with pytest.raises(DataError, match=r"row 2 \(line 3\).*expected a number, got 'x'"):
        load_table(csv_of(tmp_path, ["1", "x"] * 30), "y", target_as="numbers")
    with pytest.raises(ValueError, match=r'target_as "number" is not known.*Did you mean "numbers"'):
        Table.of(X, [0, 1] * 30, target_as="number")
    with pytest.raises(ValueError, match="keep_as_class makes classes"):
        Table.of(X, [0, 1] * 30, target_as="numbers", keep_as_class="NA")
    with pytest.raises(ValueError, match=r"keep_as_class must be texts such as"):
        Table.of(X, [0, 1] * 30, keep_as_class=[None])
    with pytest.raises(DataError, match="no texts to be read in another way"):
        load_table("xor", target_as="text")


def test_a_model_reads_targets_as_its_own(tmp_path):
    model, _ = fuseprop.train(csv_of(tmp_path, CODES * 15), "y", epochs=2, device="cpu")
    same = model.evaluate(load_table(tmp_path / "t.csv", "y"))
    assert model.evaluate(X, CODES * 15) == same
    assert model.evaluate({"a": X[:, 0], "b": X[:, 1], "y": CODES * 15}) == same
    with pytest.raises(DataError, match=r"row 1 has the class '7\.0'"):
        model.evaluate(X, ["7.0"] * 60)
    kept, _ = fuseprop.train(
        csv_of(tmp_path, ["0", "1", "NA"] * 20), "y", keep_as_class="NA", epochs=2, device="cpu"
    )
    assert kept.task.classes == ("0", "1", "NA")
    assert 0 <= kept.evaluate(X, ["0", "1", "NA"] * 20)["accuracy"] <= 1
    with pytest.raises(DataError, match="'null' says that the value is missing"):
        kept.evaluate(X, ["0", "1", "null"] * 20)


@pytest.mark.parametrize("end", ["\n\n", "   \n", "\u00a0\n"])
def test_blank_lines_at_the_end_are_no_rows(tmp_path, end):
    path = csv_of(tmp_path, ["no", "yes"] * 30)
    path.write_text(path.read_text() + end)
    assert len(load_table(path, "y")) == 60
    assert len(load_table(path, (), ["a", "b"])) == 60


@pytest.mark.parametrize("end", [",,\n", " , , \n,,\n", ",,", '"",,\n', "\u00a0,\u00a0,\n"])
def test_rows_of_empty_cells_at_the_end_are_rows_without_a_target(tmp_path, end):
    path = csv_of(tmp_path, ["no", "yes"] * 30)
    path.write_text(path.read_text() + end)
    table = load_table(path, "y")
    rows = end.rstrip("\n").count("\n") + 1
    assert (len(table), table.without_target) == (60, rows)
    assert len(load_table(path, (), ["a", "b"])) == 60 + rows


@pytest.mark.parametrize("blank", [",,\n", " , , \n", "\u00a0,\u00a0,\n"])
def test_a_row_of_empty_cells_has_no_target(tmp_path, blank):
    path = csv_of(tmp_path, ["no", "yes"] * 30)
    path.write_text(path.read_text() + blank + "1,2,no\n")
    table = load_table(path, "y")
    assert (len(table), table.without_target, table.row_number(60)) == (61, 1, 62)
    assert np.isnan(load_table(path, (), ["a", "b"]).X[60]).all()


def test_a_blank_line_among_others_is_named(tmp_path):
    path = csv_of(tmp_path, ["no", "yes"] * 30)
    path.write_text(path.read_text() + "   \n1,2,no\n")
    for arguments in (["y"], [(), ["a", "b"]]):
        with pytest.raises(DataError, match=r"row 61 \(line 62\) is blank; expected 3 cells"):
            load_table(path, *arguments)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("1,028", ["may be 1.028", "or 1028"]),
        ("x" * 200, ["'" + "x" * 60 + "...'"]),
        ("\x1b[31m", [r"'\x1b[31m'"]),
    ],
)
def test_features_that_may_be_numbers(tmp_path, cell, words):
    rows = [f"{i},{i}\n" for i in range(30)] if cell != "1,028" else ["2,3\n"]
    (tmp_path / "t.csv").write_text(f'a,y\n"{cell}",1\n' + "".join(rows))
    with pytest.raises(DataError) as caught:
        load_table(tmp_path / "t.csv", "y")
    for word in ["row 1 (line 2), column 'a'", *words]:
        assert word in str(caught.value)
    assert str(caught.value).isprintable()


UNITS = {
    "a unit": "{} kg",
    "decimals": "{}.5 kg",
    "a degree": "{} \u00b0C",
    "a currency before": "SEK {}",
    "a currency behind": "{} z\u0142",
    "a minus behind": "{}-",
    "thousands": "{}k",
    "a time": "12:{}",
    "an apostrophe": "'{}",
    "an underscore": "1_0{}",
    "hexadecimal": "0x1F{}",
    "a date": "2020-01-{}",
    "a date in words": "{} Jan 2020",
    "a moment": "2020-01-{}T12:00:00Z",
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("around", UNITS.values(), ids=UNITS)
def test_many_numbers_with_the_same_around_them_are_no_classes(tmp_path, door, around):
    cells = [around.format(10 + i % 30) for i in range(60)]
    message = refused(door, tmp_path, cells)
    for word in ["row 1", "'y'", repr(cells[0]), "a number, a date or a time", "--target-as text"]:
        assert word in message
    assert len(make_task(Table.of(X, cells, target_as="text")).classes) == 30
    assert len(make_task(Table.of(X, [around.format(10 + i % 5) for i in range(60)])).classes) == 5
    if around not in ("'{}", "0x1F{}"):
        assert "'5'" not in refused(door, tmp_path, ["5", *cells[1:]])


@pytest.mark.parametrize(
    "cells",
    [
        ["5% fat", "1% fat", "whole"],
        ["1st", "2nd", "3rd"],
        ["A+", "A", "B-"],
        ["<=50K", ">50K"],
        ["0-9", "10-19", "20+"],
        ["1.2.3", "1.2.4"],
        ["II", "IV"],
        ["1-", "1", "2+"],
        [f"class {i}" for i in range(30)],
        [f"s{i:02d}" for i in range(30)],
        [f"user_{i}" for i in range(30)],
        [f"{i}{'kl'[i % 2]}g" for i in range(30)],
        [*(f"{i} kg" for i in range(30)), "none of them"],
    ],
    ids=lambda cells: cells[0],
)
def test_names_with_numbers_in_them_are_classes(cells):
    targets = np.resize(cells, 5 * len(cells))
    task = make_task(Table.of(np.zeros((len(targets), 1)), targets))
    assert task.classes == tuple(sorted(cells))


def test_advice_is_given_where_it_can_be_followed(tmp_path):
    """A model reads its own targets: who evaluates it has nothing to choose."""
    few, many = ["0", "1", "?"] * 20, [*map(str, range(57)), "?", "x", "5"]
    classes, _ = fuseprop.train(Table.of(X, [0, 1] * 30), epochs=1, device="cpu")
    words, _ = fuseprop.train(Table.of(X, ["a", "b"] * 30), epochs=1, device="cpu")
    values, _ = fuseprop.train(Table.of(X, X[:, 0]), epochs=1, device="cpu")
    for model, cells in ((classes, few), (words, few), (values, few), (values, many)):
        with pytest.raises(DataError, match=r"'[?]' says that the value is missing") as caught:
            model.evaluate(X, cells)
        assert "keep" not in str(caught.value)
    with pytest.raises(DataError, match=r"expected a number, got 'x'\.$"):
        values.evaluate(X, [*map(str, range(59)), "x"])
    with pytest.raises(ValueError, match=r"keep_as_class must be texts such as .* got 3"):
        Table.of(X, few, keep_as_class=3)
    with pytest.raises(
        DataError, match=r'got text such as .01.* --target-as numbers, or target_as="numbers"'
    ):
        make_task(Table.of(X, ["01", "02", "12"] * 20), "regression")
    with pytest.raises(DataError, match=r"got text such as 'x'\.$"):
        make_task(Table.of(X, ["01", "02", "x"] * 20), "regression")

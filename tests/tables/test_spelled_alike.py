"""A category of numbers, dates or booleans is spelled alike by all doors: files, typed files and frames."""

import datetime

import numpy as np
import polars as pl
import pytest

import fuseprop
from fuseprop.data.assembling import assemble, assemble_as
from fuseprop.data.choices import Choices
from fuseprop.data.column import Column
from fuseprop.data.errors import DataError
from fuseprop.data.files import open_source
from fuseprop.data.frames import FrameSource, frame_of
from fuseprop.data.target_cells import AUTO, Reading


def parquet(frame, folder):
    frame.write_parquet(folder / "t.parquet")
    return open_source(folder / "t.parquet")


def json_lines(frame, folder):
    frame.write_ndjson(folder / "t.jsonl")
    return open_source(folder / "t.jsonl")


def csv(frame, folder):
    frame.write_csv(folder / "t.csv")
    return open_source(folder / "t.csv")


DOORS = {
    "parquet": parquet,
    "json lines": json_lines,
    "polars": lambda frame, _: FrameSource(frame_of(frame)),
    "pandas": lambda frame, _: FrameSource(frame_of(frame.to_pandas())),
    "dict": lambda frame, _: FrameSource(frame_of(frame.to_dict(as_series=False))),
}
TYPED = pytest.mark.parametrize("door", DOORS)
TEACHERS = pytest.mark.parametrize("teacher", [*DOORS.values(), csv], ids=[*DOORS, "csv"])

WHOLE = pl.DataFrame({"g": [1.0, None, 2.0, 3.0, 2.0], "y": [1.5, 2, 3, 4, 5]})
FRACTIONS = pl.DataFrame({"g": [0.5, 1e17, 1e-7, -3.0, 2.0], "y": [1.5, 2, 3, 4, 5]})
CATEGORY = Choices(categorical=("g",))


def categories(source):
    made = assemble(source, ("y",), CATEGORY, AUTO)
    return made.columns[0].levels, made.X[:, 0]


def read(source, levels, targets=(), reading=AUTO):
    return assemble_as(source, [Column("g", "category", levels)], targets, reading)


@TYPED
@pytest.mark.parametrize(
    ("frame", "expected"),
    [(WHOLE, ("1", "2", "3")), (FRACTIONS, ("-3", "0.5", "1e+17", "1e-07", "2"))],
    ids=["whole", "fractions"],
)
def test_floats(tmp_path, door, frame, expected):
    levels, _ = categories(DOORS[door](frame, tmp_path))
    assert levels == expected


@TEACHERS
@TYPED
def test_what_one_door_learned_all_others_read(tmp_path, teacher, door):
    levels, codes = categories(teacher(WHOLE, tmp_path))
    made = read(DOORS[door](WHOLE, tmp_path), levels)
    assert made.columns[0].levels == levels
    np.testing.assert_array_equal(made.X[:, 0], codes)


@TYPED
@pytest.mark.parametrize("levels", [("1", "2", "3"), ("1.0", "2.0", "3.0")], ids=str)
def test_levels_of_a_text_file(tmp_path, door, levels):
    made = read(DOORS[door](WHOLE, tmp_path), levels)
    assert made.columns[0].levels == levels
    np.testing.assert_array_equal(made.X[:, 0], [0, np.nan, 1, 2, 1])


@TYPED
def test_lost_zeros_are_refused(tmp_path, door):
    source = DOORS[door](pl.DataFrame({"g": [1234, 5]}), tmp_path)
    with pytest.raises(DataError, match=r"column 'g' holds 1234, a number, .* such as '01234'\. .* as text"):
        read(source, ("01234", "5"))


@TYPED
@pytest.mark.parametrize("levels", [("no", "TRUE", "false"), ("True", "False")], ids=str)
def test_booleans(tmp_path, door, levels):
    made = read(DOORS[door](pl.DataFrame({"g": [True, False, None]}), tmp_path), levels)
    assert made.columns[0].levels == levels
    yes, no = (
        next(i for i, level in enumerate(levels) if level.lower() == text) for text in ("true", "false")
    )
    np.testing.assert_array_equal(made.X[:, 0], [yes, no, np.nan])


MOMENTS = pl.DataFrame(
    {
        "g": [datetime.datetime(2024, 2, 1), datetime.datetime(2024, 2, 2, 9, 30), None],
        "y": [1.5, 2, 3],
    }
)
DATED = pytest.mark.parametrize("door", [name for name in DOORS if name != "json lines"])


@DATED
def test_dates_are_spelled_without_midnight(tmp_path, door):
    source = DOORS[door](MOMENTS, tmp_path)
    assert source.cells(["g"], as_text=["g"])["g"].texts[:2] == ("2024-02-01", "2024-02-02 09:30")


@DATED
@pytest.mark.parametrize(
    "levels",
    [("2024-02-01", "2024-02-02 09:30"), ("2024-02-01 00:00:00", "2024-02-02T09:30:00")],
    ids=str,
)
def test_dates_as_levels(tmp_path, door, levels):
    made = read(DOORS[door](MOMENTS, tmp_path), levels)
    assert made.columns[0].levels == levels
    np.testing.assert_array_equal(made.X[:, 0], [0, 1, np.nan])


def test_decimal_numbers_of_parquet(tmp_path):
    frame = pl.DataFrame({"g": ["1.50", "2.00", None]}).cast(pl.Decimal(10, 2))
    assert parquet(frame, tmp_path).cells(["g"], as_text=["g"])["g"].texts == ["1.5", "2"]
    frame = pl.DataFrame({"g": ["9007199254740993.00", "2.00"]}).cast(pl.Decimal(20, 2))
    assert parquet(frame, tmp_path).cells(["g"], as_text=["g"])["g"].texts == ["9007199254740993.00", "2"]


CLASSES = {
    "TRUE": (("FALSE", "TRUE"), [True, False, True], ["TRUE", "FALSE", "TRUE"]),
    "01": (("01", "02"), [1, 2, 1], ["01", "02", "01"]),
    "1 and missing": (("1", "2"), [1.0, 2.0, None], ["1", "2"]),
    "1.50": (("1.50", "2"), [1.5, 2.0, 1.5], ["1.50", "2", "1.50"]),
}


@TYPED
@pytest.mark.parametrize(("classes", "cells", "expected"), CLASSES.values(), ids=CLASSES)
def test_targets_are_spelled_as_their_classes(tmp_path, door, classes, cells, expected):
    source = DOORS[door](pl.DataFrame({"g": ["a", "b", "a"], "y": cells}), tmp_path)
    made = read(source, ("a", "b"), ("y",), Reading("text", classes))
    assert made.targets[:, 0].tolist() == expected


@TYPED
def test_targets_that_may_be_several_classes_are_refused(tmp_path, door):
    source = DOORS[door](pl.DataFrame({"g": ["a", "b"], "y": [1, 2]}), tmp_path)
    with pytest.raises(DataError, match=r"column 'y' holds 1, a number, .* such as '01'"):
        read(source, ("a", "b"), ("y",), Reading("text", ("01", "1", "2")))


@pytest.fixture(params=["TRUE", "01", "1.50"])
def taught(request, tmp_path):
    """A model of a text file with these classes, and the table as a typed one."""
    classes, cells, expected = CLASSES[request.param]
    frame = pl.DataFrame({"x": np.arange(30.0) ** 2, "y": expected * 10})
    frame.write_csv(tmp_path / "taught.csv")
    model, _ = fuseprop.train(
        tmp_path / "taught.csv", "y", target_as="text", hidden=(), epochs=1, device="cpu"
    )
    assert model.task.classes == classes
    return model, frame.with_columns(y=pl.Series(cells * 10)), model.evaluate(tmp_path / "taught.csv")


def test_a_model_evaluates_the_table_that_it_learned_from_in_any_form(tmp_path, taught):
    model, frame, expected = taught
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_ndjson(tmp_path / "t.jsonl")
    for form in (frame, frame.to_pandas(), tmp_path / "t.parquet", tmp_path / "t.jsonl"):
        assert model.evaluate(form) == expected
    targets = frame["y"]
    for given in (targets, targets.to_pandas(), targets.to_list(), targets.to_numpy().astype(object)):
        assert model.evaluate(frame.select("x"), given) == expected


def test_numbers_beside_features_that_are_no_class_are_refused(taught):
    model, frame, _ = taught
    with pytest.raises(DataError, match="has the class '7', which is not among the known ones"):
        model.evaluate(frame.select("x"), [7] * 30)


ISO_TEXTS = {
    "days": ["2024-02-01", "2024-02-03", "", "NA"],
    "times": ["2024-02-01 00:00:00", "2024-02-03 00:00:00"],
    "nothing": ["", "NA"],
}


@pytest.mark.parametrize("texts", ISO_TEXTS.values(), ids=ISO_TEXTS)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("turned", [False, True])
def test_dates_of_a_parquet_file_beside_those_of_texts(tmp_path, texts, form, turned):
    MOMENTS.write_parquet(tmp_path / "t.parquet")
    frame = pl.DataFrame({"g": texts, "y": [float(i) for i in range(len(texts))]})
    frame.write_csv(tmp_path / "t.csv")
    frame.write_ndjson(tmp_path / "t.jsonl")
    paths = [tmp_path / f"t.{form}", tmp_path / "t.parquet"]
    made = assemble(open_source(paths[::-1] if turned else paths), ("y",), Choices(), AUTO)
    assert [column.kind for column in made.columns] == ["date"]
    first = np.datetime64("2024-02-01").astype(int)
    of_texts = [{"1": first, "3": first + 2}.get(text[9:10], np.nan) for text in texts]
    of_parquet = [first, first + 1 + 9.5 / 24, np.nan]
    expected = [of_parquet, of_texts] if turned else [of_texts, of_parquet]
    np.testing.assert_array_equal(made.X[:, 0], np.concatenate(expected))


def test_texts_beside_dates_that_are_none_are_named(tmp_path):
    MOMENTS.write_parquet(tmp_path / "t.parquet")
    days = ["2024-02-01", "2024-02-02"] * 20
    pl.DataFrame({"g": [*days, "soon"], "y": range(41)}).write_csv(tmp_path / "t.csv")
    with pytest.raises(
        DataError, match=r"t.csv: row 41 \(line 42\), column 'g': expected a date .* got 'soon'"
    ):
        assemble(open_source([tmp_path / "t.csv", tmp_path / "t.parquet"]), ("y",), Choices(), AUTO)

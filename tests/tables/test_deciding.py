"""The rules by which a column is a number, a boolean, a category or a date, or left out; with near misses."""

import numpy as np
import pytest
from memory_source import numbers, texts

from fuseprop.data.cells import Booleans, Dates, Numbers
from fuseprop.data.deciding import Asked, Found, Out, Undecided, decide
from fuseprop.data.errors import DataError
from fuseprop.data.mistakes import refuse_among_numbers

KEPT = Asked(kept=True)
NAMES = [f"name {i}" for i in range(30)]
WORDS = ["red", "green", "blue"] * 10
SENTENCES = [f"this is the long review number {i}" for i in range(30)]


def place(row):
    return f"row {row + 1}, column 'c'"


def of_texts(cells, name="c", asked=None):
    return decide(name, texts(cells), place, asked or Asked())


def of_numbers(cells, name="c", asked=None):
    return decide(name, numbers(cells), place, asked or Asked())


def kind_of(found):
    return found.column.kind if isinstance(found, Found) else type(found).__name__


def refused(cells, asked=None, of=of_texts):
    with pytest.raises(DataError) as caught:
        of(cells, asked=asked)
    return str(caught.value)


@pytest.mark.parametrize("of", [of_texts, of_numbers])
@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (["", "NA", None], "all its cells are missing"),
        (["5", "5", "5.0"], "it is the same in all rows"),
    ],
)
def test_constant_columns_are_left_out(of, cells, why):
    assert of(cells) == Out(why)


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (["x"] * 3, "it is the same in all rows"),
        (["2024-01-01"] * 3, "it is the same in all rows"),
        (["Yes", "YES", "yes"], "it is the same in all rows"),
    ],
)
def test_constant_texts_are_left_out(cells, why):
    assert of_texts(cells) == Out(why)


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["x", "", "x"], "category", [0, np.nan, 0]),
        (["5", None, "5"], "number", [5, np.nan, 5]),
        (["yes", "NA", "yes"], "boolean", [1, np.nan, 1]),
        (["2024-01-01", "", "2024-01-01"], "date", [19723, np.nan, 19723]),
    ],
)
def test_one_value_beside_missing_cells_is_a_feature(cells, kind, values):
    found = of_texts(cells)
    assert kind_of(found) == kind
    np.testing.assert_array_equal(found.values, values)


@pytest.mark.parametrize("of", [of_texts, of_numbers])
@pytest.mark.parametrize("name", ["id", "ID", "user_id", "user id", "userId", "PassengerId", "uuid"])
def test_different_whole_numbers_under_a_name_of_ids_are_left_out(of, name):
    assert of(["7", "3", "100", "12"], name) == Out("it tells rows apart (an id)")


@pytest.mark.parametrize("of", [of_texts, of_numbers])
@pytest.mark.parametrize(
    "name", ["index", "Unnamed: 0", "row", "rownames", "row_number", "Nr", "No.", "#", ""]
)
def test_numbers_that_count_rows_are_left_out(of, name):
    assert of(["3", "1", "2", "4"], name) == Out("it tells rows apart (an id)")


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("id", ["7", "3", "7"]),
        ("id", ["7", "3", ""]),
        ("id", ["7", "3", "1.5"]),
        ("paid", ["1", "2", "3"]),
        ("valid", ["1", "2", "3"]),
        ("ids", ["1", "2", "3"]),
        ("index", ["1", "2", "4"]),
        ("index", ["1", "2", "2", "4"]),
        ("index", ["1.5", "2.5", "3.5"]),
        ("price index", ["1", "2", "3"]),
        ("x", ["1", "2", "3"]),
        ("year", ["2001", "2002", "2003"]),
        ("number of rooms", ["1", "2", "3"]),
    ],
)
@pytest.mark.parametrize("of", [of_texts, of_numbers])
def test_numbers_that_are_no_ids(of, name, cells):
    found = of(cells, name)
    assert kind_of(found) == "number"
    assert found.column.name == name


@pytest.mark.parametrize("of", [of_texts, of_numbers])
def test_plain_numbers(of):
    found = of(["1", "-2.5", "1e3", "NA", "+.5"])
    assert (found.column.kind, found.column.notation, found.note) == ("number", "", "")
    np.testing.assert_array_equal(found.values, [1, -2.5, 1000, np.nan, 0.5])


@pytest.mark.parametrize(
    "cells", [["007", "12", "13"], ["12345678901234567", "2", "3"], ["+05", "1", "2"], ["00", "1", "2"]]
)
def test_numbers_with_leading_zeros_or_too_many_digits_are_codes(cells):
    found = of_texts(cells)
    assert found.column.kind == "category"
    assert [found.column.levels[int(code)] for code in found.values] == cells


def test_zero_is_no_code():
    assert kind_of(of_texts(["0", "-0", "0.5", "1"])) == "number"


def test_codes_are_no_mistakes():
    cells = [str(i) for i in range(100, 200)] * 2 + ["007", "x"]
    assert kind_of(of_texts(cells)) == "category"
    refuse_among_numbers("c", numbers(cells), place)


@pytest.mark.parametrize(
    ("cells", "levels", "values"),
    [
        (["Yes", "NO", "yes", ""], ("no", "yes"), [1, 0, 1, np.nan]),
        (["True", "FALSE", "false"], ("false", "true"), [1, 0, 0]),
        (["t", "F"], ("f", "t"), [1, 0]),
        (["y", "N"], ("n", "y"), [1, 0]),
    ],
)
def test_booleans(cells, levels, values):
    found = of_texts(cells)
    assert (found.column.kind, found.column.levels) == ("boolean", levels)
    np.testing.assert_array_equal(found.values, values)


@pytest.mark.parametrize("cells", [["yes", "false"], ["yes", "no", "maybe"], ["t", "y"], ["ja", "nein"]])
def test_texts_that_are_no_pair_are_categories(cells):
    assert kind_of(of_texts(cells)) == "category"


def test_zero_and_one_are_numbers():
    assert kind_of(of_texts(["0", "1", "1"])) == "number"


def test_another_notation_is_read_and_told():
    found = of_texts(["12,5", "", "3"])
    assert (found.column.kind, found.column.notation, found.decimal) == ("number", "1234,5", ",")
    np.testing.assert_array_equal(found.values, [12.5, np.nan, 3])
    assert found.note == "'c': '12,5' is read as 12.5."


def test_percent_and_money_are_read():
    assert of_texts(["14%", "3%"]).note == "'c': '14%' is read as 14."
    np.testing.assert_array_equal(of_texts(["$1,200.50", "$7"]).values, [1200.5, 7])


def test_a_comma_alone_is_undecided():
    found = of_texts(["1,234", "12", "5,678"])
    assert isinstance(found, Undecided)
    assert {fit.values[0] for fit in found.fits} == {1.234, 1234}


def test_a_point_alone_is_plain():
    np.testing.assert_array_equal(of_texts(["1.234", "12"]).values, [1.234, 12])


@pytest.mark.parametrize(
    ("cells", "row"),
    [
        (["5%", "0.07", "9%"], 2),
        (["$5", "$6", "\u20ac7"], 3),
        (["1,5", "2,5", "2.5"], 3),
        (["1,234.5", "7", "1.234,5"], 3),
    ],
)
def test_numbers_in_several_notations_are_refused(cells, row):
    said = refused(cells)
    assert said.startswith(
        f"row {row}, column 'c': '{cells[row - 1]}' and '{cells[0]}' are numbers, but not in one"
    )
    assert "--drop c" in said


def test_dates():
    found = of_texts(["2024-01-31", "NA", "1970-01-02"])
    assert (found.column.kind, found.column.notation) == ("date", "%Y-%m-%d")
    np.testing.assert_array_equal(found.values, [19753, np.nan, 1])


def test_an_ambiguous_date_is_refused():
    said = refused(["05/05/2024", "03/04/2024"])
    assert said.startswith("row 2, column 'c': '03/04/2024' is a date in several formats.")
    assert "--date c=%d/%m/%Y or --date c=%m/%d/%Y; date=('c=%d/%m/%Y',) in Python" in said


def test_a_date_that_is_the_same_in_both_formats_is_ambiguous_too():
    assert "row 1, column 'c': '05/05/2024' is a date in several" in refused(["05/05/2024", "06/06/2024"])


def test_one_day_after_the_twelfth_decides():
    assert of_texts(["03/04/2024", "13/04/2024"]).column.notation == "%d/%m/%Y"


def test_years_of_two_digits_must_be_named():
    said = refused(["31/12/99", "01/01/24"])
    assert said.startswith("row 1, column 'c': '31/12/99' looks like a date whose year has two digits.")
    assert "--date c=%d/%m/%y;" in said


def test_a_text_among_numbers_is_refused():
    cells = [str(i) for i in range(30)] + ["abc"]
    for said in (refused(cells), refused_among(cells)):
        assert said.startswith("row 31, column 'c': expected a number, as in 30 other cells, got 'abc'.")
        assert "--drop c" in said
        assert "--categorical c" in said


def refused_among(cells):
    with pytest.raises(DataError) as caught:
        refuse_among_numbers("c", numbers(cells), place)
    return str(caught.value)


def test_a_text_among_few_numbers_in_few_rows_is_refused():
    cells = [str(i) for i in range(11)] + ["abc"]
    assert "row 12, column 'c': expected a number" in refused(cells)
    assert "row 12, column 'c': expected a number" in refused_among(cells)


@pytest.mark.parametrize(
    "cells",
    [
        ["0", "1", "2", "3+"] * 10 + ["0", "1", "2"] * 30,
        [str(i) for i in range(30)] * 2 + ["abc", "def", "ghi", "jkl"] * 2,
    ],
)
def test_classes_and_too_many_texts_are_no_mistakes(cells):
    refuse_among_numbers("c", numbers(cells), place)
    assert kind_of(of_texts(cells)) == "category"


@pytest.mark.parametrize("text", ["inf", "-Infinity", "1e999"])
def test_inf_among_numbers_is_refused(text):
    cells = ["1", "2", text]
    for said in (refused(cells), refused_among(cells)):
        assert said.startswith(
            f"row 3, column 'c': expected a finite number, as in 2 other cells, got '{text}'."
        )


def test_inf_of_a_typed_source_is_refused():
    with pytest.raises(DataError, match="row 2, column 'c': expected a finite number, got 'inf'"):
        decide("c", Numbers(np.array([1, np.inf, 2])), place)


def test_texts_in_another_notation_among_numbers_are_no_mistake_yet():
    refuse_among_numbers("c", numbers([str(i) for i in range(30)] + ["1,5"]), place)


def test_a_text_among_dates_is_refused():
    cells = [f"2024-01-{day:02}" for day in range(1, 31)] + ["2024-02-30"]
    said = refused(cells)
    assert said.startswith(
        "row 31, column 'c': expected a date in the format %Y-%m-%d, as in 30 other cells, got '2024-02-30'."
    )


def test_dates_in_several_formats_are_refused():
    cells = [f"2024-01-{day:02}" for day in range(1, 20)] + [f"{day}.1.2024" for day in range(1, 12)]
    said = refused(cells)
    assert said.startswith("row 20, column 'c': expected a date in the format %Y-%m-%d, as in 19 other cells")
    assert "got '1.1.2024' (11 such rows)" in said


def test_free_text_is_left_out():
    assert of_texts(SENTENCES) == Out("it is free text")
    assert of_texts(SENTENCES * 2) != Out("it is free text")


def test_texts_that_nearly_all_differ_are_ids():
    assert of_texts(NAMES) == Out("it tells rows apart (an id): 30 different texts in 30 cells")
    assert of_texts([*NAMES[:28], "name 0", "name 1"]).why.endswith("28 different texts in 30 cells")


@pytest.mark.parametrize("cells", [NAMES[:20], [*NAMES[:27], *NAMES[:3]], WORDS])
def test_categories(cells):
    found = of_texts(cells)
    assert found.column.kind == "category"
    assert found.column.levels == tuple(sorted(set(cells)))
    assert [found.column.levels[int(code)] for code in found.values] == cells


@pytest.mark.parametrize(
    ("cells", "kind"),
    [(SENTENCES, "category"), (NAMES, "category"), (["5"] * 3, "number"), (["x"] * 3, "category")],
)
def test_a_column_named_as_a_feature_is_kept(cells, kind):
    assert kind_of(of_texts(cells, asked=KEPT)) == kind


def test_an_id_named_as_a_feature_is_kept():
    assert kind_of(of_numbers(["1", "2", "3"], "id", KEPT)) == "number"


def test_a_column_named_as_a_feature_must_hold_values():
    assert refused(["", "NA"], KEPT).startswith("row 1, column 'c': the value is missing, as in all rows.")
    assert refused(["", "NA"], KEPT, of_numbers).startswith("row 1, column 'c': the value is missing")


def test_columns_asked_to_be_numbers():
    asked = Asked("number", "", True)
    np.testing.assert_array_equal(of_texts(["007", "12"], asked=asked).values, [7, 12])
    np.testing.assert_array_equal(of_texts(["1,5", "2"], asked=asked).values, [1.5, 2])
    assert "row 2, column 'c': expected a number, as in 1 other cell, got 'x'" in refused(["1", "x"], asked)
    assert isinstance(of_texts(["1,234"], asked=asked), Undecided)


def test_columns_asked_to_be_numbers_in_a_notation():
    asked = Asked("number", "1,234.5", True)
    found = of_texts(["1,234", "12"], asked=asked)
    np.testing.assert_array_equal(found.values, [1234, 12])
    assert found.column.notation == "1,234.5"
    assert "expected a number such as 1,234.5, as in 1 other cell, got '1,5'" in refused(["1,5", "2"], asked)
    plain = of_texts(["1.5"], asked=Asked("number", "1234.5", True))
    assert plain.column.notation == ""


def test_columns_asked_to_be_categories():
    found = of_texts(["10", "9", "10", ""], asked=Asked("category", "", True))
    assert found.column.levels == ("10", "9")
    np.testing.assert_array_equal(found.values, [0, 1, 0, np.nan])


def test_columns_asked_to_be_dates():
    found = of_texts(["03/04/2024", "20/04/2024"], asked=Asked("date", "%d/%m/%Y", True))
    np.testing.assert_array_equal(found.values, [19816, 19833])
    assert of_texts(["31/12/99"], asked=Asked("date", "", True)).column.notation == "%d/%m/%y"
    assert "several formats" in refused(["03/04/2024"], Asked("date", "", True))
    said = refused(["2024-01-01", "later"], Asked("date", "", True))
    assert said.startswith(
        "row 2, column 'c': expected a date in the format %Y-%m-%d, as in 1 other cell, got 'later'"
    )
    said = refused(["03/14/2024"], Asked("date", "%d/%m/%Y", True))
    assert said.startswith("row 1, column 'c': expected a date in the format %d/%m/%Y, got '03/14/2024'.")


def test_typed_cells_keep_their_type():
    days, truths = np.array([1.5, np.nan, 3]), np.array([0.0, 1, np.nan])
    assert kind_of(decide("c", Dates(days), place)) == "date"
    found = decide("c", Booleans(truths), place)
    assert (found.column.kind, found.column.levels) == ("boolean", ("false", "true"))
    np.testing.assert_array_equal(found.values, truths)
    assert decide("c", Dates(np.array([2.0, 2.0])), place) == Out("it is the same in all rows")
    assert decide("c", Booleans(np.array([np.nan])), place) == Out("all its cells are missing")
    with pytest.raises(
        DataError, match="row 1, column 'c': expected a number, but the column's type is date"
    ):
        decide("c", Dates(days), place, Asked("number", "", True))


def test_missing_texts_take_no_part():
    found = of_texts([" NA ", "a", "b", "\u200b", "?", None, "a"])
    assert found.column.levels == ("a", "b")
    np.testing.assert_array_equal(found.values, [np.nan, 0, 1, np.nan, np.nan, np.nan, 0])


def test_a_rare_text_among_few_numbers_is_a_mistake_and_a_recurring_one_a_class():
    numbers = [str(i % 5) for i in range(400)]
    with pytest.raises(DataError, match=r"expected a number, as in 400 other cells, got 'int'"):
        of_texts(["int", *numbers])
    found = of_texts(["3+"] * 40 + numbers)
    assert found.column.kind == "category"
    assert found.note == "'c' is a category, although 91% of its cells are numbers: '3+' is none."


def test_numbers_in_most_cells_of_a_category_are_told():
    found = of_texts(["unknown"] * 20 + [f"{i}.5" for i in range(40)] * 2)
    assert "although 80% of its cells are numbers: 'unknown' is none" in found.note
    assert of_texts(["a1", "b2"] * 20).note == ""


MEASURED = {
    "units": [f"{i} kg" for i in range(5, 15)],
    "decimals": ["1.5 cm", "20 cm", "3,5 cm"],
    "sizes": ["5k", "20k", "1M"],
    "times": ["12:30", "9:05", "23:59"],
}


@pytest.mark.parametrize("cells", MEASURED.values(), ids=MEASURED)
def test_numbers_with_units_are_categories_of_which_is_told(cells):
    found = decide("c", texts(cells * 3), str)
    assert found.column.kind == "category"
    assert found.note.startswith(
        f"'c' is a category: '{cells[0]}' is no number as it stands; to take it for one,"
    )
    assert found.note.endswith("Or leave it out: --drop c, drop= in Python.")


def test_numbers_with_units_that_all_differ_are_left_out_with_the_reason():
    found = decide("c", texts([f"{i} kg" for i in range(50)]), str)
    assert found.why.startswith(
        "it tells rows apart (an id): 50 different texts in 50 cells; '0 kg' is no number as it stands;"
    )


WITH_DIGITS = {
    "ranges": ["18-24", "25-34", "35-44"],
    "ordinals": ["1st", "2nd", "3rd"],
    "names": ["class 1", "class 2", "class 3"],
    "identifiers": ["ID123", "ID124", "ID125"],
    "two": ["3 doors", "5 doors"],
    "mixed": ["10 kg", "12 kg", "heavy"],
}


@pytest.mark.parametrize("cells", WITH_DIGITS.values(), ids=WITH_DIGITS)
def test_names_with_digits_are_no_numbers_with_units(cells):
    assert decide("c", texts(cells * 3), str).note == ""

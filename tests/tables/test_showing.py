"""The columns of a table, shown before a training and by fuseprop inspect."""

import numpy as np
import pytest
from memory_source import MemorySource

from fuseprop.data import Table
from fuseprop.data.assembling import assemble
from fuseprop.data.choices import NONE
from fuseprop.data.showing import MOST_SHOWN, columns_of, detailed_lines, details_of, lines_of
from fuseprop.data.target_cells import AUTO

COLUMNS = {
    "age": ["31", "", "55", "40", "36"],
    "city": ["Ulm", "Bonn", "Bonn", "NA", "Köln"],
    "when": ["", "2024-01-03", "2024-01-01", "2024-01-02", "2024-01-01"],
    "smokes": ["no", "yes", "no", "no", ""],
    "price": ["1,5", "2,5", "", "", "4"],
    "one": ["x"] * 5,
    "kind": ["a", "b", "a", "", "a"],
}


def table(target=()):
    return assemble(MemorySource(COLUMNS), target, NONE, AUTO)


def test_columns_as_data():
    assert columns_of(table(("kind",))) == [
        {"name": "age", "kind": "number", "missing": 1, "example": 31.0},
        {"name": "city", "kind": "category", "missing": 0, "example": "Ulm", "levels": 3},
        {"name": "when", "kind": "date", "missing": 1, "example": "2024-01-03", "notation": "%Y-%m-%d"},
        {"name": "smokes", "kind": "boolean", "missing": 1, "example": "no"},
        {"name": "price", "kind": "number", "missing": 1, "example": 1.5, "notation": "1234,5"},
        {"name": "one", "kind": "left out", "why": "it is the same in all rows"},
    ]


def test_details_as_data():
    age, city, when, smokes, price, kind, _ = details_of(table())
    assert (age["minimum"], age["quartiles"], age["maximum"]) == (31, [34.75, 38, 43.75], 55)
    frequent = [{"text": "Bonn", "rows": 2}, {"text": "Köln", "rows": 1}, {"text": "Ulm", "rows": 1}]
    assert city["most_frequent"] == frequent
    assert (when["minimum"], when["maximum"]) == ("2024-01-01", "2024-01-03")
    assert when["quartiles"] == ["2024-01-01", "2024-01-01 12:00", "2024-01-02 06:00"]
    assert smokes["most_frequent"] == [{"text": "no", "rows": 3}, {"text": "yes", "rows": 1}]
    assert price["quartiles"] == [2, 2.5, 3.25]
    assert kind["missing"] == 1


def test_targets_among_the_details():
    classes = details_of(table(("kind",)))[0]
    frequent = [{"text": "a", "rows": 3}, {"text": "b", "rows": 1}]
    assert classes == {"name": "kind", "kind": "target", "missing": 1, "levels": 2, "most_frequent": frequent}
    numbers = details_of(table(("age",)))[0]
    assert numbers == {
        "name": "age",
        "kind": "target",
        "missing": 1,
        "minimum": 31,
        "quartiles": [34.75, 38, 43.75],
        "maximum": 55,
    }


def test_lines_before_a_training():
    assert lines_of(table(("kind",))) == [
        "age     number    1 missing     31",
        "city    category  none missing  Ulm; 3 different",
        "when    date      1 missing     2024-01-03; written as %Y-%m-%d",
        "smokes  boolean   1 missing     no",
        "price   number    1 missing     1.5; written as 1234,5",
        "left out: one, as it is the same in all rows",
    ]


def test_lines_of_details():
    refused = {"name": "amount", "kind": "refused", "why": "t.csv: row 3: why"}
    assert detailed_lines([*details_of(table(("kind",))), refused]) == [
        "kind    target    1 missing     a 3, b 1",
        "age     number    1 missing     31 to 55, quartiles 33.5, 36, 45.5",
        "city    category  none missing  Bonn 2, Köln 1, Ulm 1",
        "when    date      1 missing     2024-01-01 to 2024-01-03, quartiles 2024-01-01, 2024-01-01, "
        "2024-01-02; written as %Y-%m-%d",
        "smokes  boolean   1 missing     no 2, yes 1",
        "price   number    1 missing     1.5 to 4, quartiles 2, 2.5, 3.25; written as 1234,5",
        "one     left out                it is the same in all rows",
        "amount  refused                 t.csv: row 3: why",
    ]


def test_many_levels_are_counted():
    cells = [f"level {i % 9}" for i in range(30)]
    made = assemble(MemorySource({"c": cells}), (), NONE, AUTO)
    assert detailed_lines(details_of(made)) == [
        "c  category  none missing  level 0 4, level 1 4, level 2 4, level 3 3, level 4 3 and 4 more"
    ]


def wide(numbers, categories=0, constants=0):
    cells = {f"x{i}": ["1", "2", ""] for i in range(numbers)}
    cells |= {f"c{i}": ["a", "b", "a"] for i in range(categories)}
    cells |= {f"k{i}": ["1", "1", "1"] for i in range(constants)}
    return assemble(MemorySource(cells), (), NONE, AUTO)


def test_plain_numbers_of_wide_tables_are_summed_up():
    assert lines_of(wide(MOST_SHOWN))[-1] == f"x{MOST_SHOWN - 1}  number  1 missing  1"
    assert lines_of(wide(1000)) == ["1,000 numbers, 1,000 missing"]
    assert lines_of(wide(1000, 1)) == [
        "c0  category  none missing  a; 2 different",
        "and 1,000 more numbers, 1,000 missing",
    ]
    many = lines_of(wide(1000, 100, 50))
    assert len(many) == 2 * MOST_SHOWN + 2
    assert many[MOST_SHOWN] == f"and {1100 - MOST_SHOWN:,} more columns, 1,000 missing"
    assert many[-1] == f"left out: {50 - MOST_SHOWN} more columns"


def test_names_and_texts_of_files_are_escaped_and_cut():
    made = assemble(MemorySource({"a\x1b[2J": ["\x1b[31mred", "b" * 100, ""]}), (), NONE, AUTO)
    for lines in (lines_of(made), detailed_lines(details_of(made))):
        assert "\x1b" not in "".join(lines)
        assert max(map(len, lines)) < 150


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_quartiles_are_those_of_numpy(n):
    values = np.random.default_rng(n).normal(size=n)
    [found] = details_of(Table.of(values[:, None]))
    expected = np.quantile(values, np.linspace(0, 1, 5))
    np.testing.assert_allclose(
        [found["minimum"], *found["quartiles"], found["maximum"]], expected, rtol=1e-12
    )


def test_tables_of_arrays_have_columns_too():
    assert columns_of(Table.of(np.array([[1.0, 2], [3, 4]])))[1] == {
        "name": "x2",
        "kind": "number",
        "missing": 0,
        "example": 2.0,
    }


def test_a_percentage_is_shown_as_it_is_written():
    percentages = assemble(MemorySource({"p": ["1.5%", "2.5%", "3.5%", "4%"]}), (), NONE, AUTO)
    assert any("written as 1234.5%" in line for line in detailed_lines(details_of(percentages)))

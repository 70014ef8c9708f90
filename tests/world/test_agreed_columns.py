"""What several processes make of the columns of a table is what one process makes of the whole table."""

import random
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from threads import in_threads, outcomes

from fuseprop.data import DataError, load_table
from fuseprop.data.assembling import assemble, assemble_as
from fuseprop.data.cells import Booleans, Dates, Numbers
from fuseprop.data.choices import Choices
from fuseprop.data.column import Column
from fuseprop.data.target_cells import AUTO, Reading
from fuseprop.world import ALONE

sys.path.append(str(Path(__file__).parents[1] / "tables"))
from memory_source import MemorySource, numbers, texts


class Shared(MemorySource):
    """The rows of columns from `begin` to `end`, told as by a file that several processes share."""

    def __init__(self, columns, world, begin, end, *, typed=False):
        super().__init__(columns, typed=typed)
        self._begin, self._end, self._world = begin, end, world
        self.rows = self.first = None  # known once cells were read
        self.world = world

    def cells(self, names, *, as_text=()):
        self.rows, self.first = self._end - self._begin, self._begin
        return super().cells(names, as_text=as_text)

    def _cells(self, column, as_text):
        whole, own = super()._cells(column, as_text), slice(self._begin, self._end)
        match whole:
            case Dates(days=days):
                return Dates(days[own], whole.notation)
            case Booleans(values=values):
                return Booleans(values[own])
            case Numbers(values=values):
                return numbers(column[own]) if isinstance(column, list) else Numbers(values[own])
        return texts(column[own])


def described(table):
    """Return what is the same in all processes."""
    return table.columns, table.left_out, table.notes, table.without_target, table.target_names


def agree(columns, target=(), reading=AUTO, *, typed=False, cuts=3, make=None, **choices):
    """Compare what 2 to 4 processes, of any shares, make of columns with what one does; return that.

    The shares, and with how many processes the first comparison begins, go by the columns and the choices.
    """
    cells = [str(each)[:60] for each in columns.values()]
    rng = random.Random(f"{sorted(columns)} {cells} {target} {sorted(choices)}")
    begin = rng.randrange(3)
    make = make or (lambda source: assemble(source, target, Choices(**choices), reading))
    whole = MemorySource(columns, typed=typed)
    try:
        expected = make(whole)
    except DataError as error:
        expected = error
    for k in range(cuts):
        size = 2 + (begin + k) % 3
        inner = sorted(rng.choices(range(whole.rows + 1), k=size - 1))
        ends = [0, *inner, whole.rows]
        ends[1] = 0 if rng.random() < 0.2 else ends[1]  # the first share is empty
        places = list(pairwise(ends))

        def one(world, places=places):
            return make(Shared(columns, world, *places[world.rank], typed=typed))

        found = outcomes(size, one)
        if isinstance(expected, DataError):
            assert [str(error) for error in found] == [str(expected)] * size
            assert all(isinstance(error, DataError) for error in found)
            continue
        for error in found:
            if isinstance(error, Exception):
                raise error
        assert [described(table) for table in found] == [described(expected)] * size
        assert [table.first for table in found] == ends[:-1]
        assert [table.world.rank for table in found] == list(range(size))
        np.testing.assert_array_equal(np.concatenate([table.X for table in found]), expected.X)
        if expected.rows is not None:
            rows = [table.rows + table.first for table in found]
            np.testing.assert_array_equal(np.concatenate(rows), expected.rows)
        if expected.targets is not None:
            targets = np.concatenate([table.targets for table in found])
            np.testing.assert_array_equal(targets, expected.targets)
    return expected


N = 60
WORDS = [("red", "green", "blue")[i % 3] for i in range(N)]
Y = [str(i % 7) for i in range(N)]
HALVES = [f"{i % 9}.5" for i in range(N)]


def but(cells, **others):
    """Return cells with others at these rows: r7="x"."""
    made = list(cells)
    for row, cell in others.items():
        made[int(row[1:])] = cell
    return made


COLUMNS = {
    "constant": ["5"] * N,
    "nearly constant": but(["5"] * N, r59="6"),
    "one value beside missing": but(["5"] * N, r41=""),
    "all missing": ["", "NA", None] * 20,
    "one text": ["x"] * N,
    "id": [str(1000 - i) for i in range(N)],
    "repeated id": but([str(1000 - i) for i in range(N)], r58="1000"),
    "index": [str(i) for i in range(N)],
    "row": but([str(i) for i in range(N)], r0="77"),
    "numbers": HALVES,
    "missing first": but(HALVES, r0="", r1="NA"),
    "nulls": but(HALVES, r3=None, r57=None),
    "boolean": [("no", "Yes", "YES")[i % 3] for i in range(N)],
    "constant boolean": ["Yes", "YES", "yes"] * 20,
    "dates": [f"2024-01-{1 + i % 28:02}" for i in range(N)],
    "decided dates": but([f"03/{1 + i % 12:02}/2024" for i in range(N)], r50="03/31/2024"),
    "ambiguous dates": [f"{1 + i % 12:02}/04/2024" for i in range(N)],
    "short years": [f"{1 + i % 28:02}.04.24" for i in range(N)],
    "a mistake": but(HALVES, r44="x.5"),
    "a few others": but([f"{i}.5" for i in range(N)], r20="y", r44="x"),
    "infinite": but(HALVES, r31="inf", r52="-inf"),
    "a mistake among dates": but([f"2024-01-{1 + i % 28:02}" for i in range(N)], r33="soon"),
    "free text": [f"this is the long review number {i}" for i in range(N)],
    "texts of rows": [f"n{i}" for i in range(N)],
    "measured": [f"{i % 11} kg" for i in range(N)],
    "words": WORDS,
    "words with missing": but(WORDS, r5="", r59="NA"),
    "late word": but(WORDS, r59="amber"),
    "codes": [f"{i % 9:03}" for i in range(N)],
    "a late code": but([str(i % 9) for i in range(N)], r55="007"),
    "grouped": [f"1,{i % 9}34" for i in range(N)],
    "commas": [f"{i % 9},5" for i in range(N)],
    "clear commas": [f"1.00{i % 9},5" for i in range(N)],
    "currency": [f"${i},000.50" for i in range(1, N + 1)],
    "percent": [f"{i % 50}%" for i in range(N)],
    "two notations": [("1,234.5", "1.234,5")[i > 50] for i in range(N)],
    "points of thousands": [f"1.{i % 9}34" for i in range(N)],
    "mostly numbers": [str(i % 5) if i % 4 else "3+" for i in range(N)],
    "zero and one": [str(i // 30) for i in range(N)],
    "minus zero": [("0", "-0.0")[i // 30] for i in range(N)],
}
KINDS = [
    {},
    {"features": ["c"]},
    {"categorical": ["c"]},
    {"numeric": ["c"]},
    {"date": ["c"]},
    {"numeric": ["c=1.234,5"]},
    {"date": ["c=%d/%m/%Y"]},
    {"missing": "refuse"},
]


@pytest.mark.parametrize("choices", KINDS, ids=str)
def test_each_rule_and_choice_decides_by_the_rows_of_all(choices):
    for name, cells in COLUMNS.items():
        made = name if name in ("id", "index", "row", "repeated id") else "c"
        told = {
            key: value if isinstance(value, str) else [one.replace("c", made, 1) for one in value]
            for key, value in choices.items()
        }
        agree({made: cells, "other": HALVES}, cuts=1, **told)


def test_what_one_column_tells_decides_another():
    columns = {name: COLUMNS[name] for name in ("grouped", "commas", "points of thousands", "numbers")}
    columns |= {name: COLUMNS[name] for name in ("clear commas", "currency", "words")}
    for name in columns:
        for other in columns:
            if name != other:
                agree({"a": columns[name], "b": columns[other]}, cuts=1)
                agree({"a": columns[name], "b": columns[other]}, ("b",), cuts=1)
                agree({"a": columns[name], "b": columns[other], "w": WORDS}, drop=["b"], cuts=1)


@pytest.mark.parametrize("target", ["missing first", "words with missing", "nulls", "commas", "a mistake"])
def test_rows_without_a_target_are_left_out(target):
    columns = {name: COLUMNS[name] for name in ("numbers", "words", "dates", "nulls")}
    agree({"y": COLUMNS[target]} | columns, ("y",))
    agree({"y": COLUMNS[target]} | columns, ("y",), missing="refuse")
    agree({"y": COLUMNS[target]} | columns, ("y",), Reading("text"))


def test_many_others_among_numbers():
    cells = [str(i % 300) if i % 3 or i < 200 else f"t{i % 300}" for i in range(700)]
    made = agree({"c": cells, "x": [str(i) for i in range(700)]})
    assert made.notes
    agree({"c": [str(i) for i in range(2000)] + ["x"] * 150})


def test_a_sample_of_many_rows_is_that_of_one_process():
    rng = random.Random(1)
    cells = [rng.choice(["1", "2", "x", "", "3+"]) for _ in range(3001)]
    agree({"c": cells, "d": [rng.choice(["2024-01-01", "2024-02-30", "?"]) for _ in cells]}, cuts=4)


def test_typed_columns():
    days = np.arange(N, dtype=np.float64)
    columns = {
        "numbers": Numbers(days * 0.5),
        "id": Numbers(days[::-1].copy()),
        "dates": Dates(days),
        "late date": Dates(np.where(days < 50, np.nan, 3.0)),
        "booleans": Booleans(days % 2),
        "constant": Booleans(np.ones(N)),
        "missing": Numbers(np.full(N, np.nan)),
        "words": WORDS,
    }
    made = agree(columns, typed=True)
    assert [one.name for one in made.left_out] == ["id", "constant", "missing"]
    agree({"c": Numbers(np.where(days == 51, np.inf, days)), "x": columns["numbers"]}, typed=True)
    agree({"c": columns["dates"], "x": columns["numbers"]}, typed=True, numeric=["c"])


LEARNED = [
    Column("c"),
    Column("c", notation="1.234,5"),
    Column("c", "boolean", ("no", "yes")),
    Column("c", "date", notation="%Y-%m-%d"),
    Column("c", "date"),
    Column("c", "category", ("blue", "5", "1")),
]


@pytest.mark.parametrize("column", LEARNED, ids=str)
def test_cells_for_a_model(column):
    for cells in COLUMNS.values():
        agree({"c": cells, "y": Y}, make=lambda source: assemble_as(source, [column], (), AUTO), cuts=1)
        agree({"c": cells, "y": Y}, make=lambda source: assemble_as(source, [column], ("y",), AUTO), cuts=1)


@pytest.mark.parametrize("column", LEARNED, ids=str)
def test_typed_cells_for_a_model(column):
    days = np.arange(N, dtype=np.float64)
    for cells in (
        Numbers(days % 7),
        Booleans(days % 2),
        Dates(days),
        Numbers(np.where(days == 50, np.inf, 1)),
    ):
        agree({"c": cells}, typed=True, make=lambda source: assemble_as(source, [column], (), AUTO), cuts=1)


def test_random_tables():
    rng = random.Random(7)
    words = ["1", "2", "3.5", "1,5", "1.234", "NA", "", "x", "no", "yes", "007", "2024-01-05", "05/04/2024"]
    outcomes_of = set()
    for _ in range(20):
        rows = rng.randint(1, 40)
        columns = {}
        for name in ("a", "id", "b", "y"):
            among = rng.sample(words, rng.randint(1, 3))
            columns[name] = rng.choices(among, weights=[30, 3, 1][: len(among)], k=rows)
        made = agree(columns, ("y",) if rng.random() < 0.5 else (), cuts=1)
        outcomes_of.add(type(made))
    assert len(outcomes_of) == 2


def test_refused_columns_are_named_alike():
    """As `fuseprop inspect` asks: the first error of each column is told, none raised."""
    columns = {name: COLUMNS[name] for name in ("a mistake", "ambiguous dates", "words", "grouped")}
    said = []

    def make(source):
        refused = {}
        made = assemble(source, (), Choices(), AUTO, refused)
        said.append(refused)
        return made

    agree(columns, make=make)
    assert len(said[0]) == 3
    assert all(refused == said[0] for refused in said)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_files(tmp_path, size):
    path = tmp_path / "t.csv"
    names = ["id", "numbers", "words with missing", "dates", "free text", "boolean", "codes", "constant"]
    lines = zip(*(COLUMNS[name] for name in names), Y, strict=True)
    path.write_text("\n".join(",".join(line) for line in [[*names, "y"], *lines]) + "\n")
    whole = load_table(path, "y")
    found = in_threads(size, lambda world: load_table(path, "y", world=world))
    assert [described(table) for table in found] == [described(whole)] * size
    np.testing.assert_array_equal(np.concatenate([table.X for table in found]), whole.X)
    assert whole.world is ALONE
    assert [table.first for table in found] == np.cumsum([0, *map(len, found)])[:-1].tolist()


def test_errors_of_files_name_the_row_of_the_whole(tmp_path):
    path = tmp_path / "t.csv"
    cells = but(HALVES, r57="x.5")
    path.write_text("\n".join(["c,y", *(",".join(row) for row in zip(cells, Y, strict=True))]))
    with pytest.raises(DataError, match="row 58") as whole:
        load_table(path, "y")
    found = outcomes(3, lambda world: load_table(path, "y", world=world))
    assert [str(error) for error in found] == [str(whole.value)] * 3


def test_a_number_that_may_be_several_levels_is_refused_alike():
    column = Column("c", "category", ("1", "01", "x"))
    columns = {"c": Numbers(np.where(np.arange(N) == 50, 1.0, 7.0))}
    made = agree(columns, typed=True, make=lambda source: assemble_as(source, [column], (), AUTO))
    assert "holds 1, a number" in str(made)

"""The targets and the task of a file that several processes share: what one process makes of the whole."""

import random
from itertools import pairwise

import numpy as np
import pytest
from threads import outcomes

from fuseprop import Table
from fuseprop.data import DataError
from fuseprop.data.assembling import assemble
from fuseprop.data.cells import Texts
from fuseprop.data.choices import Choices
from fuseprop.data.share import Share
from fuseprop.data.target_cells import AUTO, Reading
from fuseprop.data.tasks import Task, make_task
from fuseprop.world import ALONE, Elsewhere

N = 60


class Shared:
    """A source in memory: all cells as texts, of which each process has those of its own rows."""

    name, typed, index_like, notes = "t.csv", False, (), ()

    def __init__(self, columns, own, world):
        self._columns = {name: column[own] for name, column in columns.items()}
        self.names = tuple(columns)
        self.world, self.rows = world, len(self._columns["x"])
        self.first = Share.of(world, self.rows).first

    def cells(self, names, *, as_text=()):
        found = {}
        for name in names:
            texts = [*dict.fromkeys(self._columns[name])]
            codes = np.array([texts.index(text) for text in self._columns[name]], np.int64)
            found[name] = Texts(texts, codes)
        return found

    def place(self, row):
        return f"t.csv: row {row + 1} (line {row + 2})"


def made(columns, reading, task, world=ALONE, own=slice(None)):
    """What is decided, and what each process has of it."""
    names = [name for name in columns if name != "x"]
    table = Table.holding(assemble(Shared(columns, own, world), names, Choices(), reading))
    found = make_task(table, task)
    numbers = [table.row_number(i) for i in range(len(table))]
    return (found, table.notes, table.without_target), table.targets, found.encode(table), numbers


def check(columns, reading=AUTO, task=None, seeds=6):
    """Compare what processes decide with what one does; return that, or its error's text."""
    columns = {"x": [str(i * i % 97) for i in range(len(columns["y"]))]} | columns
    whole = outcomes(1, lambda _: made(columns, reading, task))[0]
    assert not isinstance(whole, Exception) or isinstance(whole, DataError), whole
    for seed in range(seeds):
        rng, size = random.Random(seed), 1 + seed % 4
        ends = [0, *sorted(rng.choices(range(len(columns["y"]) + 1), k=size - 1)), len(columns["y"])]
        shares = [slice(*both) for both in pairwise(ends)]
        found = outcomes(
            size, lambda world, shares=shares: made(columns, reading, task, world, shares[world.rank])
        )
        if isinstance(whole, DataError):
            assert all(isinstance(error, DataError | Elsewhere) for error in found), found
            assert {str(error) for error in found if isinstance(error, DataError)} == {str(whole)}
            continue
        for one in found:
            assert not isinstance(one, Exception), (one, ends)
            assert one[0] == whole[0]
            assert one[1].dtype.kind == whole[1].dtype.kind
        for place in (1, 2):
            np.testing.assert_array_equal(np.concatenate([one[place] for one in found]), whole[place])
        assert [number for one in found for number in one[3]] == whole[3]
    return str(whole) if isinstance(whole, DataError) else whole[0][0]


def repeated(*texts, last=()):
    """N texts, one after another in turn, the last ones as they are."""
    return [texts[i % len(texts)] for i in range(N - len(last))] + [*last]


NUMBERS = [repr(i / 3) for i in range(N)]

ACCEPTED = [
    (NUMBERS, "regression", 0),
    (repeated("a", "b"), "binary", 2),
    (repeated("b", "a", last=["c"]), "exclusive", 3),
    (repeated("0", "1"), "binary", 2),
    (repeated("3", "1", "2", "7"), "exclusive", 4),
    (repeated(*map(str, range(13))), "regression", 0),
    (repeated("1", "2", "4", last=["2.5"]), "regression", 0),
    (repeated("a", "b", last=["", "NA", ""]), "binary", 2),
    (["", "", *NUMBERS[2:-1], ""], "regression", 0),
    (repeated("007", "012"), "binary", 2),
    (repeated("1,5", "2,25", "3"), "regression", 0),
    (repeated("1", "2", last=["yes"]), "exclusive", 3),
    (repeated("true", "false"), "binary", 2),
]


@pytest.mark.parametrize(("texts", "name", "classes"), ACCEPTED)
def test_the_task_is_that_of_all_rows(texts, name, classes):
    task = check({"y": texts})
    assert isinstance(task, Task), task
    assert (task.name, len(task.classes)) == (name, classes)


REFUSED = [
    ([""] * N, "missing in all rows"),
    (repeated("a"), "a in every row"),
    (repeated("", last=["4"]), "4.0 in every row"),
    (repeated("NA", "a", "NA", "b"), "keep-as-class"),
    ([*NUMBERS[:-2], "x", "y"], "row 59"),
    ([*NUMBERS[:-1], "inf"], "finite"),
    ([*NUMBERS[:-1], "12%"], "percentage"),
    ([f"{i:03}" for i in range(N)], "either a code or a number"),
    ([f"{i}kg" for i in range(N)], "kg"),
    ([*NUMBERS[:-2], "1,200.5", "3"], "row 59"),
]


@pytest.mark.parametrize(("texts", "words"), REFUSED)
def test_what_is_refused_is_so_in_all(texts, words):
    found = check({"y": texts})
    assert isinstance(found, str), found
    assert words in found


@pytest.mark.parametrize(
    ("reading", "texts"),
    [
        (Reading("text"), NUMBERS),
        (Reading("text"), repeated("1", "2.0", "", "x")),
        (Reading("numbers"), repeated("007", "12")),
        (Reading("numbers"), repeated("1", "2", last=["x", "3"])),
        (Reading(keep_as_class="NA"), repeated("NA", "a", "")),
    ],
)
def test_readings(reading, texts):
    check({"y": texts}, reading)


@pytest.mark.parametrize("task", ["regression", "binary", "exclusive", "multi-label"])
@pytest.mark.parametrize(
    "columns",
    [
        {"y": repeated("0", "1")},
        {"y": repeated("a", "b", last=["c"])},
        {"y": NUMBERS},
        {"y": repeated("0", "1"), "z": repeated("1", "0")},
        {"y": repeated("0", "1"), "z": repeated("1", "0", last=["1", "1"])},
        {"y": repeated("0", "1"), "z": repeated("1", "0", last=["2", "3"])},
        {"y": repeated("0", "1"), "z": repeated("true", "false", last=["", "true"])},
        {"y": repeated("a", "b"), "z": repeated("1", "2.5")},
        {"y": repeated("1", "2", last=["3.5"]), "z": repeated("a", "b", last=["1"])},
    ],
)
def test_tasks_that_are_named(columns, task):
    check(columns, task=task, seeds=4)
    check(columns, seeds=4)


def test_an_unknown_class_is_named_with_its_row_of_all():
    def encoded(world, own):
        y = np.array([*["a", "b"] * 20, "c"])
        table = Table.of(np.arange(41.0)[own, None], y[own], world=world)
        return Task("binary", ("y",), ("a", "b")).encode(table)

    whole = outcomes(1, lambda _: encoded(ALONE, slice(None)))[0]
    assert "row 41 has the class" in str(whole)
    cuts = [slice(0, 0), slice(0, 30), slice(30, 41)]
    found = outcomes(3, lambda world: encoded(world, cuts[world.rank]))
    assert [str(error) for error in found] == [str(whole)] * 3

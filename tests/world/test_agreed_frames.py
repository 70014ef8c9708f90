"""Tables of arrays and frames of which each process has its own rows: what one process makes of them all."""

import datetime
import random
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from threads import in_threads, outcomes

from fuseprop import Table
from fuseprop.data import DataError
from fuseprop.data.tasks import make_task
from fuseprop.model.arguments import table_and_arguments
from fuseprop.world import ALONE, Elsewhere

N = 60
RNG = np.random.default_rng(0)
COLUMNS = {
    "id": [*range(N)],
    "age": [*RNG.integers(20, 70, N - 1).tolist(), None],
    "colour": [None, *RNG.choice(["red", "green", "blue"], N - 1).tolist()],
    "member": RNG.choice([True, False], N).tolist(),
    "when": [
        datetime.datetime(2020, 1, 1) + datetime.timedelta(days=int(d)) for d in RNG.integers(0, 900, N)
    ],
    "size": RNG.normal(size=N).tolist(),
    "same": ["x"] * N,
    "y": [*RNG.choice(["no", "yes"], N - 2).tolist(), None, "yes"],
}


def cuts_of(rng, rows, size):
    """Where shares begin and end: anywhere, so that some may be empty."""
    cuts = [0, *sorted(rng.choices(range(rows + 1), k=size - 1)), rows]
    return [slice(a, b) for a, b in pairwise(cuts)]


def cut(data, own):
    """The rows of a share."""
    if isinstance(data, dict):
        return {name: cut(column, own) for name, column in data.items()}
    return data.iloc[own] if isinstance(data, pd.DataFrame) else data[own]


def about(table):
    """What is the same in all processes, and what each has for its own rows."""
    task = None if table.targets is None else make_task(table)
    alike = (table.columns, table.target_names, table.left_out, table.notes, table.without_target, task)
    numbers = [table.row_number(i) for i in range(len(table))]
    return alike, table.X, table.targets, numbers, None if task is None else task.encode(table)


def check(seed, X, targets=None, sizes=(1, 2, 3, 4), **given):
    """Compare the tables of shares with that of the whole; so too what is raised."""

    def made(X, targets, world=ALONE):
        return about(Table.of(X, targets, world=world, **given))

    whole = outcomes(1, lambda _: made(X, targets))[0]
    rng = random.Random(seed)
    rows = len(next(iter(X.values()))) if isinstance(X, dict) else len(X)
    beside = targets is not None and not isinstance(targets, str)
    for size in sizes:
        shares = cuts_of(rng, rows, size)

        def one(world, shares=shares):
            own = shares[world.rank]
            return made(cut(X, own), cut(targets, own) if beside else targets, world)

        found = outcomes(size, one)
        if isinstance(whole, Exception):
            assert all(isinstance(error, type(whole) | Elsewhere) for error in found), found
            assert str(whole) in [str(error) for error in found]
            continue
        for error in found:
            if isinstance(error, Exception):
                raise error
        assert all(one[0] == whole[0] for one in found)
        for place in (1, 2, 4):
            if whole[place] is not None:
                joined = np.concatenate([one[place] for one in found])
                assert joined.dtype.kind == whole[place].dtype.kind
                np.testing.assert_array_equal(joined, whole[place])
        assert [number for one in found for number in one[3]] == whole[3]
    return whole


KINDS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table, "dict": dict}


@pytest.mark.parametrize("kind", ["pandas", "polars", "dict"])
@pytest.mark.parametrize("seed", range(4))
def test_frames(kind, seed):
    whole = check(seed, KINDS[kind](COLUMNS), "y")
    assert whole[0][4] == 1


def test_a_column_that_is_of_another_kind_in_each_share():
    mixed = {
        "a": [None] * 20 + [1] * 20 + [2.5] * 20,
        "b": [True] * 20 + [3] * 20 + ["x"] * 20,
        "c": [None] * 20 + [datetime.date(2020, 1, 1 + i) for i in range(20)] + [1.0] * 20,
        "y": RNG.normal(size=60).tolist(),
    }
    for data in (mixed, pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in mixed.items()})):

        def one(world, data=data):
            own = slice(20 * world.rank, 20 * world.rank + 20)
            return about(Table.of(cut(data, own), "y", world=world))

        found, whole = in_threads(3, one), about(Table.of(data, "y"))
        assert all(one[0] == whole[0] for one in found)
        np.testing.assert_array_equal(np.concatenate([one[1] for one in found]), whole[1])
    for seed in range(6):
        check(seed, mixed, "y")


@pytest.mark.parametrize(
    "targets",
    [
        RNG.normal(size=40),
        np.array(["a", "b"] * 20),
        np.array(["a"] * 30 + ["bcd"] * 10),
        np.arange(40) % 5,
        np.arange(40),
        np.array([1.5, *[0.0] * 38, 1.0]),
        np.arange(80).reshape(40, 2) % 2,
        np.array([[1, 0]] * 30 + [[1, 2]] * 10),
        np.array([*[1] * 30, *["x"] * 10], object),
        np.array([*["007"] * 20, *["12"] * 20]),
        np.array([f"{i:03}" for i in range(40)]),
        np.array([*["1.5"] * 39, "1,5"]),
        np.array([*range(30), *["x"] * 10], object),
        np.array([["a", 1]] * 20 + [["b", 2]] * 20, object),
        np.array([2**53 + i for i in range(40)]),
        np.array([*[1.0] * 20, np.nan, *[2.0] * 19]),
        np.array([3.0] * 40),
        np.array(["NA", *["b"] * 20, *["NA"] * 19]),
    ],
    ids=range(18),
)
def test_arrays_with_targets(targets):
    for seed in range(6):
        check(seed, RNG.normal(size=(40, 3)), targets)


def test_arrays_of_objects():
    X = np.array([[i, "ab"[i % 2], None if i % 7 == 0 else i / 3] for i in range(40)], object)
    for seed in range(6):
        check(seed, X, np.arange(40) / 7, sizes=(1, 2, 3))


def test_numbers_in_one_process_and_objects_in_another():
    def one(world):
        rows = [[1.0, np.nan], [2.0, 3.0], [4.0, 5.0]] if world.rank else [[1, None], [2, 3]]
        return Table.of(rows, [1.5] * len(rows), world=world)

    found = in_threads(2, one)
    whole = Table.of([[1, None], [2, 3], [1.0, np.nan], [2.0, 3.0], [4.0, 5.0]], [1.5] * 5)
    assert all(table.columns == whole.columns for table in found)
    np.testing.assert_array_equal(np.concatenate([table.X for table in found]), whole.X)


def test_dicts_of_which_some_lack_keys():
    rows = [{"a": float(i), "y": i / 2} | ({"b": i} if i > 10 else {}) for i in range(20)]

    def one(world):
        return Table.of([rows[:9], [], rows[9:]][world.rank], "y", world=world)

    whole, found = Table.of(rows, "y"), in_threads(3, one)
    assert all(table.columns == whole.columns for table in found)
    np.testing.assert_array_equal(np.concatenate([table.X for table in found]), whole.X)


def test_the_row_of_inf_is_that_of_all():
    X = {"a": [*range(50)], "b": [*np.arange(49.0), np.inf], "y": [*range(50)]}
    assert "row 50" in str(check(1, X, "y", sizes=(1, 2, 3)))


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([{"a": [1], "y": [1]}, {"b": [1], "y": [1]}], "process 1 lacks a and has b besides"),
        ([{"a": [1], "y": [1]}, {"y": [1], "a": [1]}], "in another order"),
        ([{"a": [1], "y": [1]}, np.ones((1, 2))], "kind of data"),
        ([np.ones((2, 3)), np.ones((2, 2))], "number of columns"),
    ],
)
def test_other_columns_are_refused_in_all(frames, words):
    found = outcomes(2, lambda world: Table.of(frames[world.rank], world=world))
    assert all(isinstance(error, DataError) and words in str(error) for error in found), found


def test_other_targets_are_refused_in_all():
    targets = [[1.0, 2.0], [[1.0, 2.0], [3.0, 4.0]]]
    found = outcomes(2, lambda world: Table.of(np.ones((2, 1)), targets[world.rank], world=world))
    assert all("as many columns" in str(error) for error in found), found
    found = outcomes(2, lambda world: Table.of(np.ones((2, 1)), [None, [1, 2]][world.rank], world=world))
    assert all("no targets" in str(error) for error in found), found


def test_no_rows_in_any_process():
    found = outcomes(2, lambda world: Table.of(np.ones((0, 2)), np.ones(0), world=world))
    assert all("is empty" in str(error) for error in found), found


def test_what_train_is_given():
    whole, _ = table_and_arguments(pd.DataFrame(COLUMNS), "y")

    def one(world):
        own = slice(30 * world.rank, 30 * world.rank + 30)
        return table_and_arguments(pd.DataFrame(COLUMNS).iloc[own], "y", world=world)[0]

    found = in_threads(2, one)
    assert all(table.columns == whole.columns for table in found)
    assert [table.world.rank for table in found] == [0, 1]

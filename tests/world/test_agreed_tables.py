"""Random tables of all kinds of columns are the same tables, however many processes share their rows."""

import random
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import pytest
from parts import CELLS, NAMES, Part, column, cuts_of, typed
from threads import in_threads

from fuseprop.data import share
from fuseprop.data.assembling import assemble, assemble_as
from fuseprop.data.choices import Choices
from fuseprop.data.errors import DataError
from fuseprop.data.share import Share
from fuseprop.data.showing import columns_of, lines_of
from fuseprop.data.table import Table
from fuseprop.data.target_cells import AUTO, Reading
from fuseprop.data.tasks import make_task
from fuseprop.world import ALONE


@dataclass
class Case:
    """A table by its columns, and what is said of it."""

    columns: dict[str, Any]
    target: tuple[str, ...] = ()
    choices: dict[str, Any] = field(default_factory=dict)
    reading: Reading = AUTO
    is_typed: bool = False

    @property
    def rows(self):
        return Part(self.columns, ALONE, 0, 0).rows_of_all

    def source(self, world, cuts):
        begin, end = cuts[world.rank : world.rank + 2]
        return Part(self.columns, world, begin, end, typed=self.is_typed, notes=("a note",))


def told(table, refusals=None):
    """Return all that a table is but for its rows."""
    table = Table.holding(table)
    kind = None if table.targets is None else table.targets.dtype.kind
    facts = (table.columns, table.left_out, table.notes, table.target_names, table.without_target, kind)
    return (*facts, task_of(table), columns_of(table), lines_of(table), list((refusals or {}).items()))


def task_of(table):
    """Return the task of a table, or why it has none."""
    try:
        return make_task(table)
    except DataError as error:
        return str(error)


def rows_of(table):
    """Return the cells, the targets and the numbers of a table's rows."""
    return table.X, table.targets, [table.row_number(row) for row in range(len(table))]


def outcome(work):
    """Return what a table is, or the text of its refusal, and its rows."""
    try:
        table, *more = work()
    except DataError as error:
        return str(error), None
    return told(table, *more), rows_of(table)


def assert_agreed(case, work, sizes, rng):
    """Check that `work(source)` makes of all parts of a table what it makes of the whole."""
    expected, whole = outcome(lambda: work(case.source(ALONE, [0, case.rows])))
    for size in sizes:
        cuts = cuts_of(rng, case.rows, size)
        found = in_threads(size, lambda world, cuts=cuts: outcome(lambda: work(case.source(world, cuts))))
        for facts, _ in found:
            assert facts == expected, (case, cuts)
        if whole is None:
            continue
        X, targets, numbers = zip(*(rows for _, rows in found), strict=True)
        np.testing.assert_array_equal(np.concatenate(X), whole[0])
        assert all(part.shape[1:] == whole[0].shape[1:] for part in X)
        assert [*chain(*numbers)] == whole[2]
        if whole[1] is not None:
            np.testing.assert_array_equal(np.concatenate(targets), whole[1])
    return expected


def random_case(rng):
    """Return a table of some columns, with something said of some of them."""
    rows = rng.choice((1, 3, 8, 25, 60, 120))
    is_typed = rng.random() < 0.2
    names = rng.sample(NAMES, rng.randint(1, 4))
    columns = {
        name: typed(rng, rows) if is_typed else column(rng, rng.choice([*CELLS]), rows) for name in names
    }
    target = tuple(rng.sample(names, rng.choice((0, 1, 1, 2)))) if len(names) > 2 else ()
    others = [name for name in names if name not in target]
    choices = {}
    for name in rng.sample(others, rng.randint(0, len(others))):
        what, said = rng.choice(
            (
                ("categorical", name),
                ("numeric", name),
                ("numeric", f"{name}=1.234,5"),
                ("date", name),
                ("date", f"{name}=%d/%m/%Y"),
                ("drop", name),
                ("", name),
                ("", name),
            )
        )
        if what:
            choices.setdefault(what, []).append(said)
    if rng.random() < 0.2:
        choices["missing"] = "refuse"
    reading = rng.choice((AUTO, AUTO, Reading("text"), Reading("numbers"), Reading("auto", ("none", "NA"))))
    return Case(columns, target, choices, reading, is_typed)


def assembled(case, *, refusals=None):
    return lambda source: (
        (assemble(source, case.target, Choices(**case.choices), case.reading),)
        if refusals is None
        else (assemble(source, case.target, Choices(**case.choices), case.reading, own := {}), own)
    )


@pytest.mark.parametrize("seed", range(25))
def test_random_tables(seed):
    rng = random.Random(seed)
    for _ in range(6):
        case = random_case(rng)
        assert_agreed(case, assembled(case), (rng.randint(2, 4),), random.Random(seed))


@pytest.mark.parametrize("seed", range(5))
def test_refused_columns_of_random_tables(seed):
    rng = random.Random(1000 + seed)
    for _ in range(4):
        case = random_case(rng)
        assert_agreed(case, assembled(case, refusals=True), (rng.randint(2, 4),), rng)


@pytest.mark.parametrize("kind", CELLS)
def test_each_kind_of_column_alone_and_beside_a_target(kind):
    rng = random.Random(kind)
    made = [CELLS[kind](rng, i) for i in range(60)]
    for name in ("c", "id"):
        case = Case({name: made, "x": [f"{i % 7}.5" for i in range(60)]})
        assert_agreed(case, assembled(case), (2, 4), rng)
    case = Case({"c": made, "x": [f"{i % 7}.5" for i in range(60)]}, ("c",))
    assert_agreed(case, assembled(case), (3,), rng)


def test_the_random_tables_hold_what_the_rules_tell_apart():
    found, texts = set(), ""
    for seed in range(25):
        rng = random.Random(seed)
        for _ in range(6):
            case, _ = random_case(rng), rng.randint(2, 4)
            facts, _ = outcome(lambda case=case: assembled(case)(case.source(ALONE, [0, case.rows])))
            texts += f"{facts}"
            if not isinstance(facts, str):
                found |= {column.kind for column in facts[0]}
    assert found == {"number", "category", "boolean", "date"}
    for words in (
        "the same in all rows",
        "all its cells are missing",
        "an id",
        "is read as",
        "free text",
        "expected a number",
        "expected a finite number",
        "expected a date",
        "in several formats",
        "not in one notation",
        "the value is missing",
        "says that the value is missing",
    ):
        assert words in texts, words


@pytest.mark.parametrize("seed", range(8))
def test_tables_for_a_model(seed):
    rng = random.Random(2000 + seed)
    compared = 0
    while compared < 3:
        learned, new = random_case(rng), random_case(rng)
        learned.columns = dict(zip(new.columns, [*learned.columns.values()] * 9, strict=False))
        learned.target, learned.choices, learned.is_typed = (), {}, False
        if not all(isinstance(cells, list) for cells in learned.columns.values()):
            continue
        try:
            made = assemble(learned.source(ALONE, [0, learned.rows]), (), Choices(), AUTO)
        except DataError:
            continue
        columns = [column for column in made.columns if column.name not in new.target]
        assert_agreed(
            new,
            lambda source, new=new, columns=columns: (assemble_as(source, columns, new.target, new.reading),),
            (rng.randint(2, 4),),
            rng,
        )
        compared += 1


@pytest.mark.parametrize("most", [5, 1000])
def test_ids_whose_ranges_overlap_are_compared_part_by_part(monkeypatch, most):
    monkeypatch.setattr(share, "MOST_EXCHANGED", most)
    rng = np.random.default_rng(1)
    values = rng.permutation(200).astype(float) - 50
    values[values == 7] = -0.0 if not (values == 0).any() else 7.0
    twice = values.copy()
    twice[150] = twice[3]
    own = [slice(0, 90), slice(90, 90), slice(90, 200)]

    def differ(numbers):
        return in_threads(3, lambda world: Share(world).all_differ(numbers[own[world.rank]]))

    assert differ(values) == [True] * 3
    assert differ(twice) == [False] * 3
    values[[3, 150]] = 0.0, -0.0
    assert differ(values) == [False] * 3


def test_no_process_holds_the_numbers_of_all(monkeypatch):
    monkeypatch.setattr(share, "MOST_EXCHANGED", 1 << 10)
    values = np.random.default_rng(2).permutation(1 << 16).astype(float)
    largest = []

    def differ(world):
        gathered = world.gathered

        def noted(value):
            found = gathered(value)
            largest.append(sum(part.nbytes for part in found if isinstance(part, np.ndarray)))
            return found

        world.gathered = noted
        return Share(world).all_differ(values[world.rank :: 4])

    assert in_threads(4, differ) == [True] * 4
    assert max(largest) < 8 * 2 * (1 << 10)

"""Tables in memory of which each process has a part, and tables of all kinds of columns, at random."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tables"))

from memory_source import MemorySource, numbers, texts

from fuseprop.data.cells import Booleans, Dates, Numbers, Texts
from fuseprop.data.objects import texts_of


class Part(MemorySource):
    """The rows from `begin` to `end` of the columns of a table, in one of several processes."""

    def __init__(self, columns, world, begin, end, **given):
        super().__init__(columns, **given)
        self.rows_of_all = self.rows
        self.world, self.first, self.rows = world, begin, end - begin
        self._own = slice(begin, end)

    def _cells(self, column, as_text):
        whole = super()._cells(column, as_text)  # its kind is that of all rows
        if isinstance(column, list):
            own = column[self._own]
            return numbers(own) if isinstance(whole, Numbers) else texts(own)
        match column:
            case Texts():
                of_rows = [None if code < 0 else column.texts[code] for code in column.codes[self._own]]
                return texts_of(of_rows)
            case Dates():
                return replace(column, days=column.days[self._own])
        return type(column)(column.values[self._own])

    def place(self, row):
        assert set(self.world.gathered(row)) == {row}, "processes ask for different rows"
        return super().place(row)


def cuts_of(rng, rows, size):
    """Return where the parts of `size` processes begin and end, some of them perhaps empty."""
    return [0, *sorted(rng.choices(range(rows + 1), k=size - 1)), rows]


DAYS = [f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(60)]
SENTENCES = [f"a text {i} of some more words than there are" for i in range(60)]

CELLS = {
    "numbers": lambda rng, i: str(rng.randint(-5, 300)),
    "fractions": lambda rng, i: f"{rng.uniform(-3, 3):.3f}",
    "different numbers": lambda rng, i: str(1000 + 7 * i),
    "counting": lambda rng, i: str(i),
    "nearly different": lambda rng, i: str(max(i, 1)),
    "constant": lambda rng, i: "5",
    "constant text": lambda rng, i: "x",
    "nothing": lambda rng, i: rng.choice(("", "NA", None)),
    "few numbers": lambda rng, i: rng.choice("012"),
    "numbers and a text": lambda rng, i: rng.choice(["0", "1", "2", "3+"]),
    "a mistake": lambda rng, i: "12 apples" if i == 7 else str(i % 40),
    "two mistakes": lambda rng, i: "x" if i in (7, 30) else f"{i / 4}",
    "infinite": lambda rng, i: "inf" if i == 9 else str(i % 30),
    "all infinite": lambda rng, i: "-inf" if i % 13 == 5 else f"{i / 2}",
    "codes": lambda rng, i: f"{rng.randint(0, 20):03}",
    "long": lambda rng, i: str(10**17 + rng.randint(0, 9)),
    "decimal commas": lambda rng, i: f"{rng.randint(0, 90)},{rng.randint(0, 99):02}",
    "thousands": lambda rng, i: rng.choice(("1.234", "250", "12.500")),
    "thousands or decimals": lambda rng, i: rng.choice(("1,234", "7", "2,500")),
    "clear thousands": lambda rng, i: rng.choice(("1,234.5", "7", "2,500")),
    "decimal points": lambda rng, i: rng.choice(("0.5", "1.25", "7")),
    "percent": lambda rng, i: f"{rng.randint(0, 90)}%",
    "several notations": lambda rng, i: "5%" if i % 3 else "0.07",
    "units": lambda rng, i: f"{i % 9} kg",
    "many units": lambda rng, i: f"{i} kg",
    "days": lambda rng, i: rng.choice(DAYS),
    "days either way": lambda rng, i: f"0{1 + i % 9}/0{1 + i % 7}/2024",
    "one day tells": lambda rng, i: "25/03/2024" if i == 11 else f"0{1 + i % 9}/04/2024",
    "short years": lambda rng, i: f"{13 + i % 9}.03.24",
    "days and a text": lambda rng, i: "soon" if i == 8 else DAYS[i % 20],
    "two formats": lambda rng, i: DAYS[i % 20] if i % 4 else "25.03.2024",
    "booleans": lambda rng, i: rng.choice(("no", "Yes", "NO")),
    "true and false": lambda rng, i: rng.choice(("True", "false")),
    "categories": lambda rng, i: rng.choice(("Bonn", "Ulm", "Köln", "none")),
    "texts": lambda rng, i: rng.choice(SENTENCES),
    "different texts": lambda rng, i: f"K{i}x",
    "mostly numbers": lambda rng, i: rng.choice(("1", "2", "3", "many", "few")),
    "classes like missing": lambda rng, i: rng.choice(("none", "none", "some")),
    "zero or one": lambda rng, i: rng.choice("01"),
    "nearly zero or one": lambda rng, i: "2" if i == 6 else rng.choice("01"),
}
"""Cells of columns of all kinds, by a random generator and the row."""

NAMES = ("a", "b", "c", "id", "row", "user_id")


def column(rng, kind, rows):
    """Return a column of a kind as texts, in some of which values are missing."""
    missing = rng.choice((0, 0, 0.1, 0.5))
    made = [CELLS[kind](rng, i) for i in range(rows)]
    return [rng.choice(("", "NA", None)) if rng.random() < missing else cell for cell in made]


def typed(rng, rows):
    """Return a typed column."""
    there = np.array([rng.random() >= 0.1 for _ in range(rows)])
    values = np.array([rng.choice((0.0, 1.0, 5.5, float(i))) for i in range(rows)])
    kind = rng.choice(("numbers", "whole", "same", "infinite", "days", "booleans", "texts", "missing"))
    match kind:
        case "whole":
            return Numbers(np.arange(rows) + 10.0)
        case "same":
            return Numbers(np.full(rows, 3.0))
        case "infinite":
            return Numbers(np.where(np.arange(rows) == rows // 2, np.inf, values))
        case "days":
            return Dates(np.where(there, 19000 + values, np.nan))
        case "booleans":
            return Booleans(np.where(there, np.minimum(values, 1) // 1, np.nan))
        case "texts":
            return texts_of(column(rng, rng.choice([*CELLS]), rows))
        case "missing":
            return Numbers(np.full(rows, np.nan))
    return Numbers(np.where(there, values, np.nan))

"""Cells: a column's cells as they came from a file or a data frame, before it is known what they mean."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..world import Processes

MISSING = -1
"""The code of a cell without a text."""


@dataclass(frozen=True)
class Texts:
    """Cells as texts.

    Attributes
    ----------
    texts : sequence of str
        The different texts, in the order of their first rows, without space around them. Texts that stand for
        a missing value, such as "" and NA, are among them.
    codes : (N,) int32 or int64
        The position in `texts` of each row's text; -1 where the source says that there is no value (a null).
    """

    texts: Sequence[str]
    codes: NDArray[np.integer]


@dataclass(frozen=True)
class Numbers:
    """Cells as plain numbers, but for a few.

    Attributes
    ----------
    values : (N,) float64
        nan where the value is missing, and in the rows of `others`.
    others : mapping of int to str
        The first rows (at most `MOST_OTHERS`) whose texts are neither plain numbers nor missing values, with
        these texts.
    count : int
        How many such rows there are in all.

    A plain number is a text that `spelling.number` reads as a finite number and that `spelling.is_code` does
    not take for a code (007, or too many digits).
    """

    values: NDArray[np.float64]
    others: Mapping[int, str] = field(default_factory=dict)
    count: int = 0


MOST_OTHERS = 100


@dataclass(frozen=True)
class Dates:
    """Cells of a source that knows they are dates: days (N,) float64 since 1970-01-01, nan where missing.

    `notation` is the format of ISO 8601 that they were written in, as in `Column`; "" if they were no texts.
    """

    days: NDArray[np.float64]
    notation: str = ""


@dataclass(frozen=True)
class Booleans:
    """Cells of a source that knows they are False or True: values (N,) float64, 0 or 1, nan where missing."""

    values: NDArray[np.float64]


Cells = Texts | Numbers | Dates | Booleans


def count_rows(cells: Cells) -> int:
    """Return N, the number of cells."""
    match cells:
        case Texts(codes=codes):
            return len(codes)
        case Dates(days=days):
            return len(days)
    return len(cells.values)


class Source(Protocol):
    """Where cells come from: a file, or a data frame.

    Of several processes each has a share of the rows, one behind the other in the order of ranks; a share may
    be empty. All processes call `cells` and `place` alike, and get errors at the same place: the same one, or
    `Elsewhere` in those that have none.

    Attributes
    ----------
    world : Processes
        The processes that share the rows; `ALONE` for a source that one process reads.
    name : str
        The file's path, or words such as "the table".
    names : tuple of str
        The names of all columns, different from each other, in order.
    rows : int
        N, the number of rows of this process's share, known once `cells` was read to its end.
    first : int
        The number of the first of them among the rows of all processes, known likewise.
    typed : bool
        Whether cells have the types of columns, as in a data frame: their numbers were never texts.
    index_like : tuple of str
        Columns that are no data by where they stand: the unnamed first column that pandas writes, say.
    notes : tuple of str
        What was guessed about the file and is shown before training: the delimiter, the encoding, names that
        were made.
    """

    world: Processes
    name: str
    names: tuple[str, ...]
    rows: int
    first: int
    typed: bool
    index_like: tuple[str, ...]
    notes: tuple[str, ...]

    def cells(self, names: Sequence[str], *, as_text: Sequence[str] = ()) -> MutableMapping[str, Cells]:
        """Return the cells of these columns; those `as_text` as `Texts`, whatever they are.

        Each column may be taken out of the mapping (`pop`) as soon as it is used, which frees its memory.
        All columns have the same N. The cells of a column are of one kind in all processes, but texts are
        those of this process's rows alone. Raises DataError with the place for what cannot be read.
        """
        ...

    def place(self, row: int) -> str:
        """Return where a row, counted from 0 over all processes, stands: "t.csv: row 3 (line 5)"."""
        ...

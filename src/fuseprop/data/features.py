"""Features: the matrix of a table, filled column by column, and what decides between columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from ..checks.quoting import counted, literal
from .cells import Source, Texts
from .choices import Choices
from .column import Column
from .deciding import Asked, Found, Undecided, number_of, undecided_error
from .different import Different, Place
from .errors import DataError, argument
from .notations import fits_of
from .target_rows import Targets

MOST_TOLD = 10

THOUSAND = 1000
"""A number from here on, as plain text, has no points between thousands."""


class Features:
    """The feature columns found so far, and the matrix (n, d) of their numbers, filled column by column."""

    def __init__(self, source: Source, targets: Targets, asked: dict[str, Asked], choices: Choices) -> None:
        self.columns: list[Column] = []
        self.notes: dict[str, str] = {}
        self._decimals: dict[str, str] = {}
        self._undecided: dict[int, Undecided] = {}
        self._source = source
        self._rows = targets.rows
        self._asked = asked
        self._refuses_missing = choices.missing == "refuse"
        self._X = empty_matrix(source, targets, len(asked))

    def add(self, outcome: Found | Undecided) -> None:
        """Add a feature; one that is undecided gets its numbers by `settle`."""
        self.columns.append(Column(outcome.name) if isinstance(outcome, Undecided) else outcome.column)
        self._put(len(self.columns) - 1, outcome)

    def told(self) -> list[str]:
        """Return the notes, of many columns the first ones."""
        notes = [*self.notes.values()]
        if len(notes) > MOST_TOLD:
            notes[MOST_TOLD:] = [
                f"{counted(len(notes) - MOST_TOLD, 'more column')} of numbers are read likewise."
            ]
        return notes

    def matrix(self) -> NDArray[np.float64]:
        """Return X (n, d)."""
        return self._X[:, : len(self.columns)]

    def _put(self, j: int, outcome: Found | Undecided) -> None:
        if isinstance(outcome, Undecided):
            self._undecided[j] = outcome
            return
        column, values = outcome.column, outcome.values
        self._X[:, j] = values if self._rows is None else values[self._rows]
        self.columns[j] = column
        if outcome.note:
            self.notes[column.name] = outcome.note
        if outcome.decimal:
            self._decimals[column.name] = outcome.decimal
        if self._refuses_missing and np.isnan(self._X[:, j]).any():
            row = int(np.argmax(np.isnan(self._X[:, j])))
            place = place_in(self._source, column.name)(row if self._rows is None else int(self._rows[row]))
            raise DataError(
                f"{place}: the value is missing. Fill it, or leave the row or the column out; "
                f'missing="encode" takes missing values as they are.'
            )

    def settle(self, refused: dict[str, str] | None) -> None:
        """Decide what stands before decimals where a column alone does not tell, by the others of the file.

        Raises DataError where they do not tell either, and where a file has decimal points and commas.
        """
        marks = {name: mark for name, mark in self._decimals.items() if not self._asked[name].kind}
        comma = next((name for name, mark in marks.items() if mark == ","), None)
        if comma is not None or self._undecided:
            self._settle(marks, comma, refused)
        self._leave_out(refused)

    def _settle(self, marks: Mapping[str, str], comma: str | None, refused: dict[str, str] | None) -> None:
        """Settle with the decimal marks of columns by name, of which `comma` has a comma."""
        plain = [] if self._source.typed else [j for j in range(len(self.columns)) if self._is_plain(j)]
        if comma is not None:
            for name, mark in marks.items():
                with refusing(name, refused):
                    self._refuse_points(name, mark, comma)
            self._reread(plain, comma, refused)
        has_points = "." in marks.values() or any(map(self._has_fractions, plain))
        mark = "," if comma is not None else "." if has_points else ""
        for j, undecided in self._undecided.items():
            name = undecided.name
            with refusing(name, refused):
                found = number_of(name, undecided.different, undecided.fits, mark)
                if isinstance(found, Undecided):
                    raise undecided_error(undecided, place_in(self._source, name))
                self._put(j, found)

    def _refuse_points(self, name: str, mark: str, comma: str) -> None:
        if mark == ".":
            column = next(column for column in self.columns if column.name == name)
            said = f"{name}={column.notation}"
            raise DataError(
                f"{self._source.name}: the column {literal(name)} has points before decimals, but "
                f"{literal(comma)} has commas. Correct one of them, or say that it stands as it is: "
                f"--numeric {argument(said)}, or numeric=({literal(said)},) in Python."
            )

    def _is_plain(self, j: int) -> bool:
        """Whether a column holds plain numbers by the rules, not because it was asked to."""
        column = self.columns[j]
        is_number = column.kind == "number" and not column.notation and j not in self._undecided
        return is_number and not self._asked[column.name].kind

    def _largest(self, j: int) -> float:
        return float(np.fmax.reduce(np.abs(self._X[:, j]), initial=0.0))  # 0 where all are missing

    def _has_fractions(self, j: int) -> bool:
        values = self._X[:, j]
        return bool((values % 1 > 0).any())

    def _reread(self, plain: list[int], comma: str, refused: dict[str, str] | None) -> None:
        """Read plain numbers again in a file with decimal commas: 1.234 is 1234 there."""
        doubtful = {
            self.columns[j].name: j for j in plain if self._has_fractions(j) or self._largest(j) < THOUSAND
        }
        if not doubtful:
            return
        cells = self._source.cells([*doubtful], as_text=[*doubtful])
        for name, j in doubtful.items():
            column = cells.pop(name)
            assert isinstance(column, Texts)
            different = Different(column)
            points = np.array(["." in text for text in different.texts])
            if not points.any():
                continue
            with refusing(name, refused):
                found = number_of(name, different, fits_of(different.texts), ",")
                if isinstance(found, Undecided):
                    row, text, _ = different.first(points)
                    raise DataError(
                        f"{place_in(self._source, name)(row)}: {literal(text)} has a point before decimals, "
                        f"but the column {literal(comma)} has commas. Correct one of them, or say that it "
                        f"stands as it is: --numeric {argument(name)}, or numeric=({literal(name)},) in "
                        f"Python."
                    )
                self._put(j, found)

    def _leave_out(self, refused: dict[str, str] | None) -> None:
        """Leave out the columns that were refused after they had got a place."""
        kept = [j for j, column in enumerate(self.columns) if column.name not in (refused or ())]
        if len(kept) < len(self.columns):
            self.columns = [self.columns[j] for j in kept]
            self._X[:, : len(kept)] = self._X[:, kept]


def empty_matrix(source: Source, targets: Targets, d: int) -> NDArray[np.float64]:
    """Return a matrix (n, d) for the rows that have a target; what is never written takes no memory."""
    if source.rows == 0:
        raise DataError(f"{source.name} holds no rows.")
    return np.empty((source.rows if targets.rows is None else len(targets.rows), d), order="F")


@contextmanager
def refusing(name: str, refused: dict[str, str] | None) -> Iterator[None]:
    """Put the text of a DataError about a column into `refused`, if there is such a dict."""
    try:
        yield
    except DataError as error:
        if refused is None:
            raise
        refused[name] = str(error)


def place_in(source: Source, name: str) -> Place:
    """Return what says where a row's cell in a column stands."""
    return lambda row: f"{source.place(row)}, column {literal(name)}"

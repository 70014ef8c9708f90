"""Features: the matrix of a table, filled column by column, and what decides between columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

import numpy as np
from numpy.typing import NDArray

from ..checks.quoting import counted, literal
from .cells import Source
from .choices import Choices
from .column import Column
from .deciding import Asked, Found, Undecided, number_of, undecided_error
from .decimals import (
    first_comma,
    has_clear_points,
    has_fractions,
    marks_in,
    may_have_thousands,
    texts_with_points,
)
from .different import Different, Place
from .errors import DataError, argument
from .notations import PLAIN, fits_of
from .share import share_of
from .target_rows import Targets

MOST_TOLD = 10


class Features:
    """The feature columns found so far, and the matrix (n, d) of their numbers, filled column by column.

    `targets`, of these names, are read again by `settle` where a point stands between thousands; where
    they do not stand as they are (`targets_stand`), other points beside decimal commas are refused.
    """

    def __init__(
        self,
        source: Source,
        targets: Targets,
        target_names: Sequence[str],
        asked: dict[str, Asked],
        choices: Choices,
        *,
        targets_stand: bool = False,
    ) -> None:
        self.columns: list[Column] = []
        self.targets = targets
        self._target_names = target_names
        self._targets_stand = targets_stand
        self._hints: dict[str, str] = {}
        self.notes: dict[str, str] = {}
        self._decimals: dict[str, str] = {}
        self._undecided: dict[int, Undecided] = {}
        self._source, self._share = source, share_of(source)
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
        missing = np.isnan(self._X[:, j]) if self._refuses_missing else np.zeros(0, np.bool_)
        first = self._share.first_where(missing, self._X[:, j], self._rows)
        if first is not None:
            place = place_in(self._source, column.name)(first[0])
            raise DataError(
                f"{place}: the value is missing. Fill it, or leave the row or the column out; "
                f'missing="encode" takes missing values as they are.'
            )

    def hint(self, name: str, mark: str) -> None:
        """Note what stands before decimals in a column that is a target, or no feature by the rules."""
        if mark:
            self._hints[name] = mark

    def settle(self, refused: dict[str, str] | None, unread: Sequence[str]) -> None:
        """Decide what stands before decimals where a column alone does not tell, by the others of the file.

        Columns that are `unread` are read where only they may tell. Raises DataError where nothing tells, and
        where a file has decimal points and commas.
        """
        marks = {name: mark for name, mark in self._decimals.items() if not self._asked[name].kind}
        marks |= {name: self._hints.pop(name) for name in self._numeric_targets() if name in self._hints}
        plain = {} if self._source.typed else self._plain(marks)
        if unread and "," not in (*marks.values(), *self._hints.values()) and self._is_open(plain):
            self._hints |= marks_in(self._source, unread)
        comma, likely = (first_comma(found) for found in (marks, self._hints))
        if comma is not None:
            for name, mark in marks.items():
                with refusing(name, refused):
                    self._refuse_points(name, mark, comma)
            self._reread(texts_with_points(self._source, plain), comma, refused)
            self._choose(",", refused)
        elif likely is not None:
            points = texts_with_points(self._source, plain)
            clear = next((name for name, one in points.items() if not may_have_thousands(one)), None)
            clear = clear or next((name for name, mark in marks.items() if mark == "."), None)
            doubtful = {name: one for name, one in points.items() if may_have_thousands(one)}
            if clear is None:
                self._reread(doubtful, likely, refused)
                self._choose(",", refused)
            else:
                for name, different in doubtful.items():
                    with self._refusing(name, refused):
                        raise self._doubtful(name, different, likely, clear)
                self._choose("", refused)
        elif self._undecided:
            has_points = "." in (*marks.values(), *self._hints.values())
            has_points = has_points or self._share.any(any(map(has_fractions, plain.values())))
            self._choose("." if has_points else "", refused)
        self._leave_out(refused)

    def _choose(self, mark: str, refused: dict[str, str] | None) -> None:
        """Read the undecided columns with a decimal mark; "" where nothing tells."""
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

    def _plain(self, marks: Mapping[str, str]) -> dict[str, NDArray[np.float64]]:
        """Return the columns of plain numbers by the rules, not because they were asked to be."""
        found = {
            column.name: self._X[:, j]
            for j, column in enumerate(self.columns)
            if column.kind == "number"
            and not column.notation
            and j not in self._undecided
            and not self._asked[column.name].kind
        }
        return found | {name: values for name, values in self._numeric_targets().items() if name not in marks}

    def _numeric_targets(self) -> dict[str, NDArray[np.float64]]:
        """Return the targets that were read as numbers, by name."""
        return self.targets.numbers(self._target_names)

    def _is_open(self, plain: Mapping[str, NDArray[np.float64]]) -> bool:
        """Whether a column was not decided, or has points that may stand between thousands."""
        unclear = {
            name: values for name, values in plain.items() if not self._share.any(has_clear_points(values))
        }
        return bool(self._undecided) or any(
            map(may_have_thousands, texts_with_points(self._source, unclear).values())
        )

    def _reread(self, points: Mapping[str, Different], comma: str, refused: dict[str, str] | None) -> None:
        """Read plain numbers with points again in a file with decimal commas: 1.234 is 1234 there."""
        for name, different in points.items():
            with self._refusing(name, refused):
                found = number_of(name, different, fits_of(different.texts), ",")
                if isinstance(found, Found):
                    self._put_again(name, found)
                elif name in self._asked or not self._targets_stand:
                    raise self._has_point(name, different, comma)

    def _put_again(self, name: str, found: Found) -> None:
        if name in self._asked:
            self._put(next(j for j, column in enumerate(self.columns) if column.name == name), found)
            return
        self.targets = self.targets.read_again(self._target_names.index(name), found)

    def _refusing(self, name: str, refused: dict[str, str] | None) -> AbstractContextManager[None]:
        """Refuse a column as `refusing`; a target always by raising."""
        return refusing(name, refused if name in self._asked else None)

    def _has_point(self, name: str, different: Different, comma: str) -> DataError:
        """Return the error for a point before decimals beside a column with commas."""
        row, text, _ = different.first(np.array(["." in text for text in different.texts]))
        as_it_is = f"--numeric {argument(name)}, or numeric=({literal(name)},) in Python."
        if name not in self._asked:
            as_it_is = '--target-as numbers, or target_as="numbers" in Python.'
        return DataError(
            f"{place_in(self._source, name)(row)}: {literal(text)} has a point before decimals, but the "
            f"column {literal(comma)} has commas. Correct one of them, or say that it stands as it is: "
            f"{as_it_is}"
        )

    def _doubtful(self, name: str, different: Different, comma: str, clear: str) -> DataError:
        """Return the error for a point that may be either, beside columns that say different things."""
        row, text, _ = different.first(np.array(["." in text for text in different.texts]))
        whole, grouped = f"{name}={PLAIN}", f"{name}=1.234,5"
        say = (
            f"Say which: --numeric {argument(whole)} for a point before decimals, --numeric "
            f"{argument(grouped)} for one between thousands; numeric=({literal(whole)},) in Python."
        )
        if name not in self._asked:
            say = "Write it without a point between thousands, or the decimals of all columns with points."
        return DataError(
            f"{place_in(self._source, name)(row)}: the point in {literal(text)} may stand before decimals, "
            f"as in the column {literal(clear)}, or between thousands, as the column {literal(comma)} has "
            f"decimal commas. {say}"
        )

    def _leave_out(self, refused: dict[str, str] | None) -> None:
        """Leave out the columns that were refused after they had got a place."""
        kept = [j for j, column in enumerate(self.columns) if column.name not in (refused or ())]
        if len(kept) < len(self.columns):
            self.columns = [self.columns[j] for j in kept]
            self._X[:, : len(kept)] = self._X[:, kept]


def empty_matrix(source: Source, targets: Targets, d: int) -> NDArray[np.float64]:
    """Return a matrix (n, d) for the rows that have a target; what is never written takes no memory."""
    if not share_of(source).any(source.rows > 0):
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

"""Assembling: from the cells of a source to a table of features and targets."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from shlex import quote

import numpy as np
from numpy.typing import NDArray

from ..checks.quoting import literal, shown
from .cells import Cells, Numbers, Source, Texts
from .choices import Choices
from .column import Column
from .column_cells import is_read_as_text, read_as
from .deciding import (
    Asked,
    Different,
    Found,
    Out,
    Place,
    Undecided,
    decide,
    mistakes_in,
    number_of,
    undecided_error,
)
from .errors import DataError, check_columns
from .notations import fits_of
from .table import LeftOut, Table
from .target_cells import Reading
from .target_rows import Targets, read_targets, wants_text

FEATURELESS = 12
"""So many columns are listed, with why they are left out, where no feature is left."""


def assemble(
    source: Source,
    target: Sequence[str] | None,
    choices: Choices,
    reading: Reading,
    refused: dict[str, str] | None = None,
) -> Table:
    """Return the table of a source, whose columns are what the choices or the rules in `deciding` say.

    Parameters
    ----------
    source : Source
    target : sequence of str, optional
        The target columns; without any, the table has no targets.
    choices : Choices
    reading : Reading
        How the targets are read.
    refused : dict, optional
        Takes the columns whose cells are refused, each with the error's text; they are no features then. By
        default the first of these errors is raised.

    Raises DataError, with the place, for cells that the rules refuse, that do not fit a choice, or that are
    no targets; for columns that are not there; and if there is no row or no feature.
    """
    target = tuple(target or ())
    asked, left_out = _asked(source, target, choices)
    as_text = [name for name, one in asked.items() if _is_asked_as_text(one, source)]
    if wants_text(reading):
        as_text += target
    cells = source.cells([*target, *asked], as_text=as_text)
    for name, column in cells.items():
        if isinstance(column, Numbers) and column.count and name in asked and not asked[name].kind:
            with _refusing(name, refused):
                mistakes_in(name, column, _place(source, name))
    _read_doubtful_again(source, cells, [name for name in cells if name not in (refused or ())])
    targets = read_targets(source, cells, target, reading)
    features = _Features(source, targets, asked, choices)
    for name in asked:
        column = cells.pop(name)
        if refused and name in refused:
            continue
        with _refusing(name, refused):
            outcome = decide(name, column, _place(source, name), asked[name])
            if isinstance(outcome, Out):
                left_out[name] = outcome.why
            else:
                features.add(outcome)
    features.settle(refused)
    if not features.columns and not refused:
        raise _no_feature(source, left_out)
    return Table(
        features.matrix(),
        targets.values,
        tuple(features.columns),
        target,
        source.name,
        left_out=tuple(LeftOut(name, left_out[name]) for name in source.names if name in left_out),
        notes=(*source.notes, *targets.notes, *features.notes.values()),
        rows=targets.rows,
        without_target=targets.without,
    )


def assemble_as(source: Source, columns: Sequence[Column], target: Sequence[str], reading: Reading) -> Table:
    """Return the table of a source with these columns, about which nothing is decided any more.

    Texts that are not among a category's levels get codes behind them; the table's own column has these
    levels too.

    Raises DataError, with the place, for cells that do not fit their column; for columns that are not there.
    """
    target = tuple(target)
    names = [column.name for column in columns]
    check_columns(target, source.names, source.name, "targets")
    check_columns(names, source.names, source.name, "features")
    as_text = [column.name for column in columns if is_read_as_text(column, typed=source.typed)]
    if wants_text(reading):
        as_text += target
    cells = source.cells([*target, *names], as_text=as_text)
    _read_doubtful_again(source, cells, target)
    targets = read_targets(source, cells, target, reading)
    n = source.rows if targets.rows is None else len(targets.rows)
    X = np.empty((n, len(columns)), order="F")
    read = []
    for j, column in enumerate(columns):
        own, values = read_as(column, cells.pop(column.name), _place(source, column.name))
        X[:, j] = values if targets.rows is None else values[targets.rows]
        read.append(own)
    return Table(
        X,
        targets.values,
        tuple(read),
        target,
        source.name,
        notes=(*source.notes, *targets.notes),
        rows=targets.rows,
        without_target=targets.without,
    )


@contextmanager
def _refusing(name: str, refused: dict[str, str] | None) -> Iterator[None]:
    """Put the text of a DataError about a column into `refused`, if there is such a dict."""
    try:
        yield
    except DataError as error:
        if refused is None:
            raise
        refused[name] = str(error)


def _read_doubtful_again(source: Source, cells: MutableMapping[str, Cells], names: Sequence[str]) -> None:
    """Put the texts of columns into `cells` that are not all plain numbers, though many are."""
    doubtful = [name for name in names if isinstance(column := cells[name], Numbers) and column.count]
    if doubtful:
        cells.update(source.cells(doubtful, as_text=doubtful))


def _asked(
    source: Source, target: Sequence[str], choices: Choices
) -> tuple[dict[str, Asked], dict[str, str]]:
    """Return what is asked of each column to be examined, and why each other one is left out.

    Raises DataError for columns that are not there, and for choices that contradict the target.
    """
    names, named = source.names, set(choices.named())
    check_columns(target, names, source.name, "targets")
    notations, formats = choices.notations(), choices.formats()
    for what, wanted in (
        ("features", choices.features or ()),
        ("columns", (*choices.drop, *notations, *choices.categorical, *formats)),
    ):
        check_columns(wanted, names, source.name, what)
    for name in target:
        if name in named or name in choices.drop:
            raise DataError(
                f"{source.name}: {shown(name)} is the target, so it cannot be dropped or be a feature. "
                f"How a target is read is said by --target-as, or target_as= in Python."
            )
    out = dict.fromkeys(choices.drop, "it was dropped")
    index = names[:1] if choices.ignore_index else ()
    if index and (index[0] in named or index[0] in target):
        raise DataError(
            f"{source.name}: {shown(index[0])} cannot be the index and a feature or the target too."
        )
    for name in (*source.index_like, *index):
        if name not in named:
            out.setdefault(name, "it is the index of the rows")
    if choices.features is not None:
        chosen = choices.features
        out |= {
            name: "it is not among the features named"
            for name in names
            if name not in chosen and name not in out
        }
    else:
        chosen = [name for name in names if name not in out and name not in target]
    asked = {}
    for name in chosen:
        kind, notation = "", ""
        if name in notations:
            kind, notation = "number", notations[name]
        elif name in formats:
            kind, notation = "date", formats[name]
        elif name in choices.categorical:
            kind = "category"
        asked[name] = Asked(kind, notation, kept=name in named)
    return asked, {name: why for name, why in out.items() if name not in target}


def _is_asked_as_text(asked: Asked, source: Source) -> bool:
    """Whether the texts of cells that are plain numbers are needed."""
    if asked.kind == "category":
        return True
    return not source.typed and (asked.kind == "date" or bool(asked.notation))


class _Features:
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
        n = source.rows if targets.rows is None else len(targets.rows)
        if n == 0:
            raise DataError(f"{source.name} holds no rows.")
        # In columns, so that the memory behind the last one is never touched.
        self._X = np.empty((n, len(asked)), order="F")

    def add(self, outcome: Found | Undecided) -> None:
        """Add a feature; one that is undecided gets its numbers by `settle`."""
        self.columns.append(Column(outcome.name) if isinstance(outcome, Undecided) else outcome.column)
        self._put(len(self.columns) - 1, outcome)

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
            place = _place(self._source, column.name)(row if self._rows is None else int(self._rows[row]))
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
        if comma is None and not self._undecided:
            return
        plain = [] if self._source.typed else [j for j in range(len(self.columns)) if self._is_plain(j)]
        if comma is not None:
            for name, mark in marks.items():
                with _refusing(name, refused):
                    self._refuse_points(name, mark, comma)
            self._reread(plain, comma, refused)
        has_points = "." in marks.values() or any(map(self._has_fractions, plain))
        mark = "," if comma is not None else "." if has_points else ""
        for j, undecided in self._undecided.items():
            name = undecided.name
            with _refusing(name, refused):
                found = number_of(name, undecided.different, undecided.fits, mark)
                if isinstance(found, Undecided):
                    raise undecided_error(undecided, _place(self._source, name))
                self._put(j, found)
        self._leave_out(refused)

    def _refuse_points(self, name: str, mark: str, comma: str) -> None:
        if mark == ".":
            column = next(column for column in self.columns if column.name == name)
            said = f"{name}={column.notation}"
            raise DataError(
                f"{self._source.name}: the column {literal(name)} has points before decimals, but "
                f"{literal(comma)} has commas. Correct one of them, or say that it stands as it is: --numeric "
                f"{quote(said)}, or numeric=({literal(said)},) in Python."
            )

    def _is_plain(self, j: int) -> bool:
        """Whether a column holds plain numbers by the rules, not because it was asked to."""
        column = self.columns[j]
        is_number = column.kind == "number" and not column.notation and j not in self._undecided
        return is_number and not self._asked[column.name].kind

    def _largest(self, j: int) -> float:
        return float(np.nanmax(np.abs(self._X[:, j])))

    def _has_fractions(self, j: int) -> bool:
        values = self._X[:, j]
        return bool((values % 1 > 0).any())

    def _reread(self, plain: list[int], comma: str, refused: dict[str, str] | None) -> None:
        """Read plain numbers again in a file with decimal commas: 1.234 is 1234 there."""
        doubtful = {
            self.columns[j].name: j for j in plain if self._has_fractions(j) or self._largest(j) < 1000
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
            with _refusing(name, refused):
                found = number_of(name, different, fits_of(different.texts), ",")
                if isinstance(found, Undecided):
                    row, text, _ = different.first(points)
                    raise DataError(
                        f"{_place(self._source, name)(row)}: {literal(text)} has a point before decimals, "
                        f"but the column {literal(comma)} has commas. Correct one of them, or say that it "
                        f"stands as it is: --numeric {quote(name)}, or numeric=({literal(name)},) in Python."
                    )
                self._put(j, found)

    def _leave_out(self, refused: dict[str, str] | None) -> None:
        """Leave out the columns that were refused after they had got a place."""
        kept = [j for j, column in enumerate(self.columns) if column.name not in (refused or ())]
        if len(kept) < len(self.columns):
            self.columns = [self.columns[j] for j in kept]
            self._X[:, : len(kept)] = self._X[:, kept]


def _no_feature(source: Source, left_out: dict[str, str]) -> DataError:
    reasons = [f"{shown(name)}: {why}" for name, why in left_out.items()]
    more = f"; and {len(reasons) - FEATURELESS} more" if len(reasons) > FEATURELESS else ""
    return DataError(
        f"{source.name} has no column beside the target that is a feature; at least one is needed. "
        f"{'; '.join(reasons[:FEATURELESS])}{more}."
    )


def _place(source: Source, name: str) -> Place:
    return lambda row: f"{source.place(row)}, column {literal(name)}"

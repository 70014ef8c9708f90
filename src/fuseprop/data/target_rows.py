"""Targets of a source: which rows have one, and its numbers or classes there."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..checks.quoting import counted, literal
from .arrays import stacked
from .cells import Booleans, Cells, Dates, Source, Texts
from .deciding import Found, number_of
from .decimals import first_comma, has_clear_points, marks_in, may_have_thousands, texts_with_points
from .errors import DataError, argument
from .notations import DIGITS, fits_of
from .share import Share, share_of
from .spelling import is_missing, visible
from .target_cells import MANY_NUMBERS, Reading, read_cells

BOOLEANS = {"false": 0.0, "true": 1.0}


@dataclass(frozen=True)
class Targets:
    """The targets of the rows that have them.

    Attributes
    ----------
    values : (n, t) float64 or text, or None
        None without target columns.
    rows : (n,) int64, or None
        The rows of this process's share, counted from 0, where some are left out; None where all are there.
    without : int
        How many rows of all processes are left out because a target is missing.
    notes : tuple of str
        What is told of texts that were taken for missing values.
    """

    values: HostArray | None = None
    rows: NDArray[np.int64] | None = None
    without: int = 0
    notes: tuple[str, ...] = ()

    def numbers(self, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """Return the numbers (n,) of each target by its name; none if they are text."""
        if self.values is None or self.values.dtype.kind == "U":
            return {}
        return dict(zip(names, self.values.T, strict=True))

    def read_again(self, k: int, found: Found) -> Targets:
        """Return the targets with other numbers, of all rows of the source, in column k."""
        assert self.values is not None
        values = self.values.copy()
        values[:, k] = found.values if self.rows is None else found.values[self.rows]
        return replace(self, values=values, notes=(*self.notes, found.note))


def wants_text(reading: Reading) -> bool:
    """Whether a reading needs the texts of cells that are numbers."""
    return reading.target_as == "text" or bool(reading.keep_as_class)


def read_targets(
    source: Source, cells: MutableMapping[str, Cells], target: Sequence[str], reading: Reading
) -> Targets:
    """Take the target columns out of `cells` and return them, read as by `read_cells`.

    Rows in which a target is missing are left out. All processes call it with cells that are `united`, and
    raise alike: DataError for targets that are missing in all rows,
    for a text that says so but is the most frequent one of few, for dates, and as `read_cells`.
    """
    if not target:
        return Targets()
    columns, share = {name: cells.pop(name) for name in target}, share_of(source)
    for name, column in columns.items():
        if isinstance(column, Texts):
            _refuse_likely_class(source, name, column, reading)
    missing = np.logical_or.reduce([_is_missing(column, reading) for column in columns.values()])
    without, rows = share.total(int(missing.sum())), None
    if without and without == share.total(len(missing)):
        raise DataError(f"{source.name}: the target {literal(target[0])} is missing in all rows.")
    if without:
        rows = np.flatnonzero(~missing)
    several = len(columns) > 1 and not wants_text(reading)
    values = [
        _read(source, name, _zero_one(column) if several else column, rows, reading)
        for name, column in columns.items()
    ]
    notes = [
        note
        for name, column in columns.items()
        if isinstance(column, Texts)
        for note in _notes(name, column, reading, share)
    ]
    return Targets(stacked(values, share), rows, without, tuple(notes))


def with_thousands(
    source: Source, targets: Targets, names: Sequence[str], marks: Mapping[str, str], unread: Sequence[str]
) -> Targets:
    """Return targets of which 1.234 is read as 1234 where the source has decimal commas.

    `marks` are the decimal marks of columns that were read; those `unread` are read where they may tell.
    """
    share = share_of(source)
    plain = {
        name: values
        for name, values in targets.numbers(names).items()
        if name not in marks and not share.any(has_clear_points(values))
    }
    if not plain or (first_comma(marks) is None and not unread):
        return targets
    points = texts_with_points(source, plain)
    points = {name: different for name, different in points.items() if may_have_thousands(different)}
    if points and first_comma(marks) is None:
        marks = marks_in(source, unread)
    if points and first_comma(marks) is not None:
        for name, different in points.items():
            found = number_of(name, different, fits_of(different.texts), ",")
            assert isinstance(found, Found)
            targets = targets.read_again(names.index(name), found)
    return targets


def _is_missing(column: Cells, reading: Reading) -> NDArray[np.bool_]:
    """Return where (N,) there is no target."""
    if isinstance(column, Texts):
        missing = [is_missing(text) and text not in reading.keep_as_class for text in column.texts]
        of_rows: NDArray[np.bool_] = np.array([*missing, True])[column.codes]
        return of_rows
    values = column.days if isinstance(column, Dates) else column.values
    return np.isnan(values)


def _refuse_likely_class(source: Source, name: str, column: Texts, reading: Reading) -> None:
    """Raise DataError for a text such as "none" that is the most frequent one of a column of classes."""
    if reading.target_as == "numbers" or reading.keep_as_class or len(column.texts) > MANY_NUMBERS:
        return
    share = share_of(source)
    present = np.array([bool(visible(text)) for text in [*column.texts, ""]])[column.codes]
    counts = share.world.total(np.bincount(column.codes[present], minlength=len(column.texts)))
    says_missing = np.array([is_missing(text) for text in column.texts], dtype=bool)
    likely = counts[says_missing].max(initial=0)
    if likely > 1 and likely >= counts[~says_missing].max(initial=0) > 0:
        place, rows = partial(_place, source, name), np.flatnonzero(present)
        read_cells(column.texts, column.codes[present], reading, place, share=share, rows=rows)


def _zero_one(column: Cells) -> Cells:
    """Return one of several targets that a file has as True and False as booleans, as in a data frame."""
    if not isinstance(column, Texts):
        return column
    values = [BOOLEANS.get(text.lower()) for text in column.texts]
    if any(value is None and not is_missing(text) for text, value in zip(column.texts, values, strict=True)):
        return column
    return Booleans(np.array([*values, None], dtype=np.float64)[column.codes])


def _read(
    source: Source, name: str, column: Cells, rows: NDArray[np.int64] | None, reading: Reading
) -> HostArray:
    share, place = share_of(source), partial(_place, source, name)
    if isinstance(column, Dates):
        days = column.days if rows is None else column.days[rows]
        found = share.first_where(np.ones(len(days), bool), days, rows)
        assert found is not None
        raise DataError(
            f"{place(found[0])}: a date is no target. Make a column of numbers of it, such as the days "
            f"since the first one."
        )
    if isinstance(column, Texts):
        codes = column.codes if rows is None else column.codes[rows]
        there = share.world.total(np.bincount(codes, minlength=len(column.texts))) > 0
        texts = [text for text, used in zip(column.texts, there, strict=True) if used]
        numbers = None if source.typed else _with_commas(texts, reading)
        if numbers is not None:
            of_rows: NDArray[np.float64] = numbers[(np.cumsum(there) - 1)[codes]]
            return of_rows
        codes = (np.cumsum(there) - 1)[codes]
        return read_cells(texts, codes, reading, place, typed=source.typed, share=share, rows=rows)
    values = column.values if rows is None else column.values[rows]
    infinite = share.first_where(np.isinf(values), values, rows)
    if infinite is not None:
        raise DataError(f"{place(infinite[0])}: expected a finite number, got inf.")
    return values


def _with_commas(texts: Sequence[str], reading: Reading) -> NDArray[np.float64] | None:
    """Return the numbers of texts that can only be numbers with decimal commas, most of which have one.

    None for other texts: where a few have a comma, these may be mistakes, and are refused with the first row.
    """
    if wants_text(reading) or sum("," in text for text in texts) <= len(texts) / 2:
        return None
    fits = fits_of(texts)
    are_clear = all(fit.decimal == "," and fit.notation in DIGITS for fit in fits)
    if not fits or not are_clear or any((fit.values != fits[0].values).any() for fit in fits):
        return None
    return fits[0].values


def _notes(name: str, column: Texts, reading: Reading, share: Share) -> list[str]:
    """Return what is told of texts that say that a target is missing, and could be classes."""
    found = []
    for code, text in enumerate(column.texts):
        if visible(text) and is_missing(text) and text not in reading.keep_as_class:
            rows = share.total(int((column.codes == code).sum()))
            found.append(
                f"{literal(text)} in {counted(rows, 'row')} of the target {literal(name)} says that the "
                f"value is missing. Where it is a class: --keep-as-class {argument(text)}, or "
                f"keep_as_class= in Python."
            )
    return found


def _place(source: Source, name: str, row: int) -> str:
    return f"{source.place(row)}, column {literal(name)}"

"""Cells read as a column that is known, about which nothing is decided any more: for a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..checks.quoting import literal
from .cells import Booleans, Cells, Dates, Numbers, Texts
from .column import Column
from .dates import ISO, days_of
from .different import Different, Place
from .errors import DataError
from .notations import PLAIN, values_of
from .share import WHOLE, Share


def is_read_as_text(column: Column) -> bool:
    """Whether a column of a file needs the texts of cells that are plain numbers.

    In another notation 1.234 may be another number, and in another format 2024 a date; but what a source
    takes for dates cannot be anything else.
    """
    return column.kind == "category" or (bool(column.notation) and column.notation not in ISO)


def refuse_others(column: Column, cells: Cells, place: Place) -> None:
    """Raise DataError for a text beside plain numbers that is no number of the column in any way."""
    if isinstance(cells, Numbers) and cells.count and column.kind == "number":
        values = values_of([*cells.others.values()], column.notation or PLAIN)
        if np.isnan(values).any():
            row = [*cells.others][int(np.argmax(np.isnan(values)))]
            raise _unlike(column, place(row), cells.others[row], cells.count)


def read_as(
    column: Column, cells: Cells, place: Place, share: Share = WHOLE
) -> tuple[Column, NDArray[np.float64]]:
    """Return the column itself, and the numbers (N,) in its cells, which are texts unless all are numbers.

    A category's column has the levels behind its own that the cells hold, in all processes that share the
    rows: `united` has told their cells by what all have. Raises DataError, with the place, for cells that are
    not of the column's kind.
    """
    if isinstance(cells, Texts):
        different = Different(cells, share)
        if column.kind == "category":
            return _category(column, different)
        by_text = _values(column, different.texts)
        bad = np.isnan(by_text)
        if bad.any():
            row, text, rows = different.first(bad)
            raise _unlike(column, place(row), text, rows)
        return column, different.spread(by_text)
    if isinstance(cells, Dates):
        _check_kind(column, cells.days, place, share, "date", "a date")
        return column, cells.days
    values = cells.values
    if isinstance(cells, Booleans):
        if column.kind != "number":
            _check_kind(column, values, place, share, "boolean", "a boolean")
        return column, values
    _refuse(column, np.isinf(values), values, place, share)
    if column.kind == "boolean":
        _refuse(column, ~np.isnan(values) & (values != 0) & (values != 1), values, place, share)
        return column, values
    _check_kind(column, values, place, share, "number", "a number")
    return column, values


def _refuse(
    column: Column, bad: NDArray[np.bool_], values: NDArray[np.float64], place: Place, share: Share
) -> None:
    """Raise DataError for the first of the numbers that are no cells of the column."""
    found = share.first_where(bad, values)
    if found is not None:
        row, value, rows = found
        raise _unlike(column, place(row), f"{value:g}", rows)


def _values(column: Column, texts: list[str]) -> NDArray[np.float64]:
    """Return what texts (K,) stand for in a column; nan for those that do not belong there."""
    if column.kind == "number":
        return values_of(texts, column.notation or PLAIN)
    if column.kind == "date":
        if column.notation:
            return days_of(texts, column.notation)
        # The column was learned from dates that never were texts.
        found = [days_of(texts, form) for form in ISO] if texts else [np.empty(0)]
        return min(found, key=lambda days: int(np.isnan(days).sum()))
    place = {level: float(i) for i, level in enumerate(column.levels)}
    return np.array([place.get(text.lower(), np.nan) for text in texts])


def _category(column: Column, different: Different) -> tuple[Column, NDArray[np.float64]]:
    place = {level: i for i, level in enumerate(column.levels)}
    by_text = np.array([place.setdefault(text, len(place)) for text in different.texts], dtype=np.float64)
    if len(place) > len(column.levels):
        column = replace(column, levels=tuple(place))
    return column, different.spread(by_text)


def _check_kind(
    column: Column, values: NDArray[np.float64], place: Place, share: Share, kind: str, what: str
) -> None:
    """Raise DataError for cells of another kind than the column's, unless all are missing."""
    found = None if column.kind == kind else share.first_where(~np.isnan(values), values)
    if found is not None:
        raise DataError(f"{place(found[0])}: expected {_EXPECTED[column.kind]}, got {what}.")


_EXPECTED = {"number": "a number", "boolean": "a boolean", "category": "a text", "date": "a date"}


def _unlike(column: Column, place: str, text: str, rows: int) -> DataError:
    expected = _EXPECTED[column.kind]
    if column.kind == "boolean":
        expected = f"{column.levels[0]} or {column.levels[1]}"
    elif column.notation:
        expected += (
            f" in the format {column.notation}" if column.kind == "date" else f" such as {column.notation}"
        )
    many = f" ({rows:,} such rows)" if rows > 1 else ""
    return DataError(f"{place}: expected {expected}, as in training, got {literal(text)}{many}. Correct it.")

"""Cells of a typed source as texts: as a file would spell them, and as a model's levels do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..checks.quoting import literal
from .cells import MISSING, Booleans, Cells, Dates, Numbers, Texts
from .column import Column
from .dates import ISO, date_text, formats_of
from .errors import DataError
from .objects import coded
from .share import WHOLE, Share
from .spelling import number
from .united import united


def as_texts(cells: Cells) -> Texts:
    """Return cells as texts: whole numbers without a point, False and True, dates as in ISO 8601."""
    match cells:
        case Texts():
            return cells
        case Numbers(values=values):
            different, codes = _different(values)
            return coded(different.tolist(), codes)
        case Booleans(values=values):
            different, codes = _different(values)
            return coded([bool(value) for value in different], codes)
        case Dates(days=days):
            different, codes = _different(days)
            return coded([date_text(day) for day in different.tolist()], codes)


def as_spelled(
    cells: Cells, column: Column, where: str, *, known: bool = False, share: Share = WHOLE
) -> Cells:
    """Return the cells of a typed source as those of a file from which a model's column was learned.

    A library that took 007 for the number 7, or TRUE for True, gave up how the cells were written; a column
    of categories knows it. `where` names the column in errors. Where all texts are `known` to be among the
    levels, as the classes of a target are, the only level that is the same number is meant.

    All processes call it, each with the cells of its `share`; the texts are those of all (see `united`).

    Raises DataError, alike in all, for a number or a boolean that may be one of several levels, or another
    spelling of one.
    """
    if isinstance(cells, Numbers) and column.kind == "date" and column.notation:  # 20261126, say
        return united(as_texts(cells), share)
    if isinstance(cells, Texts) or column.kind != "category":
        return cells
    value_of, what = _VALUES[type(cells)]
    alike: dict[object, list[str]] = {}
    for level in column.levels:
        alike.setdefault(value_of(level), []).append(level)
    alike.pop(None, None)
    texts = united(as_texts(cells), share)
    assert isinstance(texts, Texts)
    spelled = []
    for text in texts.texts:
        value = value_of(text)
        same = alike.get(value, [text])
        if same != [text] and (len(same) > 1 or not (known or _is_same(same[0], value))):
            raise DataError(
                f"{where} holds {text}, {what}, but the model learned texts there, such as "
                f"{literal(same[0])}. Which one is meant cannot be told: read the column as text, as by "
                f"dtype=str in pandas."
            )
        spelled.append(same[0])
    return coded(spelled, texts.codes)


def _day(text: str) -> float | None:
    """Return the days in a date of ISO 8601; None for other texts."""
    found = formats_of([text], ISO)
    return next((float(days[0]) for days in found.values()), None)


_VALUES: dict[type[Cells], tuple[Callable[[str], object], str]] = {
    Booleans: (str.lower, "a boolean"),
    Numbers: (number, "a number"),
    Dates: (_day, "a date"),
}
"""What texts that stand for the same value have in common, and words for such a value."""


def _is_same(level: str, value: object) -> bool:
    """Whether a level is another spelling of a boolean or a date, or a number as a library writes floats."""
    is_number = number(level) is not None
    return not is_number or level == repr(value)


def _different(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the different numbers in the order of their first rows, and each row's position; -1 for nan."""
    different, first, codes = np.unique(values, return_index=True, return_inverse=True)
    count = len(different) - (bool(len(different)) and bool(np.isnan(different[-1])))
    order = np.argsort(first[:count])
    place = np.full(len(different), MISSING, np.int64)
    place[order] = np.arange(count)
    return different[order], place[codes]

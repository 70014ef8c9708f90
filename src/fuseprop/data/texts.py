"""Cells of a typed source as texts: as a file would spell them, and as a model's levels do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..checks.quoting import literal
from .cells import MISSING, Booleans, Cells, Dates, Numbers, Texts
from .column import Column
from .dates import date_text
from .errors import DataError
from .objects import coded
from .spelling import number


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


def as_spelled(cells: Cells, column: Column, where: str) -> Cells:
    """Return the cells of a typed source as those of a file from which a model's column was learned.

    A library that took 007 for the number 7, or TRUE for True, gave up how the cells were written; a column
    of categories knows it. `where` names the column in errors.

    Raises DataError for a number or a boolean that may be one of several levels, or another spelling of one.
    """
    if isinstance(cells, Numbers) and column.kind == "date" and column.notation:  # 20261126, say
        return as_texts(cells)
    if isinstance(cells, Texts) or column.kind != "category":
        return cells
    texts = as_texts(cells)
    spelled = [_spelled(text, column, cells, where) for text in texts.texts]
    return coded(spelled, texts.codes)


def _spelled(text: str, column: Column, cells: Cells, where: str) -> str:
    """Return the level that a cell's text stands for, or the text if it is none of them."""
    if isinstance(cells, Booleans):
        alike = [level for level in column.levels if level.lower() == text.lower()]
        what = "a boolean"
        if len(alike) == 1:
            return alike[0]
    elif isinstance(cells, Numbers):
        value = number(text)
        alike = [level for level in column.levels if number(level) == value]
        what = "a number"
    else:
        return text
    if alike not in ([], [text]):
        raise DataError(
            f"{where} holds {text}, {what}, but the model learned texts there, such as {literal(alike[0])}. "
            f"Which one is meant cannot be told: read the column as text, as by dtype=str in pandas."
        )
    return text


def _different(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the different numbers in the order of their first rows, and each row's position; -1 for nan."""
    different, first, codes = np.unique(values, return_index=True, return_inverse=True)
    count = len(different) - (bool(len(different)) and bool(np.isnan(different[-1])))
    order = np.argsort(first[:count])
    place = np.full(len(different), MISSING, np.int64)
    place[order] = np.arange(count)
    return different[order], place[codes]

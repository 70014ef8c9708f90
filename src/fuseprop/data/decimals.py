"""Decimal marks: whether 1.234 is 1234 in a file, whose columns all have points or commas before decimals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .cells import Cells, Numbers, Source, Texts
from .different import Different
from .notations import digits_of, fits_of
from .share import share_of

THOUSAND = 1000
"""A number from here on, as plain text, has no points between thousands."""


def mark_in(cells: Cells) -> str:
    """Return what stands before decimals in texts that are all numbers and tell it: "." or ","; else ""."""
    match cells:
        case Texts():
            texts = Different(cells).texts
        case Numbers(others=others):
            texts = [*others.values()]
        case _:
            return ""
    marks = {fit.decimal for fit in fits_of(texts)}
    return marks.pop() if len(marks) == 1 else ""


def marks_in(source: Source, names: Sequence[str]) -> dict[str, str]:
    """Return the decimal marks of columns that are read for this alone, where they tell one."""
    cells = source.cells(names) if names else {}
    return {name: mark for name in names if (mark := mark_in(cells.pop(name)))}


def first_comma(marks: Mapping[str, str]) -> str | None:
    """Return the first column with decimal commas."""
    return next((name for name, mark in marks.items() if mark == ","), None)


def texts_with_points(source: Source, plain: Mapping[str, NDArray[np.float64]]) -> dict[str, Different]:
    """Return the texts of those columns of plain numbers, by their values (n,), in which there are points."""
    share = share_of(source)
    doubtful = [
        name
        for name, values in plain.items()
        if share.any(has_fractions(values)) or share.world.greatest(_largest(values)) < THOUSAND
    ]
    cells = source.cells(doubtful, as_text=doubtful) if doubtful else {}
    found = {}
    for name in doubtful:
        column = cells.pop(name)
        assert isinstance(column, Texts)
        different = Different(column, share)
        if any("." in text for text in different.texts):
            found[name] = different
    return found


def may_have_thousands(different: Different) -> bool:
    """Whether the points in all texts, which are plain numbers, may stand between thousands."""
    return any(digits_of(fit.notation).decimal == "," for fit in fits_of(different.texts))


def has_fractions(values: NDArray[np.float64]) -> bool:
    """Whether one of the values is not whole."""
    return bool((values % 1 > 0).any())


def has_clear_points(values: NDArray[np.float64]) -> bool:
    """Whether one of the values, read as plain numbers, had a point that cannot stand between thousands."""
    size = np.abs(values[values % 1 > 0])
    return bool(((size < 1) | (size >= THOUSAND) | (np.round(size, 3) != size)).any())


def _largest(values: NDArray[np.float64]) -> float:
    return float(np.fmax.reduce(np.abs(values), initial=0.0))  # 0 where all are missing

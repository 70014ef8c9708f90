"""Mistakes: a few texts among numbers or dates, and numbers or dates written in several ways, are refused."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import isinf

import numpy as np

from ..checks.quoting import counted, literal
from .cells import Numbers
from .dates import FORMATS, LONGEST, days_of
from .different import Different, Place
from .errors import DataError, argument
from .notations import misfit_in
from .share import WHOLE, Share
from .spelling import is_code, number, other_spelling
from .target_cells import MANY_NUMBERS

MOSTLY = 0.9
"""Where more of the cells are numbers, or dates, a text is a mistake."""

RARE = 0.01
"""Texts in at most this share of the cells, or in one, are mistakes among few different numbers too: a second
header, a typing error. "3+" among 0, 1 and 2 is in more of them."""

_MAY_BE_DATE = re.compile(r"(?=.*[0-9]{4})(?=.*[0-9]\D+[0-9]).{8}", re.ASCII)


def refuse_among_numbers(name: str, cells: Numbers, place: Place, share: Share = WHOLE) -> None:
    """Raise DataError if the few texts beside the plain numbers of a column are mistakes.

    The texts are those of all processes that share the rows: see `united`.
    """
    if any(is_code(text) or other_spelling(text) is not None for text in cells.others.values()):
        return  # the texts of all cells are needed to tell
    numbers = cells.values[~np.isnan(cells.values)]
    right, different = share.total(len(numbers)), share.few_of(numbers, MANY_NUMBERS)
    wrong = _are_wrong(cells.count, right + cells.count, len(different))
    if wrong or (len(cells.others) == cells.count and _are_infinite(cells.others.values())):
        row, text = next(iter(cells.others.items()))
        raise mistake(name, place(row), text, cells.count, "a number", right)


def refuse_numbers(name: str, different: Different, place: Place) -> None:
    """Raise DataError for a few texts among numbers, and for numbers that are not all in one notation."""
    if share_of_numbers(different) < 0.5:
        return
    wrong = np.array([not _looks_like_number(text) for text in different.texts])
    if not wrong.any():
        raise _several_notations(name, different, place)
    row, text, rows = different.first(wrong)
    numbers = different.cells - rows
    are_wrong = _are_wrong(rows, different.cells, int((~wrong).sum()))
    if are_wrong or _are_infinite(text for text, one in zip(different.texts, wrong, strict=True) if one):
        raise mistake(name, place(row), text, rows, "a number", numbers)


def _several_notations(name: str, different: Different, place: Place) -> DataError:
    """Return the error for numbers that no notation fits, with the first row where none is left."""
    texts = different.texts
    at = misfit_in(texts)
    row, text, _ = different.first(np.arange(len(texts)) == at)
    if at:
        why = f"and {literal(texts[0])} are numbers, but not in one notation"
    else:
        spelling = other_spelling(text)
        assert spelling is not None  # plain numbers have a notation
        why = f"looks like {spelling.looks_like}, which is not read as one"
    return DataError(f"{place(row)}: {literal(text)} {why}. {remedy(name)}")


def refuse_dates(name: str, different: Different, place: Place) -> None:
    """Raise DataError for a few texts among dates, and for dates that are not all in one format."""
    forms = formats_among(different)
    if not forms:
        return
    fits = [~np.isnan(days_of(different.texts, form)) for form in forms]
    no_dates = ~np.logical_or.reduce(fits)
    if no_dates.any() and different.first(no_dates)[2] >= (1 - MOSTLY) * different.cells:
        return
    row, text, rows = different.first(~fits[0])
    raise mistake(name, place(row), text, rows, f"a date in the format {forms[0]}", different.cells - rows)


def formats_among(different: Different) -> list[str]:
    """Return the formats of dates in a sample, the commonest first; none if they fit less than half of it."""
    sample, shares = different.sample()
    if shares @ [len(text) <= LONGEST and bool(_MAY_BE_DATE.match(text)) for text in sample] < 0.5:
        return []
    fits = {form: ~np.isnan(days_of(sample, form)) for form in FORMATS}
    if shares @ np.logical_or.reduce([*fits.values()]) < 0.5:
        return []
    found = {form: float(shares @ fitting) for form, fitting in fits.items() if fitting.any()}
    return sorted(found, key=lambda form: -found[form])


def mistake(name: str, place: str, text: str, rows: int, expected: str, right: int = 0) -> DataError:
    """Return the error for a text in `rows` rows, where other texts or `right` cells are as expected."""
    if _are_infinite([text]):
        expected = "a finite number"
    among = f", as in {counted(right, 'other cell')}" if right else ""
    many = f" ({rows:,} such rows)" if rows > 1 else ""
    return DataError(f"{place}: expected {expected}{among}, got {literal(text)}{many}. {remedy(name)}")


def remedy(name: str) -> str:
    """Return what to do about a cell that does not fit its column."""
    option = argument(name)
    return (
        f"Correct it, or leave the column out (--drop {option}), or take it for categories "
        f"(--categorical {option}); in Python drop= and categorical=."
    )


def _are_wrong(others: int, cells: int, numbers: int) -> bool:
    """Whether so many others among so many cells, which hold so many different numbers, are mistakes.

    Of more than `MANY_NUMBERS` it does not matter how many there are.
    """
    are_many = numbers > min(MANY_NUMBERS, cells / 2)
    return cells - others > MOSTLY * cells and (are_many or others <= max(1, RARE * cells))


def share_of_numbers(different: Different) -> float:
    """Return the share of the cells that look like numbers, by a sample of the texts."""
    sample, shares = different.sample()
    return float(shares @ [*map(_looks_like_number, sample)])


def _looks_like_number(text: str) -> bool:
    value = number(text)
    return other_spelling(text) is not None if value is None else not isinf(value)


def _are_infinite(texts: Iterable[str]) -> bool:
    return all((value := number(text)) is not None and isinf(value) for text in texts)

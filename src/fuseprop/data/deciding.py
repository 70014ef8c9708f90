"""What a column is, decided by all its cells. The rules, in order; the first that fits decides:

1. constant: all cells are missing, or the same with none missing. Left out. (One value beside missing cells
   is a feature: whether it is there is what the column says.)
2. id: different whole numbers, none missing, in a column whose name says that they tell rows apart (id,
   user_id, userId), or that count on by one under a name for rows (index, row, Unnamed: 0). Left out.
3. number: every cell is a plain number; none has leading zeros, or more digits than float64 keeps.
4. boolean: every cell is one of a pair in `BOOLEANS`, in any case.
5. number in another notation (see `notations`): one notation fits every cell. Where several do and read
   other numbers, as for 1,234 alone, the other columns of the file decide (see `assembling`); if they do not,
   it is refused.
6. date (see `dates`): exactly one format fits every cell. Where several do, as for 03/04/2024, or only one
   with years of two digits does, it is refused: the format must be named.
7. over 90% of the cells are numbers, and either more than `MANY_NUMBERS` or half as many different ones as
   cells, or the others are `RARE`; or over 90% are dates: the others are taken for mistakes, and refused with
   the first row. So are inf among numbers, and numbers or dates written in several ways (see `mistakes`).
   Numbers with leading zeros are codes, and no numbers here.
8. free text: over 4 blanks a text on average, and more texts than half of the cells. Left out.
9. id: more than 20 cells, and over 90% as many different texts. Left out.
10. category. Where most cells are numbers, that is told.

Cells that a source gives as dates or booleans are that; rules 1 and 2 come first. Missing values
(`is_missing`) take no part. What a user says of a column comes before the rules; then a cell that does not
fit is refused, and the column is never left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..checks.quoting import counted, literal
from .cells import Cells, Dates, Numbers, Texts
from .column import Column
from .dates import FORMATS, SHORT_YEARS, days_of, formats_of
from .different import Different, Place
from .errors import DataError, argument
from .mistakes import formats_among, mistake, refuse_dates, refuse_numbers, share_of_numbers
from .notations import PLAIN, Fit, digits_of, fits_of, values_of
from .share import WHOLE, Share
from .spelling import is_code, number, shared_spelling

BOOLEANS = (("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"))
"""Pairs of texts for 0 and 1."""

MOST_SPELLINGS = 10
"""A boolean has at most so many different texts: no, No, NO, yes, ..."""

MOST_BLANKS = 4
"""Texts with more blanks on average are free text, if most of them differ."""

FEWEST_IDS = 20
MOST_DIFFERENT = 0.9
"""Texts in more cells than that are ids, if there are more different ones than this share of the cells."""

_DIGIT = re.compile(r"\d")
_MAY_BE_CODE = re.compile(r"[+-]?(?:0\d+|\d{16,})", re.ASCII)
"""Whole numbers with leading zeros, or more digits than every one that float64 holds; see `is_code`."""

_MEASURED = re.compile(r"[~+-]?\d+(?:[.,]\d+)*\s?[^\W\d][^\d]*|\d{1,2}:\d\d(?::\d\d)?")
"""A number with a unit or a size behind it, or a time of day."""

MEASURED = 1000
"""So many different texts are examined for units."""

FEWEST_MEASURED = 3

IS_ID = re.compile(r"(?i:(?:.*[\W_])?(?:id|uuid|guid))|.*[a-z0-9](?:Id|ID)", re.DOTALL)
"""Names of columns whose different whole numbers tell rows apart."""

COUNTS_ROWS = re.compile(
    r"(?:unnamed.*|index|(?:row)?[ _]?(?:names?|numbers?|nr\.?|no\.?|num|#)|row|obs|)", re.I | re.DOTALL
)
"""Names of columns that count rows, where their numbers do."""


@dataclass(frozen=True)
class Asked:
    """What a user says of a column.

    Attributes
    ----------
    kind : "number" | "category" | "date" | ""
        "" where the rules decide.
    notation : str
        The notation of numbers, or the format of dates; "" where it is to be found.
    kept : bool
        Whether the column is named as a feature, of a kind or not, and so never left out.
    """

    kind: str = ""
    notation: str = ""
    kept: bool = False


RULES = Asked()


@dataclass(frozen=True)
class Found:
    """A feature: its column, the numbers in its cells (N,), nan where missing, and what to tell of it.

    `decimal` is what stands before decimals in texts of another notation: "." or ","; "" where nothing tells.
    """

    column: Column
    values: NDArray[np.float64]
    note: str = ""
    decimal: str = ""


@dataclass(frozen=True)
class Out:
    """Why a column is left out."""

    why: str


@dataclass(frozen=True)
class Undecided:
    """A column of numbers in a notation that its own cells do not tell: `fits` read other numbers in them."""

    name: str
    fits: Sequence[Fit]
    different: Different


def decide(
    name: str, cells: Cells, place: Place, asked: Asked = RULES, share: Share = WHOLE
) -> Found | Out | Undecided:
    """Return what a column is by the rules above, or as it was asked for.

    Where several processes share its rows, all call this with their own cells, which `united` has told by
    what all have. Raises DataError, with the place, for cells that are refused.
    """
    if isinstance(cells, Texts):
        return _of_texts(name, Different(cells, share), place, asked)
    if isinstance(cells, Numbers):
        return _of_numbers(Column(name), cells.values, place, asked, share)
    if isinstance(cells, Dates):
        return _of_typed(Column(name, "date", notation=cells.notation), cells.days, place, asked, share)
    return _of_typed(Column(name, "boolean", BOOLEANS[0]), cells.values, place, asked, share)


def number_of(name: str, different: Different, fits: Sequence[Fit], decimal: str = "") -> Found | Undecided:
    """Return a column of numbers in the notation that its `fits` agree on, or that has this decimal mark."""
    chosen = [fit for fit in fits if decimal in ("", digits_of(fit.notation).decimal)]
    if not chosen:
        return Undecided(name, fits, different)
    fit = chosen[0]
    if fit.notation == PLAIN:  # by convention, whatever else 1.234 may be
        return Found(Column(name), different.spread(fit.values))
    if not all(np.array_equal(other.values, fit.values) for other in chosen):
        return Undecided(name, fits, different)
    text = max(different.texts, key=len)
    value = fit.values[different.texts.index(text)]
    note = f"{literal(name)}: {literal(text)} is read as {value:.12g}."
    return Found(Column(name, notation=fit.notation), different.spread(fit.values), note, fit.decimal)


def undecided_error(undecided: Undecided, place: Place) -> DataError:
    """Return the error for a column whose notation nothing tells."""
    name, one = undecided.name, undecided.fits[0]
    other = next(fit for fit in undecided.fits if not np.array_equal(fit.values, one.values))
    row, text, _ = undecided.different.first(other.values != one.values)
    i = undecided.different.texts.index(text)
    ways = [f"{fit.values[i]:.12g} (--numeric {argument(f'{name}={fit.notation}')})" for fit in (one, other)]
    return DataError(
        f"{place(row)}: {literal(text)} may be {' or '.join(ways)}. Say which by that option, or "
        f"numeric=({literal(f'{name}={one.notation}')},) in Python; or leave the column out: --drop, drop=."
    )


def _of_typed(
    column: Column, values: NDArray[np.float64], place: Place, asked: Asked, share: Share
) -> Found | Out:
    """Return a column whose cells are of its kind by their type, unless they are all missing or the same."""
    if asked.kind and asked.kind != column.kind:
        raise DataError(f"{place(0)}: expected a {asked.kind}, but the column's type is {column.kind}.")
    only = share.only_value(values)
    if only is None:
        return Found(column, values)
    if np.isnan(only):
        return _all_missing(place, asked)
    return Found(column, values) if asked.kept else Out("it is the same in all rows")


def _of_numbers(
    column: Column, values: NDArray[np.float64], place: Place, asked: Asked, share: Share
) -> Found | Out:
    infinite = share.first_where(np.isinf(values), values)
    if infinite is not None:
        row, value, rows = infinite
        raise mistake(column.name, place(row), f"{value:g}", rows, "a finite number")
    found = _of_typed(column, values, place, asked, share)
    if isinstance(found, Found) and not asked.kept and _are_ids(column.name, values, share):
        return Out("it tells rows apart (an id)")
    return found


def _are_ids(name: str, values: NDArray[np.float64], share: Share) -> bool:
    """Whether numbers (N,) are ids by their column's name: see rule 2."""
    is_id = IS_ID.fullmatch(name) is not None
    if not is_id and not COUNTS_ROWS.fullmatch(name):
        return False
    # nan differs from itself, so that a missing value is no whole number.
    if not share.all((values == np.floor(values)).all()):
        return False
    low, high = share.ends(values)
    counts = high - low + 1 == share.total(len(values))
    return (is_id or counts) and share.all_differ(values)


def _of_texts(name: str, different: Different, place: Place, asked: Asked) -> Found | Out | Undecided:
    texts = different.texts
    if not texts:
        return _all_missing(place, asked)
    if asked.kind == "category":
        return _category(name, different)
    if asked.kind == "date":
        return _as_date(name, different, place, asked)
    if asked.kind == "number":
        return _as_number(name, different, place, asked)
    if len(texts) == 1 and not asked.kept and different.share.all((different.codes >= 0).all()):
        return Out("it is the same in all rows")
    pair = _boolean_pair(texts)
    if pair:
        values = np.array([float(pair.index(text.lower())) for text in texts])
        column = Column(name, "boolean", pair)
        return _of_typed(column, different.spread(values), place, asked, different.share)
    if any(map(_DIGIT.search, texts)):
        has_codes = any(map(is_code, filter(_MAY_BE_CODE.fullmatch, texts)))
        found = _of_digits(name, different, place, asked, has_codes=has_codes)
        if found is not None:
            return found
    if not asked.kept:
        blanks = sum(text.count(" ") for text in texts)
        if blanks > MOST_BLANKS * len(texts) and len(texts) > different.cells / 2:
            return Out("it is free text")
        if different.cells > FEWEST_IDS and len(texts) > MOST_DIFFERENT * different.cells:
            kinds = counted(len(texts), "different text")
            measured = _measured(texts)
            return Out(
                f"it tells rows apart (an id): {kinds} in {different.cells:,} cells"
                + (f"; {literal(texts[0])} {measured}" if measured else "")
            )
    found = _category(name, different)
    if not any(map(_DIGIT.search, texts)):
        return found
    measured = _measured(texts)
    if measured:
        option = argument(name)
        return replace(
            found,
            note=f"{literal(name)} is a category: {literal(texts[0])} {measured}. Or leave it out: --drop "
            f"{option}, drop= in Python.",
        )
    return replace(found, note=_mostly_numbers(name, different))


def _measured(texts: Sequence[str]) -> str:
    """Return what is told of texts such as 10 kg and 12:30, numbers with the same behind; "" for others."""
    sample = texts[:MEASURED]
    if len(sample) < FEWEST_MEASURED or not all(map(_MEASURED.fullmatch, sample)):
        return ""
    if shared_spelling(sample) is None:
        return ""
    return (
        "is no number as it stands; to take it for one, write it without what stands behind the number, a "
        "time as seconds"
    )


def _mostly_numbers(name: str, different: Different) -> str:
    """Return a note for a category most of whose cells are numbers; "" for another."""
    share = share_of_numbers(different)
    if share < 0.5 or any(map(is_code, filter(_MAY_BE_CODE.fullmatch, different.texts))):
        return ""
    other = next((text for text in different.texts if number(text) is None), different.texts[0])
    return (
        f"{literal(name)} is a category, although {share:.0%} of its cells are numbers: {literal(other)} is "
        f"none."
    )


def _of_digits(
    name: str, different: Different, place: Place, asked: Asked, *, has_codes: bool
) -> Found | Out | Undecided | None:
    """Return a column of numbers or dates; None where it has neither. See the rules 3, 5, 6 and 7."""
    texts = different.texts
    if not has_codes:
        fits = fits_of(texts)
        if fits and fits[0].notation == PLAIN:
            values = different.spread(fits[0].values)
            return _of_numbers(Column(name), values, place, asked, different.share)
        if fits:
            return number_of(name, different, fits)
    formats = formats_of(texts)
    if formats:
        return _one_date(name, different, formats, place)
    short = formats_of(texts, SHORT_YEARS)
    if short:
        row, text, _ = different.first(np.ones(len(texts), dtype=bool))
        raise DataError(
            f"{place(row)}: {literal(text)} looks like a date whose year has two digits. "
            f"{_say_date(name, short)}"
        )
    if not has_codes:
        refuse_numbers(name, different, place)
    refuse_dates(name, different, place)
    return None


def _category(name: str, different: Different) -> Found:
    """Return a column as a category whose levels are its texts in ascending order."""
    order = sorted(range(len(different)), key=different.texts.__getitem__)
    codes = np.empty(len(order))
    codes[order] = np.arange(len(order))
    levels = tuple(different.texts[i] for i in order)
    return Found(Column(name, "category", levels), different.spread(codes))


def _boolean_pair(texts: Collection[str]) -> tuple[str, str] | None:
    """Return the pair in `BOOLEANS` that all texts are of, in any case; None if there is none."""
    if len(texts) > MOST_SPELLINGS:
        return None
    lower = {text.lower() for text in texts}
    return next((pair for pair in BOOLEANS if lower <= set(pair)), None)


def _as_number(name: str, different: Different, place: Place, asked: Asked) -> Found | Undecided:
    """Return a column as the numbers that it was asked to be."""
    fits = [] if asked.notation else fits_of(different.texts)
    if fits:
        return number_of(name, different, fits)
    notation = asked.notation or PLAIN
    values = values_of(different.texts, notation)
    wrong = np.isnan(values)
    if wrong.any():
        row, text, rows = different.first(wrong)
        expected = f"a number such as {notation}" if asked.notation else "a number"
        raise mistake(name, place(row), text, rows, expected, different.cells - rows)
    return Found(Column(name, notation="" if notation == PLAIN else notation), different.spread(values))


def _as_date(name: str, different: Different, place: Place, asked: Asked) -> Found:
    """Return a column as the dates that it was asked to be."""
    texts = different.texts
    if not asked.notation:
        formats = formats_of(texts) or formats_of(texts, SHORT_YEARS)
        if formats:
            return _one_date(name, different, formats, place)
    form = asked.notation or next(iter(formats_among(different)), FORMATS[0])
    days = days_of(texts, form)
    wrong = np.isnan(days)
    if wrong.any():
        row, text, rows = different.first(wrong)
        raise mistake(name, place(row), text, rows, f"a date in the format {form}", different.cells - rows)
    return Found(Column(name, "date", notation=form), different.spread(days))


def _one_date(
    name: str, different: Different, formats: dict[str, NDArray[np.float64]], place: Place
) -> Found:
    """Return a column of dates in the only one of `formats`; raise DataError if there are several."""
    if len(formats) == 1:
        [(form, days)] = formats.items()
        return Found(Column(name, "date", notation=form), different.spread(days))
    one, other = list(formats.values())[:2]
    apart = one != other
    row, text, _ = different.first(apart if apart.any() else ~apart)
    raise DataError(f"{place(row)}: {literal(text)} is a date in several formats. {_say_date(name, formats)}")


def _say_date(name: str, formats: Collection[str]) -> str:
    """Return how to say which format a column's dates have."""
    options = " or ".join(f"--date {argument(f'{name}={form}')}" for form in formats)
    python = literal(f"{name}={next(iter(formats))}")
    return (
        f"Say which: {options}; date=({python},) in Python. Or take it for categories: --categorical, "
        f"categorical= in Python."
    )


def _all_missing(place: Place, asked: Asked) -> Out:
    if asked.kept:
        raise DataError(f"{place(0)}: the value is missing, as in all rows. Leave the column out.")
    return Out("all its cells are missing")

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
7. over 90% of the cells are numbers, of more than `MANY_NUMBERS` or half as many different ones as cells, or
   over 90% are dates: the others are taken for mistakes, and refused with the first row. So is inf among
   numbers. Numbers with leading zeros are codes, and no numbers here.
8. free text: over 4 blanks a text on average, and more texts than half of the cells. Left out.
9. id: more than 20 cells, and over 90% as many different texts. Left out.
10. category.

Cells that a source gives as dates or booleans are that; rules 1 and 2 come first. Missing values
(`is_missing`) take no part. What a user says of a column comes before the rules; then a cell that does not
fit is refused, and the column is never left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isinf
from shlex import quote

import numpy as np
from numpy.typing import NDArray

from ..checks.quoting import counted, literal, shown
from .cells import Cells, Dates, Numbers, Texts
from .column import Column
from .dates import FORMATS, SHORT_YEARS, days_of, formats_of
from .errors import DataError
from .notations import PLAIN, Fit, digits_of, fits_of, values_of
from .spelling import is_code, is_missing, number, other_spelling
from .target_cells import MANY_NUMBERS

BOOLEANS = (("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"))
"""Pairs of texts for 0 and 1."""

MOSTLY = 0.9
"""Of the cells: where more are numbers, a text is a mistake; where more texts differ, they are ids."""

MOST_BLANKS = 4
FEWEST_IDS = 20
SAMPLE = 500

IS_ID = re.compile(r"(?i:(?:.*[\W_])?(?:id|uuid|guid))|.*[a-z0-9](?:Id|ID)", re.DOTALL)
"""Names of columns whose different whole numbers tell rows apart."""

COUNTS_ROWS = re.compile(
    r"(?:unnamed.*|index|row(?:[ _]?(?:names?|numbers?|nr|no|num))?|rownames?|obs|)", re.I | re.S
)
"""Names of columns that count rows, where their numbers do."""

Place = Callable[[int], str]
"""Returns where a row's cell in the column stands: "t.csv: row 3 (line 4), column 'y'"."""


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
        Whether the column is named as a feature, and so never left out.
    """

    kind: str = ""
    notation: str = ""
    kept: bool = False


RULES = Asked()


@dataclass(frozen=True)
class Found:
    """A feature: its column, the numbers in its cells (N,), nan where missing, and what to tell of it.

    `decimal` is what stands before decimals in texts of another notation: "." or "," or "" for none.
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


class Different:
    """The different texts of a column without those that stand for a missing value.

    Attributes
    ----------
    texts : list of str, K
    codes : (N,) integers
        The position in `texts` of each row's text; -1 where it is missing.
    cells : int
        How many cells are not missing.
    """

    def __init__(self, cells: Texts) -> None:
        self.texts = list(cells.texts)
        self.codes = cells.codes
        # Those for missing values are short, unless they hold invisible characters.
        missing = [
            i
            for i, text in enumerate(self.texts)
            if (len(text) <= FEWEST_IDS or not text.isascii()) and is_missing(text)
        ]
        if missing:
            there = np.ones(len(self.texts) + 1, dtype=bool)
            there[[*missing, -1]] = False
            place = np.where(there, np.cumsum(there) - 1, -1).astype(self.codes.dtype)
            self.codes = place[self.codes]
            self.texts = [text for text, kept in zip(self.texts, there, strict=False) if kept]
        self.cells = int(np.count_nonzero(self.codes >= 0))

    def __len__(self) -> int:
        return len(self.texts)

    def spread(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the value (N,) of each row from those of the texts (K,); nan where it is missing."""
        spread: NDArray[np.float64] = np.append(values, np.nan)[self.codes]
        return spread

    def first(self, bad: NDArray[np.bool_]) -> tuple[int, str, int]:
        """Return the first row with one of the texts `bad` (K,), that text, and the number of such rows."""
        rows = np.flatnonzero(np.append(bad, False)[self.codes])
        return int(rows[0]), self.texts[self.codes[rows[0]]], len(rows)

    def sample(self) -> list[str]:
        """Return the texts of at most `SAMPLE` rows, evenly spaced."""
        codes = self.codes[self.codes >= 0]
        return [self.texts[code] for code in codes[:: -(-len(codes) // SAMPLE)]]


def decide(name: str, cells: Cells, place: Place, asked: Asked = RULES) -> Found | Out | Undecided:
    """Return what a column is by the rules above, or as it was asked for.

    Raises DataError, with the place, for cells that are refused.
    """
    if isinstance(cells, Texts):
        return _of_texts(name, Different(cells), place, asked)
    if isinstance(cells, Numbers):
        return _of_numbers(name, cells.values, place, asked)
    if isinstance(cells, Dates):
        refuse_kind(name, asked, "date", "dates")
        return _unless_constant(Found(Column(name, "date"), cells.days), asked)
    refuse_kind(name, asked, "boolean", "booleans")
    return _unless_constant(Found(Column(name, "boolean", BOOLEANS[0]), cells.values), asked)


def mistakes_in(name: str, cells: Numbers, place: Place) -> None:
    """Raise DataError if the few texts beside the numbers of a column are mistakes; see the rules 3 and 7."""
    rows = len(cells.values)
    others = cells.others
    if any(is_code(text) or _is_other_notation(text) for text in others.values()):
        return
    present = cells.values[~np.isnan(cells.values)]
    row, text = next(iter(others.items()))
    all_infinite = len(others) == cells.count and all(_is_infinite(text) for text in others.values())
    if all_infinite or (
        rows
        and len(present) > MOSTLY * (len(present) + cells.count)
        and len(np.unique(present)) > min(MANY_NUMBERS, (len(present) + cells.count) / 2)
    ):
        raise _mistake(name, place(row), text, cells.count, len(present), "a number")


def _of_numbers(name: str, values: NDArray[np.float64], place: Place, asked: Asked) -> Found | Out:
    refuse_kind(name, asked, "number", "numbers")
    infinite = np.isinf(values)
    if infinite.any():
        raise DataError(
            f"{place(int(np.argmax(infinite)))}: expected a finite number, got inf. {_remedy(name)}"
        )
    found = _unless_constant(Found(Column(name), values), asked)
    if isinstance(found, Found) and not asked.kept and not asked.kind and counts_rows(name, values):
        return Out("it tells rows apart (an id)")
    return found


def counts_rows(name: str, values: NDArray[np.float64]) -> bool:
    """Whether numbers (N,) are ids by their column's name: see rule 2."""
    is_id = IS_ID.fullmatch(name) is not None
    if not is_id and not COUNTS_ROWS.fullmatch(name):
        return False
    # nan differs from itself, so that a missing value makes this false.
    if not (values == np.floor(values)).all():
        return False
    if not is_id and values.max() - values.min() + 1 != len(values):
        return False
    return len(np.unique(values)) == len(values)


def _of_texts(name: str, different: Different, place: Place, asked: Asked) -> Found | Out | Undecided:
    if not different.texts:
        return _all_missing(name, asked)
    if asked.kind == "category":
        return category(name, different)
    if asked.kind == "date":
        return _as_date(name, different, place, asked)
    fits = [] if asked.notation else fits_of(different.texts)
    if asked.kind == "number":
        return _as_number(name, different, fits, place, asked)
    if len(different) == 1 and different.cells == len(different.codes) and not asked.kept:
        return Out("it is the same in all rows")
    if fits and not (fits[0].notation == PLAIN and any(map(is_code, different.texts))):
        found = number_of(name, different, fits)
        if isinstance(found, Found) and found.column.notation == "":
            return _of_numbers(name, found.values, place, asked)
        return found
    levels = (
        {text.lower() for text in different.texts[: 2 * FEWEST_IDS]}
        if len(different) <= 2 * FEWEST_IDS
        else {}
    )
    for pair in BOOLEANS:
        if levels and set(levels) <= set(pair):
            values = np.array([float(pair.index(text.lower())) for text in different.texts])
            return _unless_constant(Found(Column(name, "boolean", pair), different.spread(values)), asked)
    formats = formats_of(different.texts)
    if formats:
        return _one_date(name, different, formats, place)
    short = formats_of(different.texts, SHORT_YEARS)
    if short:
        row, text, _ = different.first(np.ones(len(different), dtype=bool))
        raise DataError(
            f"{place(row)}: {literal(text)} looks like a date whose year has two digits. "
            f"{_say_date(name, short)}"
        )
    _refuse_mistakes(name, different, place)
    if asked.kept:
        return category(name, different)
    blanks = sum(text.count(" ") for text in different.texts)
    if blanks > MOST_BLANKS * len(different) and len(different) > different.cells / 2:
        return Out("it is free text")
    if different.cells > FEWEST_IDS and len(different) > MOSTLY * different.cells:
        return Out(
            f"it tells rows apart: {counted(len(different), 'different text')} in {different.cells:,} cells"
        )
    return category(name, different)


def category(name: str, different: Different) -> Found:
    """Return a column as a category whose levels are its texts in ascending order."""
    order = sorted(range(len(different)), key=different.texts.__getitem__)
    values = np.empty(len(order))
    values[order] = np.arange(len(order))
    levels = tuple(different.texts[i] for i in order)
    return Found(Column(name, "category", levels), different.spread(values))


def number_of(name: str, different: Different, fits: Sequence[Fit], decimal: str = "") -> Found | Undecided:
    """Return a column of numbers in the notation that its `fits` agree on, or that has a decimal mark."""
    chosen = [fit for fit in fits if decimal in ("", digits_of(fit.notation).decimal)]
    plain = bool(chosen) and chosen[0].notation == PLAIN
    if (not plain and not all(np.array_equal(fit.values, chosen[0].values) for fit in chosen)) or not chosen:
        return Undecided(name, fits, different)
    fit = chosen[0]
    if fit.notation == PLAIN:
        return Found(Column(name), different.spread(fit.values))
    text = next((text for text in different.texts if number(text) is None), different.texts[0])
    value = fit.values[different.texts.index(text)]
    note = f"{literal(name)}: {literal(text)} is read as {value:.12g}."
    return Found(Column(name, notation=fit.notation), different.spread(fit.values), note, fit.decimal)


def undecided_error(undecided: Undecided, place: Place) -> DataError:
    """Return the error for a column whose notation nothing tells."""
    fits, name = undecided.fits, undecided.name
    other = next(fit for fit in fits if not np.array_equal(fit.values, fits[0].values))
    row, text, _ = undecided.different.first(other.values != fits[0].values)
    i = undecided.different.texts.index(text)
    ways = [f"{fit.values[i]:.12g} (--numeric {quote(f'{name}={fit.notation}')})" for fit in (fits[0], other)]
    return DataError(
        f"{place(row)}: {literal(text)} may be read as {' or '.join(ways)}. Say which by that option, or "
        f"numeric=({literal(f'{name}={fits[0].notation}')},) in Python; or leave the column out: --drop."
    )


def _as_number(
    name: str, different: Different, fits: Sequence[Fit], place: Place, asked: Asked
) -> Found | Undecided:
    if fits:
        return number_of(name, different, fits)
    notation = asked.notation or PLAIN
    values = values_of(different.texts, notation)
    bad = np.isnan(values)
    if bad.any():
        row, text, rows = different.first(bad)
        raise _mistake(
            name, place(row), text, rows, 0, f"a number such as {notation}" if asked.notation else "a number"
        )
    return Found(Column(name, notation="" if notation == PLAIN else notation), different.spread(values))


def _as_date(name: str, different: Different, place: Place, asked: Asked) -> Found:
    if not asked.notation:
        formats = formats_of(different.texts) or formats_of(different.texts, SHORT_YEARS)
        if formats:
            return _one_date(name, different, formats, place)
    form = asked.notation or _commonest_format(different)
    days = days_of(different.texts, form)
    bad = np.isnan(days)
    if bad.any():
        row, text, rows = different.first(bad)
        raise DataError(
            f"{place(row)}: expected a date in the format {form}, got {literal(text)}{_such_rows(rows)}. "
            f"{_remedy(name)}"
        )
    return Found(Column(name, "date", notation=form), different.spread(days))


def _one_date(
    name: str, different: Different, formats: dict[str, NDArray[np.float64]], place: Place
) -> Found:
    """Return a column of dates in the only one of `formats`; raise DataError if there are several."""
    if len(formats) == 1:
        [(form, days)] = formats.items()
        return Found(Column(name, "date", notation=form), different.spread(days))
    one, other = list(formats.values())[:2]
    row, text, _ = different.first(one != other if (one != other).any() else np.ones(len(one), dtype=bool))
    raise DataError(f"{place(row)}: {literal(text)} is a date in several formats. {_say_date(name, formats)}")


def _say_date(name: str, formats: Sequence[str] | dict[str, NDArray[np.float64]]) -> str:
    options = [f"--date {quote(f'{name}={form}')}" for form in formats]
    python = literal(f"{name}={next(iter(formats))}")
    return f"Say which: {' or '.join(options)}; date=({python},) in Python."


def _refuse_mistakes(name: str, different: Different, place: Place) -> None:
    """Raise DataError for a few texts among numbers or dates; see rule 7."""
    sample = different.sample()
    if 2 * sum(_looks_like_number(text) for text in sample) > len(sample):
        wrong = np.array([not _looks_like_number(text) for text in different.texts])
        is_inf = np.array([_is_infinite(text) for text in different.texts])
        if not any(is_code(text) for text in different.texts):
            counts = np.bincount(different.codes[different.codes >= 0], minlength=len(different))
            numbers = int(counts[~wrong].sum())
            many = len(different) - wrong.sum() > min(MANY_NUMBERS, different.cells / 2)
            if wrong.any() and ((numbers > MOSTLY * different.cells and many) or (wrong == is_inf).all()):
                row, text, rows = different.first(wrong)
                raise _mistake(name, place(row), text, rows, numbers, "a number")
    form = _commonest_format(different, sample)
    if form:
        wrong = np.isnan(days_of(different.texts, form))
        row, text, rows = different.first(wrong)
        if different.cells - rows > MOSTLY * different.cells:
            raise _mistake(
                name, place(row), text, rows, different.cells - rows, f"a date in the format {form}"
            )


def _commonest_format(different: Different, sample: Sequence[str] = ()) -> str:
    """Return the format that fits most of a sample, if it fits over half; else ""."""
    sample = sample or different.sample()
    if 2 * sum(bool(_MAY_BE_DATE.match(text)) for text in sample) <= len(sample):
        return ""
    shares = {form: float(np.mean(~np.isnan(days_of(sample, form)))) for form in FORMATS}
    form = max(shares, key=shares.__getitem__)
    return form if shares[form] > 0.5 else ""


_MAY_BE_DATE = re.compile(r"(?=.*[0-9]{4})(?=.*[0-9]\D+[0-9]).{8,48}$", re.ASCII)


def _mistake(name: str, place: str, text: str, rows: int, right: int, expected: str) -> DataError:
    among = f", as in {right:,} other cells" if right else ""
    if _is_infinite(text):
        expected = "a finite number"
    return DataError(
        f"{place}: expected {expected}{among}, got {literal(text)}{_such_rows(rows)}. {_remedy(name)}"
    )


def _remedy(name: str) -> str:
    option = quote(shown(name))
    return (
        f"Correct it, or leave the column out (--drop {option}), or take it for categories "
        f"(--categorical {option}); in Python drop= and categorical=."
    )


def _such_rows(rows: int) -> str:
    return f" ({rows:,} such rows)" if rows > 1 else ""


def _looks_like_number(text: str) -> bool:
    value = number(text)
    return not isinf(value) if value is not None else other_spelling(text) is not None


def _is_other_notation(text: str) -> bool:
    return other_spelling(text) is not None


def _is_infinite(text: str) -> bool:
    value = number(text)
    return value is not None and isinf(value)


def _unless_constant(found: Found, asked: Asked) -> Found | Out:
    """Return a feature, unless its cells are all missing or all the same."""
    values, name = found.values, found.column.name
    first = values[0]
    if first != first:  # as in most columns, one comparison tells that it is not constant
        return _all_missing(name, asked) if np.isnan(values).all() else found
    if not asked.kept and (values == first).all():
        return Out("it is the same in all rows")
    return found


def _all_missing(name: str, asked: Asked) -> Out:
    if asked.kept or asked.kind:
        raise DataError(f"the column {literal(name)} was named, but all its cells are missing. Leave it out.")
    return Out("all its cells are missing")


def refuse_kind(name: str, asked: Asked, kind: str, what: str) -> None:
    """Raise DataError if a column of typed cells was asked to be of another kind."""
    if asked.kind and asked.kind != kind:
        raise DataError(f"the column {literal(name)} holds {what}, which cannot be taken for a {asked.kind}.")

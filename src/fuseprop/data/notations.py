"""Notations: numbers that are not plain, such as 1.234,5 or $1,200 or 14%, from a column's texts to float64.

A column has one notation in all its cells. A notation is named by an example: that of its digits (`DIGITS`),
with the column's mark before it (a currency, or a sign for percent) if there is one: "1.234,5", "%1234.5".
What is read is the number before the mark: 14% is 14.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .spelling import CURRENCY

PLAIN = "1234.5"
DECIMALS = (".", ",")
_EXPONENT = r"(?:[eE][+-]?\d++)?+"


@dataclass(frozen=True)
class Digits:
    """How digits are grouped: a pattern, what stands between thousands, and what before decimals."""

    pattern: str
    group: str
    decimal: str


def _grouped(group: str, decimal: str) -> Digits:
    pattern = rf"(?:[1-9]\d{{0,2}}(?:{re.escape(group)}\d{{3}})++|\d++)(?:{re.escape(decimal)}\d*+)?+"
    return Digits(pattern, group, decimal)


DIGITS = {
    PLAIN: Digits(rf"(?:\d++\.?+\d*+|\.\d++){_EXPONENT}", "", "."),
    "1234,5": Digits(rf"(?:\d++,?+\d*+|,\d++){_EXPONENT}", "", ","),
    "1,234.5": _grouped(",", "."),
    "1.234,5": _grouped(".", ","),
    "1 234.5": _grouped(" ", "."),
    "1 234,5": _grouped(" ", ","),
    "1'234.5": _grouped("'", "."),
    "1'234,5": _grouped("'", ","),
    "1,23,456.7": Digits(r"(?:[1-9]\d?(?:,\d{2})*,\d{3}|\d++)(?:\.\d*+)?+", ",", "."),
}
"""The notations of digits by their examples. Cells below a thousand, and without decimals, fit several.

The patterns are possessive: they try a text of any length in a time that grows no faster than it.
"""

_MARK = re.compile(rf"{CURRENCY}|[%\u2030]")


@dataclass(frozen=True)
class Fit:
    """A notation that fits all texts of a column.

    Attributes
    ----------
    notation : str
    values : (K,) float64
    decimal : "." | "," | ""
        What stands before decimals where the texts tell it, by decimals or by thousands; else "".
    """

    notation: str
    values: NDArray[np.float64]
    decimal: str


def fits_of(texts: Sequence[str]) -> list[Fit]:
    """Return the notations that fit all texts (K,), in the order of `DIGITS`; texts are not empty."""
    if not texts:
        return []
    lines, mark = _lines(texts), _mark(texts[0])
    plain: dict[str, NDArray[np.float64]] = {}
    fits = [_fit(lines, len(texts), example, mark, plain) for example in DIGITS]
    return [fit for fit in fits if fit is not None]


def misfit_in(texts: Sequence[str]) -> int:
    """Return the index of the first text that is in none of the notations which fit all texts before it.

    There must be one; no text may have several lines.
    """
    lines, mark = _lines(texts), _mark(texts[0])
    matches = [_cells(digits.pattern, mark).match(lines) for digits in DIGITS.values()]
    return max(lines.count("\n", 0, match.end()) + 1 if match else 0 for match in matches)


def values_of(texts: Sequence[str], notation: str) -> NDArray[np.float64]:
    """Return the numbers (K,) in a notation; nan for texts that are not in it, and beyond float64."""
    mark, example = _split(notation)
    digits, values = DIGITS[example], np.full(len(texts), np.nan)
    is_cell = _cells(digits.pattern, mark).fullmatch
    fitting = [i for i, text in enumerate(texts) if "\n" not in text and is_cell(_lines([text]))]
    if fitting:
        plain = _plain(_lines([texts[i] for i in fitting]), digits, mark)
        values[fitting] = _numbers(plain)
        values[np.isinf(values)] = np.nan
    return values


def is_notation(text: str) -> bool:
    """Whether a text is the name of a notation."""
    return bool(_split(text)[1])


def digits_of(notation: str) -> Digits:
    """Return how a notation writes digits."""
    return DIGITS[_split(notation)[1]]


def _split(notation: str) -> tuple[str, str]:
    """Return a notation's mark, perhaps "", and the example of its digits; the last is "" for other texts."""
    for example in DIGITS:
        mark = notation.removesuffix(example)
        if mark != notation and (not mark or _MARK.fullmatch(mark)):
            return mark, example
    return notation, ""


def _fit(
    lines: str, count: int, example: str, mark: str, known: dict[str, NDArray[np.float64]]
) -> Fit | None:
    """Return what a notation reads in texts, one a line, or None if one of them is not in it.

    `known` keeps what plain numbers, one a line, are: most notations make the same of a column.
    """
    digits = DIGITS[example]
    if not _cells(digits.pattern, mark).fullmatch(lines) or lines.count("\n") != count - 1:
        return None
    plain = _plain(lines, digits, mark)
    tells = "." in plain or (digits.group in DECIMALS and digits.group in lines)
    if plain not in known:
        known[plain] = _numbers(plain)
    if not np.isfinite(known[plain]).all():
        return None
    return Fit(mark + example, known[plain], digits.decimal if tells else "")


def _plain(lines: str, digits: Digits, mark: str) -> str:
    """Return numbers in a notation, one a line, as plain numbers."""
    plain = lines.replace(mark, "") if mark else lines
    plain = plain.replace("(", "-").replace(")", "").replace(" ", "")
    if digits.group:
        plain = plain.replace(digits.group, "")
    return plain.replace(digits.decimal, ".")


def _numbers(plain: str) -> NDArray[np.float64]:
    """Return plain numbers, one a line, as float64."""
    return np.array([*map(float, plain.split("\n"))])


@lru_cache(maxsize=256)
def _cells(digits: str, mark: str) -> re.Pattern[str]:
    """Return the pattern of cells, one a line: a sign or parentheses, a mark on either side, digits."""
    unit, marked = digits, ""
    if mark:
        sign = re.escape(mark)
        unit = rf"(?:{sign} ?{digits}|{digits} ?{sign})"
        marked = rf"|{sign} ?[+-]{digits}"
    cell = rf"(?:[+-]? ?{unit}|\( ?{unit} ?\){marked})(?!.)"  # up to the end of the line
    # Possessive, for a million lines: the pattern never goes back to a line that it has matched.
    return re.compile(rf"{cell}(?:\n{cell})*+", re.ASCII)


def _mark(text: str) -> str:
    """Return the mark in a text, or ""."""
    found = _MARK.search(_lines([text]))
    return found[0] if found else ""


def _lines(texts: Sequence[str]) -> str:
    """Return texts one a line, with digits, minus signs, blanks and apostrophes of all scripts in ASCII."""
    lines = "\n".join(texts)
    if lines.isascii():
        return lines
    return lines.translate({ord(character): _ascii(character) for character in set(lines)})


def _ascii(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    if character in "\u2010\u2011\u2012\u2013\u2212\uff0d":
        return "-"
    if character in "\u2019\u02bc":
        return "'"
    category = unicodedata.category(character)
    return " " if category == "Zs" else "" if category == "Cf" else character

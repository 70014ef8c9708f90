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
_EXPONENT = r"(?:[eE][+-]?\d+)?"


@dataclass(frozen=True)
class Digits:
    """How digits are grouped: a pattern, what stands between thousands, and what before decimals."""

    pattern: str
    group: str
    decimal: str


def _grouped(group: str, decimal: str) -> Digits:
    pattern = rf"(?:[1-9]\d{{0,2}}(?:{re.escape(group)}\d{{3}})+|\d+)(?:{re.escape(decimal)}\d*)?"
    return Digits(pattern, group, decimal)


DIGITS = {
    PLAIN: Digits(rf"(?:\d+\.?\d*|\.\d+){_EXPONENT}", "", "."),
    "1234,5": Digits(rf"(?:\d+,?\d*|,\d+){_EXPONENT}", "", ","),
    "1,234.5": _grouped(",", "."),
    "1.234,5": _grouped(".", ","),
    "1 234.5": _grouped(" ", "."),
    "1 234,5": _grouped(" ", ","),
    "1'234.5": _grouped("'", "."),
    "1'234,5": _grouped("'", ","),
    "1,23,456.7": Digits(r"(?:[1-9]\d?(?:,\d{2})*,\d{3}|\d+)(?:\.\d*)?", ",", "."),
}
"""The notations of digits by their examples. Cells below a thousand, and without decimals, fit several."""

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
    lines = _lines(texts)
    mark = _MARK.search(lines, 0, (lines + "\n").index("\n"))
    plain: dict[str, NDArray[np.float64]] = {}
    fits = [_fit(lines, len(texts), example, mark[0] if mark else "", plain) for example in DIGITS]
    return [fit for fit in fits if fit is not None]


def values_of(texts: Sequence[str], notation: str) -> NDArray[np.float64]:
    """Return the numbers (K,) in a notation; nan for texts that are not in it."""
    mark, example = _split(notation)
    fit = _fit(_lines(texts), len(texts), example, mark, {}) if texts else None
    if fit is not None:
        return fit.values
    values = np.full(len(texts), np.nan)
    for i, text in enumerate(texts):
        fit = _fit(_lines([text]), 1, example, mark, {})
        if fit is not None:
            values[i] = fit.values[0]
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
    plain = lines.replace(mark, "") if mark else lines
    plain = plain.replace("(", "-").replace(")", "").replace(" ", "")
    if digits.group:
        plain = plain.replace(digits.group, "")
    tells = digits.decimal in plain or (digits.group in (",", ".") and digits.group in lines)
    if digits.decimal != ".":
        plain = plain.replace(digits.decimal, ".")
    values = known.get(plain)
    if values is None:
        values = known[plain] = np.array([*map(float, plain.split("\n"))])
    if not np.isfinite(values).all():
        return None
    return Fit(mark + example, values, digits.decimal if tells else "")


@lru_cache(maxsize=256)
def _cells(digits: str, mark: str) -> re.Pattern[str]:
    """Return the pattern of cells, one a line: a sign or parentheses, a mark on either side, digits."""
    unit, marked = digits, ""
    if mark:
        sign = re.escape(mark)
        unit = rf"(?:{sign} ?{digits}|{digits} ?{sign})"
        marked = rf"|{sign} ?[+-]{digits}"
    cell = rf"(?:[+-]? ?{unit}|\( ?{unit} ?\){marked})"
    # Possessive, for a million lines: the pattern never goes back to a line that it has matched.
    return re.compile(rf"{cell}(?:\n{cell})*+", re.ASCII)


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

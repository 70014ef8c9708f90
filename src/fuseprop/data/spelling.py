"""What a cell says: a number, a number that is spelled in another way, or that its value is missing.

Only a plain number is ever read as one. What another spelling may mean is told, and never guessed at.
"""

from __future__ import annotations

import re
import unicodedata
from math import isfinite
from typing import NamedTuple

from ..quoting import literal

MISSING = frozenset(
    (
        "",
        "?",
        "-",
        "--",
        "---",
        ".",
        "na",
        "n/a",
        "n.a.",
        "#n/a",
        "#na",
        "<na>",
        "nan",
        "-nan",
        "nat",
        "null",
        "none",
    )
)
"""Texts that stand for no value in spreadsheets, databases, R, pandas and UCI's files, in lower case."""

BEYOND = 2.0**53
"""From here on a float64 no longer tells whole numbers apart."""

LONGEST = 60
"""A longer text is no number."""


class Spelling(NamedTuple):
    """What a text looks like, and what to do about it where it is a number."""

    looks_like: str
    remedy: str


def number(text: str) -> float | None:
    """Return the number that a cell holds, or None."""
    # Python's `float` takes more: 1_000, and the digits of other scripts.
    if "_" in text or not text.strip().isascii():
        return None
    try:
        return float(text)
    except ValueError:
        return None


def is_missing(text: str) -> bool:
    """Whether a cell says that its value is missing."""
    return text.strip().lower() in MISSING


def is_code(text: str) -> bool:
    """Whether a text is a whole number that a number would not give back: 007, or more digits than 2^53."""
    if re.fullmatch(r"[+-]?\d+", text, re.ASCII) is None:
        return False
    digits = text.lstrip("+-")
    if digits != "0" and digits.startswith("0"):
        return True
    # Python reads no more than 4300 digits, and a float64 no number of more than 309.
    return len(digits) > 309 or int(float(digits)) != int(digits)


def other_spelling(text: str) -> Spelling | None:
    """Return what a text that is no plain number looks like, if that is a number all the same."""
    text = text.strip()
    if len(text) > LONGEST or number(text) is not None:
        return None
    for pattern, spelling in _WRAPPED:
        inner = pattern.fullmatch(text)
        if inner is not None and _is_spelled(inner[1]):
            return spelling
    for pattern, spelling in _GROUPED:
        if pattern.fullmatch(text):
            return spelling
    plain = _in_ascii(text)
    if plain != text and _is_spelled(plain):
        return _OTHER_SIGNS
    return None


def why_no_number(cell: str) -> str:
    """Return why a cell of numbers cannot be read and what to do about it, or nothing where it can."""
    if not cell.strip():
        return "the cell is empty. Fill it, or leave the row out."
    value = number(cell)
    if value is not None:
        if isfinite(value):
            return ""
        return f"expected a finite number, got {literal(cell)}. Correct it, or leave the row out."
    expected = f"expected a number, got {literal(cell)}"
    if is_missing(cell):
        return f"{expected}, which says that the value is missing. Fill it, or leave the row out."
    spelling = other_spelling(cell)
    if spelling is not None:
        return f"{expected}, which looks like {spelling.looks_like}. {spelling.remedy}"
    return f"{expected}. Features are numbers: write text as numbers, or leave the column out."


_CURRENCY = r"(?:[$\u00a2-\u00a5\u20a0-\u20c0]|(?:USD|EUR|GBP|CHF|JPY|CNY|INR|Rs\.?|kr\.?|R\$|US\$))"

_WRAPPED = [
    (
        re.compile(r"\((\S.*)\)"),
        Spelling("a negative number in parentheses", "Write negative numbers with a minus."),
    ),
    (re.compile(r"(.*\S)\s*[%\u2030]"), Spelling("a percentage", "Write the number without the sign.")),
    (
        re.compile(rf"[+-]?{_CURRENCY}\s*(\S.*)"),
        Spelling("an amount of money", "Write the number without the currency."),
    ),
    (
        re.compile(rf"(.*\S)\s*{_CURRENCY}"),
        Spelling("an amount of money", "Write the number without the currency."),
    ),
    (
        re.compile(r"[+-]\s+(\d.*)"),
        Spelling("a number with a space behind its sign", "Leave out the space."),
    ),
]
"""A number with something around it: what is inside, and what the whole looks like."""

_THOUSANDS = "Leave out what stands between thousands."
_COMMA = Spelling("a number with a decimal comma", "Write decimals with a point.")
_GROUPED = [
    (
        re.compile(r"[+-]?[1-9]\d{0,2},\d{3}"),
        Spelling(
            "a number whose comma may stand between thousands or before decimals",
            "Leave out the comma where it stands between thousands; make it a point where decimals follow.",
        ),
    ),
    (re.compile(r"[+-]?(?:\d+,\d*|,\d+)(?:[eE][+-]?\d+)?"), _COMMA),
    (
        re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?"),
        Spelling("a number with commas between thousands", _THOUSANDS),
    ),
    (
        re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+,\d*"),
        Spelling(
            "a number with points between thousands and a decimal comma",
            f"{_THOUSANDS} Write decimals with a point.",
        ),
    ),
    (
        re.compile(r"[+-]?\d{1,3}(?:\.\d{3}){2,}"),
        Spelling("a number with points between thousands", _THOUSANDS),
    ),
    (
        re.compile(r"[+-]?\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3})+(?:[.,]\d*)?"),
        Spelling("a number with spaces between thousands", _THOUSANDS),
    ),
    (
        re.compile(r"[+-]?\d{1,3}(?:['\u2019]\d{3})+(?:[.,]\d*)?"),
        Spelling("a number with apostrophes between thousands", _THOUSANDS),
    ),
]
"""Numbers with other marks in them."""

_OTHER_SIGNS = Spelling(
    "a number in other signs than the digits 0 to 9, a minus and a point", "Write it in those."
)


def _is_spelled(text: str) -> bool:
    value = number(text)
    return other_spelling(text) is not None if value is None else isfinite(value)


def _in_ascii(text: str) -> str:
    """Return a text with the digits of other scripts as 0 to 9, and other minus signs as "-"."""
    signs = []
    for sign in unicodedata.normalize("NFKC", text):
        digit = unicodedata.decimal(sign, None)
        signs.append(
            str(digit) if digit is not None else "-" if sign in "\u2010\u2011\u2012\u2013\u2212" else sign
        )
    return "".join(signs)

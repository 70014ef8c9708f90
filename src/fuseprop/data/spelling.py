"""What a cell says: a number, a number that is spelled in another way, or that its value is missing.

Only a plain number is ever read as one. What another spelling may mean is told, and never guessed at.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

from ..checks.quoting import literal

MISSING = frozenset(
    (
        "",
        "?",
        "-",
        "--",
        "---",
        "\u2013",
        "\u2014",
        "\u2212",
        ".",
        "na",
        "n/a",
        "n.a.",
        "n.a",
        "#n/a",
        "#n/a n/a",
        "#na",
        "<na>",
        "#null!",
        "#value!",
        "#ref!",
        "#div/0!",
        "#num!",
        "#name?",
        "nan",
        "-nan",
        "1.#ind",
        "-1.#ind",
        "1.#qnan",
        "-1.#qnan",
        "nat",
        "null",
        "(null)",
        "\\n",
        "nil",
        "none",
    )
)
"""Texts that stand for no value in spreadsheets, databases, R, C, pandas and UCI's files, in lower case."""

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
    return visible(text).lower() in MISSING


def visible(text: str) -> str:
    """Return a text without space around it, and without marks of no width, such as U+200B and U+FEFF."""
    if not text.isascii():
        text = "".join(sign for sign in text if unicodedata.category(sign) != "Cf")
    return text.strip()


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


def shared_spelling(texts: Sequence[str]) -> Spelling | None:
    """Return what the texts of a column look like, where the same stands around the numbers in all of them.

    Such as 10 kg and 12.5 kg, 12:30 and 9:05, 5k and 1M, 0x1F and 0xA0, or dates of one format. Plain numbers
    may stand among them. What begins with a word, as class 1, is the name of something; an amount may begin
    with its currency.
    """
    around = ""
    for text in texts:
        if number(text) is not None:
            continue
        here = _around_numbers(text) if len(text) <= LONGEST else None
        if here is None or (around and here != around):
            return None
        around = here
    return _SHARED if around else None


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
        re.compile(r"[+-]?\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d*)?"),
        Spelling("a number with commas between lakhs and thousands", _THOUSANDS),
    ),
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


_SHARED = Spelling(
    "a number, a date or a time, as do all texts there",
    "Write numbers plainly: without units and signs around them, and dates and times as the number of days "
    "or seconds since the first one.",
)
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]+")
_NUMBER = re.compile(r"\d+(?:[.,_' \u00a0\u2009\u202f\u2019]\d+)*(?:[eE][+-]?\d+)?", re.ASCII)
_MONTH = re.compile(r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*", re.IGNORECASE)
_SIZE = re.compile(r"(?<=0)\s?(?:[kKmMbBgGtT])$")
_BEGINNING = re.compile(r"[^\w]*(?:(?:[A-Z]{3}|[A-Za-z]{2}\.?|M)[^\w]*)?0")
"""What may stand before the first number, written as 0: signs, a currency or a month."""


def _around_numbers(text: str) -> str | None:
    """Return a text with 0 for each number, and M for each month; None for what is no number by its look."""
    text = _in_ascii(text).lstrip("+-'\"~").rstrip()
    if _HEXADECIMAL.fullmatch(text):
        return "0x0"
    around = _SIZE.sub("k", _MONTH.sub("M", _NUMBER.sub("0", text)))
    return around if _BEGINNING.match(around) else None


def _is_spelled(text: str) -> bool:
    value = number(text)
    return other_spelling(text) is not None if value is None else isfinite(value)


def _in_ascii(text: str) -> str:
    """Return what is visible of a text, the digits of other scripts as 0 to 9, other minus signs as "-"."""
    if text.isascii():
        return text
    signs = []
    for sign in unicodedata.normalize("NFKC", visible(text)):
        digit = unicodedata.decimal(sign, None)
        signs.append(
            str(digit) if digit is not None else "-" if sign in "\u2010\u2011\u2012\u2013\u2212" else sign
        )
    return "".join(signs)

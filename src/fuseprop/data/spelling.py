"""What the text of a cell is: a plain number, a number in another notation, a missing value, or other text.

Only plain numbers are read as numbers. Another notation, such as 1.234,5 or 14%, is named in an error and
never interpreted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

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
"""Texts for a missing value in spreadsheets, databases, R, C, pandas and UCI's files, in lower case."""

LONGEST_MISSING = max(map(len, MISSING))

EXACT_LIMIT = 2.0**53
"""From here on float64 does not hold every whole number."""

LONGEST = 60
"""A text of more characters is not examined for other notations of numbers."""


class Spelling(NamedTuple):
    """A notation of numbers that is not read: what it looks like, and how to write it as a plain number."""

    looks_like: str
    remedy: str


def number(text: str) -> float | None:
    """Return the number, perhaps nan or inf, that a text is in plain notation; None for other texts."""
    # Python's `float` also accepts 1_000 and the digits of other scripts, which are not plain notation.
    if "_" in text or not text.strip().isascii():
        return None
    try:
        return float(text)
    except ValueError:
        return None


def is_missing(text: str) -> bool:
    """Whether a text stands for a missing value, such as "" or NA."""
    return visible(text).lower() in MISSING


def visible(text: str) -> str:
    """Return a text without space around it and without invisible characters, such as U+200B and U+FEFF."""
    if not text.isascii():
        text = "".join(character for character in text if unicodedata.category(character) != "Cf")
    return text.strip()


def is_code(text: str) -> bool:
    """Whether a text is a whole number that float64 would not give back: 007, or too many digits for it."""
    if re.fullmatch(r"[+-]?\d+", text, re.ASCII) is None:
        return False
    digits = text.lstrip("+-")
    if digits != "0" and digits.startswith("0"):
        return True
    # float64 holds no number of more than 309 digits, and `int` raises for more than 4300.
    return len(digits) > 309 or int(float(digits)) != int(digits)


def other_spelling(text: str) -> Spelling | None:
    """Return the notation of a text that looks like a number but is no plain one; None for other texts."""
    text = text.strip()
    if len(text) > LONGEST or number(text) is not None:
        return None
    for pattern, spelling in _WRAPPED:
        inner = pattern.fullmatch(text)
        if inner is not None and _is_number_in_any_notation(inner[1]):
            return spelling
    for pattern, spelling in _GROUPED:
        if pattern.fullmatch(text):
            return spelling
    plain = _in_ascii(text)
    if plain != text and _is_number_in_any_notation(plain):
        return _OTHER_CHARACTERS
    return None


def shared_spelling(texts: Sequence[str]) -> Spelling | None:
    """Return the notation of a column's texts if all of them differ only in their numbers, else None.

    Such as 10 kg and 12.5 kg, 12:30 and 9:05, 5k and 1M, 0x1F and 0xA0, or dates of one format. Plain numbers
    may be among them. A text that begins with a word, such as class 1, counts as a name; an amount may begin
    with its currency.
    """
    shared = ""
    for text in texts:
        if number(text) is not None:
            continue
        pattern = _around_numbers(text) if len(text) <= LONGEST else None
        if pattern is None or (shared and pattern != shared):
            return None
        shared = pattern
    return _SHARED if shared else None


CURRENCY = r"(?:[$\u00a2-\u00a5\u20a0-\u20c0]|(?:USD|EUR|GBP|CHF|JPY|CNY|INR|Rs\.?|kr\.?|R\$|US\$))"

_WRAPPED = [
    (
        re.compile(r"\((\S.*)\)"),
        Spelling("a negative number in parentheses", "Write negative numbers with a minus."),
    ),
    (re.compile(r"(.*\S)\s*[%\u2030]"), Spelling("a percentage", "Write the number without the sign.")),
    (
        re.compile(rf"[+-]?{CURRENCY}\s*(\S.*)"),
        Spelling("an amount of money", "Write the number without the currency."),
    ),
    (
        re.compile(rf"(.*\S)\s*{CURRENCY}"),
        Spelling("an amount of money", "Write the number without the currency."),
    ),
    (
        re.compile(r"[+-]\s+(\d.*)"),
        Spelling("a number with a space behind its sign", "Leave out the space."),
    ),
]
"""Numbers with signs or units around them: a pattern whose group is the number, and the notation."""

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
"""Numbers with separators in them: a pattern of the whole text, and the notation."""

_OTHER_CHARACTERS = Spelling(
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
"""What may precede the first number, which is written as 0 here: punctuation, a currency or a month (M)."""


def _around_numbers(text: str) -> str | None:
    """Return a text with 0 for each number and M for each month; None if it does not begin like a number."""
    text = _in_ascii(text).lstrip("+-'\"~").rstrip()
    if _HEXADECIMAL.fullmatch(text):
        return "0x0"
    around = _SIZE.sub("k", _MONTH.sub("M", _NUMBER.sub("0", text)))
    return around if _BEGINNING.match(around) else None


def _is_number_in_any_notation(text: str) -> bool:
    value = number(text)
    return other_spelling(text) is not None if value is None else isfinite(value)


def _in_ascii(text: str) -> str:
    """Return a text's visible characters, digits of other scripts as 0 to 9, other minus signs as "-"."""
    if text.isascii():
        return text
    converted = []
    for character in unicodedata.normalize("NFKC", visible(text)):
        digit = unicodedata.decimal(character, None)
        if digit is not None:
            converted.append(str(digit))
        else:
            converted.append("-" if character in "\u2010\u2011\u2012\u2013\u2212" else character)
    return "".join(converted)

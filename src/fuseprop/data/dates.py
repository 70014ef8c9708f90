"""Dates: from the texts of a column to days, by one format for all of them, and back to text for messages.

A format is written as for `datetime.strptime`, with the directives in `DIRECTIVES`. Days count from
1970-01-01 in UTC; the time of day is their fraction. Names of months are English, in any case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

LONGEST = 48
"""A text of more characters is no date."""

AT_ONCE = 1 << 16
"""Texts that are read at once: some 10 MB of intermediate arrays."""

MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]

_MONTH = "|".join(f"{month[:3]}(?:{month[3:]})?" if month[3:] else month for month in MONTHS)

DIRECTIVES = {
    "%Y": ("Y", "0000"),
    "%y": ("y", "00"),
    "%m": ("m", "00?"),
    "%d": ("d", "00?"),
    "%b": ("b", _MONTH),
    "%B": ("b", _MONTH),
    "%H": ("H", "00?"),
    "%I": ("I", "00?"),
    "%M": ("M", "00"),
    "%S": ("S", r"00(?:\.0{1,9})?"),
    "%p": ("p", "am|pm"),
    "%z": ("z", "z|[+-]00:?00"),
}
"""What a directive stands for: the name of its part, and its pattern in lower case with 0 for each digit."""

_SAME_PART = {"y": "Y", "b": "m", "I": "H"}

_DAYS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
)
_TIMES = (" %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_ISO_TIMES = tuple(
    f"{between}{time}{zone}" for between, time, zone in product(" T", ("%H:%M", "%H:%M:%S"), ("", "%z"))
)

FORMATS = (
    *_DAYS,
    *(f"{_DAYS[0]}{time}" for time in _ISO_TIMES),
    *(f"{day}{time}" for day, time in product(_DAYS[1:], _TIMES)),
)
"""The formats that are recognized. In them a year has four digits."""

_HAS_NO_DATE = re.compile(r"\D*(?:\d+\D*)?", re.ASCII)
"""Texts with fewer than two numbers."""

ISO = (_DAYS[0], *(f"{_DAYS[0]}{time}" for time in _ISO_TIMES))
"""The formats of ISO 8601 among them."""

SHORT_YEARS = (
    *("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d"),
    *("%d-%b-%y", "%d %b %y"),
)
"""Formats whose years have two digits: they are read only if they are named."""


def wrong_format(text: str) -> str:
    """Return what is wrong with a format that a user gives, in a sentence; "" if nothing is."""
    unknown = [found for found in re.findall(r"%.?", text, re.DOTALL) if found not in DIRECTIVES]
    if unknown:
        return f"{unknown[0]} is not among {' '.join(DIRECTIVES)}."
    parts = [DIRECTIVES[found][0] for found in re.findall("%.", text)]
    same = [_SAME_PART.get(part, part) for part in parts]
    if len(set(same)) < len(same):
        return "one of its parts stands there twice."
    if ("I" in parts) != ("p" in parts):
        return "%I, an hour up to 12, goes with %p."
    return "" if "Y" in same else "there is no year: %Y, or %y for two digits."


def formats_of(texts: Sequence[str], among: Sequence[str] = FORMATS) -> dict[str, NDArray[np.float64]]:
    """Return each format that fits all texts, with the days (K,) that it reads; texts are not empty."""
    if not texts or _HAS_NO_DATE.fullmatch(texts[0]) or max(map(len, texts)) > LONGEST:
        return {}
    shape = re.sub("[0-9]", "0", texts[0].lower())
    found = {}
    for candidate in among:
        if _pattern(candidate).fullmatch(shape):
            days = days_of(texts, candidate)
            if not np.isnan(days).any():
                found[candidate] = days
    return found


def days_of(texts: Sequence[str], form: str) -> NDArray[np.float64]:
    """Return the days (K,) that a format reads in these texts; nan for texts that it does not fit."""
    days = np.full(len(texts), np.nan)
    for start in range(0, len(texts), AT_ONCE):
        part = texts[start : start + AT_ONCE]
        short = [i for i, text in enumerate(part) if 0 < len(text) <= LONGEST and text.isascii()]
        if short:
            encoded = np.array([part[i] for i in short], dtype="S")
            characters = encoded.view(np.uint8).reshape(len(short), -1)
            days[start + np.array(short)] = days_in(characters, form)
    return days


def days_in(characters: NDArray[np.uint8], form: str) -> NDArray[np.float64]:
    """Return the days (n,) that a format reads in texts (n, length) of ASCII characters, with NULs behind."""
    days = np.full(len(characters), np.nan)
    pattern = _pattern(form)
    for shape, rows, in_shape in _by_shape(characters):
        match = pattern.fullmatch(shape)
        if match is not None:
            days[rows] = _days(match, in_shape)
    return days


def date_text(days: float) -> str:
    """Return days as text, such as 2024-01-31, or 2024-01-31 09:30 where there is a time of day."""
    seconds = np.datetime64(round(days * 86400), "s")
    text = str(seconds).replace("T", " ")
    return text[:10] if text.endswith("00:00:00") else text.removesuffix(":00")


@lru_cache(maxsize=1024)
def _pattern(form: str) -> re.Pattern[str]:
    """Return a format as a pattern of shapes: texts in lower case with 0 for each digit."""
    parts = re.split("(%.)", form)
    pattern = ""
    for i, part in enumerate(parts):
        if part not in DIRECTIVES:
            pattern += re.escape(part.lower())
            continue
        name, digits = DIRECTIVES[part]
        beside = [parts[j] for k in (-1, 1) if 0 <= (j := i + 2 * k) < len(parts) and not parts[i + k]]
        if digits == "00?" and any(other not in ("%b", "%B", "%p", "%z") for other in beside):
            digits = "00"  # without anything between numbers, each has all its digits
        pattern += f"(?P<{name}>{digits})"
    return re.compile(pattern)


def _by_shape(characters: NDArray[np.uint8]) -> Iterator[tuple[str, NDArray[np.intp], NDArray[np.uint8]]]:
    """Yield each shape, the indices of its texts, and their characters (n, length) in lower case."""
    capital = (characters >= ord("A")) & (characters <= ord("Z"))
    characters = characters + capital * np.uint8(32)
    digits = (characters >= ord("0")) & (characters <= ord("9"))
    shapes = np.where(digits, np.uint8(ord("0")), characters)
    left = np.arange(len(characters))
    while len(left):
        first = shapes[left[0]]
        same = (shapes[left] == first).all(axis=1)
        rows = left[same]
        shape = first.tobytes().rstrip(b"\0").decode("ascii")
        yield shape, rows, characters[rows, : len(shape)]
        left = left[~same]


def _days(match: re.Match[str], characters: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the days (n,) of texts of one shape, whose parts stand where a pattern matched it."""
    groups = match.re.groupindex

    def number(name: str, default: int = 0) -> NDArray[np.int64]:
        if name not in groups:
            return np.full(len(characters), default)
        start, end = match.span(name)
        point = match.string.find(".", start, end)
        digits = characters[:, start : end if point < 0 else point].astype(np.int64) - ord("0")
        powers: NDArray[np.int64] = 10 ** np.arange(digits.shape[1] - 1, -1, -1)
        return digits @ powers

    year = number("Y") if "Y" in groups else (two := number("y")) + np.where(two < 69, 2000, 1900)
    month = np.full(len(characters), _month(match["b"])) if "b" in groups else number("m", 1)
    day = number("d", 1)
    right = (month >= 1) & (month <= 12) & (year >= 1)
    months = (year - 1970) * 12 + np.where(right, month, 1) - 1
    first = _first_days(months)
    right &= (day >= 1) & (day <= _first_days(months + 1) - first)
    hour, minute, second = number("H"), number("M"), number("S")
    if "I" in groups:
        hour = number("I")
        right &= (hour >= 1) & (hour <= 12)
        hour = hour % 12 + 12 * ("p" in groups and match["p"] == "pm")
    right &= (hour < 24) & (minute < 60) & (second < 60)
    fraction: NDArray[np.float64] = np.zeros(len(characters))
    if "S" in groups and "." in match["S"]:
        start, end = match.span("S")
        digits = characters[:, start + 3 : end].astype(np.int64) - ord("0")
        fraction = digits @ 10.0 ** -np.arange(1, digits.shape[1] + 1)
    if "z" in groups and match["z"] != "z":
        start, end = match.span("z")
        digits = characters[:, [start + 1, start + 2, end - 2, end - 1]].astype(np.int64) - ord("0")
        offset = digits @ np.array([600, 60, 10, 1])
        right &= (offset < 24 * 60) & (digits[:, 2] < 6)
        minute = minute + (offset if match["z"][0] == "-" else -offset)
    # The one sum in which all sources of dates round: see `objects.days_since_1970`.
    later, seconds = np.divmod(3600 * hour + 60 * minute + second, 86400)
    days: NDArray[np.float64] = (first + day - 1 + later) + (seconds + fraction) / 86400
    return np.where(right, days, np.nan)


def _month(name: str) -> int:
    return 1 + [month[:3] for month in MONTHS].index(name[:3])


def _first_days(months: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first days of months since January 1970, in days since 1970-01-01."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)

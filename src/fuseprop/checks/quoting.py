r"""How messages show names, cells, paths and values that come from files and users, and how they count.

A name or a cell may hold an escape sequence that recolours or rewrites a terminal, a line break that fakes a
line, a mark that turns the direction of writing, or a megabyte of text. Printable characters stay as they
are; any other is written as an escape such as \x1b, as git and ls do.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import floor, log10

LIMIT = 60
"""Names and cells are cut after this many characters."""

QUOTES = '\\"'
"""Printable characters that are escaped between double quotes."""


def shown(text: object, limit: int | None = LIMIT) -> str:
    r"""Return a name unchanged if it is printable, otherwise in double quotes with escapes: "a\x1b[2J".

    A name longer than `limit` is cut and ends in three points; None, meant for paths, cuts nothing.
    """
    whole = str(text)
    cut = _cut(whole, limit)
    return cut if cut.isprintable() else f'"{_escaped(cut, marks=QUOTES)}"'


def quoted(value: object, limit: int | None = LIMIT) -> str:
    """Return a string in double quotes with escapes, cut as by `shown`; anything else as `literal`."""
    if not isinstance(value, str):
        return literal(value, limit)
    return f'"{_escaped(_cut(value, limit), marks=QUOTES)}"'


def literal(value: object, limit: int | None = LIMIT) -> str:
    """Return `repr` of a value, printable and cut as by `shown`."""
    if isinstance(value, str):
        return repr(_cut(str(value), limit))
    return printable(_cut(repr(value), limit))


def printable(text: str) -> str:
    """Return a text whose line breaks are kept and whose other unprintable characters are escaped."""
    return "\n".join(line if line.isprintable() else _escaped(line) for line in text.split("\n"))


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: "1 epoch", "1,200 epochs", "2 classes" (of "class", "classes")."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def six_digits(cell: object) -> str:
    """Return a cell of a table that is shown: a float in at most six digits, all else as its own text."""
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)


def three_digits(value: float) -> str:
    """Return a number that was measured: 0.123, 9.31, 17.2, 451, 132,000."""
    if value == 0:
        return "0"
    digits = 2 - floor(log10(abs(value)))
    return f"{round(value, digits):,.{max(0, digits)}f}"


def position_text(index: Iterable[object]) -> str:
    """Return the index of an array's element in words, counted from 0: "row 2", or "row 2, column 1"."""
    return ", ".join(f"{axis} {i}" for axis, i in zip(("row", "column"), index, strict=False))


def _cut(text: str, limit: int | None) -> str:
    return text if limit is None or len(text) <= limit else text[:limit] + "..."


def _escaped(text: str, marks: str = "") -> str:
    parts = []
    for character in text:
        if character in marks:
            parts.append(f"\\{character}")
        elif character.isprintable():
            parts.append(character)
        else:
            parts.append(repr(character)[1:-1])
    return "".join(parts)

"""How a delimited file is written: its delimiter, the lines above its rows, its header, its names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from ...checks.quoting import counted
from ..errors import DataError
from ..spelling import number
from .header import Names, holds_data, made_names, note_on_numbers
from .rows import BLANKS, BadRow, lines_of, rows_of
from .text import Text

DELIMITERS = (",", ";", "\t", "|", BLANKS)
SPOKEN = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", BLANKS: "blanks"}

SAMPLE_ROWS = 500
"""Rows that decide about the delimiter and the header."""

_SEP = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?[.,]?\d[\d.,]*(?:[eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Dialect:
    """How a delimited file is written.

    Attributes
    ----------
    delimiter, quote : str
    columns : Names
        The columns' names, those that are no data by where they stand, and what is told of them.
    first_line : int
        The line, counted from 1, in which the first row below the header begins.
    start : int
        The bytes of the text, in UTF-8, before that line.
    sample : list of list of str
        Some of the first rows below the header.
    whole : bool
        Whether these are all.
    notes : tuple of str
    """

    delimiter: str
    quote: str
    columns: Names
    first_line: int
    start: int
    sample: list[list[str]]
    whole: bool
    notes: tuple[str, ...]


def dialect_of(text: Text, *, by_suffix: str = "") -> Dialect:
    """Return how a file is written, by its first MiB.

    `by_suffix` is the delimiter that the file's name promises, of which nothing is told; "" for none. Raises
    DataError for an empty file, a header without rows, a header that may as well be data, and files that no
    delimiter divides evenly.
    """
    content, whole = text.sample()
    if not whole:
        content = content[: content.rfind(b"\n") + 1]
    lines = list(lines_of([content]))
    while whole and lines and not lines[-1].strip(" \u00a0\n"):
        lines.pop()
    above, notes, forced, comment = _above(lines)
    if above == len(lines):
        raise DataError(f"{text.place} is empty; expected a header row and rows of data.")
    quote = '"'
    if forced == quote:
        raise DataError(
            f"{text.place}: its first line says that its cells are divided by quotes, which enclose cells; "
            f'expected a delimiter, such as "sep=;". Correct it.'
        )
    delimiter, rows = _divided(lines[above:], above + 1, forced, quote, text.place)
    if not forced and delimiter != (by_suffix or ","):
        notes.append(f"Its cells are divided by {SPOKEN[delimiter]}.")
    if forced:
        notes.append(f'Its first line says that its cells are divided by "{forced}".')
    if all(len(row) == 1 for _, row in rows):
        again = rows_of(lines[above:], delimiter, quote, above + 1, strict=False, one_column=True)
        rows = list(islice(again, SAMPLE_ROWS))
    cells = [row for _, row in rows]
    header: list[str] | None
    body = rows
    named = _cells_of(comment, delimiter, quote)
    if len(named) == len(cells[0]) > 1 and _has_number(cells[0]) and not _has_number(named):
        header = named
        notes.append("The last comment above its rows was taken for the header.")
    elif holds_data(cells, text.place):
        header = None
        notes.append(
            f"Its first line is taken for data, as it looks like the rows below: the columns are named x1 to "
            f"x{len(cells[0])}."
            if len(cells[0]) > 1
            else "Its first line is taken for data: the column is named x1."
        )
    else:
        header, body = cells[0], rows[1:]
        note = note_on_numbers(cells)
        notes += [note] if note else []
    if not body:
        try:
            list(rows_of(lines[above:], delimiter, quote, above + 1))
        except BadRow as bad:
            raise DataError(f"{text.place}: line {bad.line}: {bad.why}.") from bad
        raise DataError(f"{text.place} holds no rows, only a header.")
    below = [row for _, row in body]
    columns = made_names(header, below)
    first_line = body[0][0]
    return Dialect(
        delimiter,
        quote,
        columns,
        first_line,
        sum(len(line.encode()) for line in lines[: first_line - 1]),
        below,
        whole and len(rows) < SAMPLE_ROWS,
        (*notes, *columns.notes),
    )


def _above(lines: Sequence[str]) -> tuple[int, list[str], str, str]:
    """Return how many lines stand above the header, notes, the delimiter they name, the last comment."""
    forced, comment, comments = "", "", 0
    at = 0
    for at, line in enumerate(lines):
        stripped = line.strip()
        named = _SEP.fullmatch(line.rstrip("\n"))
        if named and not at:
            forced = named[1]
        elif stripped.startswith("#"):
            comment, comments = stripped.lstrip("#").strip(), comments + 1
        elif stripped:
            break
    else:
        at = len(lines)
    notes = [
        f"{counted(comments, 'comment')} above its header {'was' if comments == 1 else 'were'} left out."
    ]
    return at, notes if comments else [], forced, comment


def _cells_of(line: str, delimiter: str, quote: str) -> list[str]:
    try:
        return next((cells for _, cells in rows_of([line], delimiter, quote)), [])
    except BadRow:
        return []


def _has_number(cells: Sequence[str]) -> bool:
    return any(number(cell) is not None for cell in cells)


def _divided(
    lines: list[str], first: int, forced: str, quote: str, place: str
) -> tuple[str, list[tuple[int, list[str]]]]:
    """Return the delimiter that divides most rows evenly, and the first rows with their lines."""
    best: tuple[tuple[float, ...], str, list[tuple[int, list[str]]]] | None = None
    beginning = "".join(lines[:50])
    # A comma is tried without one in the file too, as a column may be alone.
    candidates = [forced] if forced else [one for one in DELIMITERS if one == "," or one in beginning]
    for delimiter in candidates:
        try:
            rows = list(islice(rows_of(lines, delimiter, quote, first, strict=False), SAMPLE_ROWS))
        except BadRow as bad:
            if len(candidates) > 1:
                continue
            raise DataError(f"{place}: line {bad.line}: {bad.why}.") from bad
        merit = _merit([row for _, row in rows], delimiter)
        if best is None or merit > best[0]:
            best = merit, delimiter, rows
    if best is None:
        raise DataError(f"{place} cannot be divided into cells by commas, semicolons, tabs, bars or blanks.")
    return best[1:]


def _merit(rows: list[list[str]], delimiter: str) -> tuple[float, ...]:
    """Return how well a delimiter divides rows, more is better: above all as evenly as the header.

    Then evenly among themselves, into cells that are numbers, into many cells. Blanks come last, as they
    divide any text.
    """
    width = len(rows[0])
    body = rows[1:] or rows
    usual = Counter(map(len, body)).most_common(1)[0][0]
    if max(width, usual) == 1 or (width == 1 and delimiter == BLANKS):
        return (0.0,) * 5
    even = sum(len(row) in (width, width + 1) for row in body) / len(body) if width > 1 else 0.0
    regular = sum(len(row) == usual for row in body) / len(body) if usual > 1 else 0.0
    cells = [cell for row in body[:100] for cell in row if cell]
    numbers = sum(_NUMBER.fullmatch(cell) is not None for cell in cells) / max(1, len(cells))
    return round(even, 1), round(regular, 1), float(delimiter != BLANKS), round(numbers, 2), width

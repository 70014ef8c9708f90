"""The header of a CSV file, its blank rows, and the search for the first cell that cannot be read."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from os import SEEK_END
from pathlib import Path
from typing import TextIO

from ..checks.quoting import counted, literal
from .errors import DataError, listed, repeated
from .spelling import number, why_no_number

TAIL = 4096
"""Bytes at the end of a file that are examined for blank rows."""

SPACES = "".join(character for character in map(chr, range(0x3001)) if character.isspace())
"""The characters that `str.strip` removes; U+3000 is the last of them."""

DELIMITERS = (",", ";", "\t")


def header_of(file: TextIO, path: Path) -> tuple[list[str], str]:
    """Read the header row; return the column names, and the delimiter that gives the most of them.

    Raises DataError for an empty file, a header of numbers only, and names that are empty or repeated.
    """
    line = file.readline()
    while line and not line.strip():
        line = file.readline()
    if not line:
        raise DataError(f"{path} is empty; expected a header row and rows of numbers.")
    # Delimiters that do not occur are left out: an unsplit header may be a longer cell than `csv` allows.
    candidates = [delimiter for delimiter in DELIMITERS if delimiter in line] or [","]
    splits = {delimiter: next(csv.reader([line], delimiter=delimiter)) for delimiter in candidates}
    delimiter = max(candidates, key=lambda candidate: len(splits[candidate]))
    names = [name.strip() for name in splits[delimiter]]
    if all(number(name) is not None for name in names):
        raise DataError(
            f"{path}: the first line holds only numbers ({listed(names, 4)}); expected a header row with the "
            f"name of each column. Add one."
        )
    if "" in names:
        raise DataError(f"{path}: column {names.index('') + 1} of {len(names)} has no name in the header.")
    twice = repeated(names)
    if twice:
        raise DataError(f"{path}: the header names {listed(twice)} more than once; names must differ.")
    return names, delimiter


def without_blank_end(lines: Iterable[str], delimiter: str) -> Iterator[str]:
    """Yield lines up to the last one with a cell that is not empty: spreadsheets append blank rows."""
    blank = _blank_characters(delimiter)
    waiting: list[str] = []
    for line in lines:
        if not line.strip(blank):
            waiting.append(line)
            continue
        if waiting:
            yield from waiting
            waiting.clear()
        yield line


def ends_blank(path: Path, delimiter: str) -> bool:
    """Return whether the last row is blank; only then must `without_blank_end` read the file line by line."""
    with path.open("rb") as end:
        end.seek(max(0, end.seek(0, SEEK_END) - TAIL))
        lines = end.read().decode(errors="replace").rstrip("\r\n").splitlines()
    return not lines or not lines[-1].strip(_blank_characters(delimiter))


def _blank_characters(delimiter: str) -> str:
    """Return the characters that a blank row's line consists of, non-breaking spaces among them."""
    return f'{delimiter}"{SPACES}'


def explain(path: Path, names: Sequence[str], delimiter: str, features: Sequence[str]) -> str:
    """Return the place of the first bad row or feature and what is wrong with it; "" if none is found."""
    numeric = set(features)
    for place, cells in _rows(path, delimiter):
        if not any(cell.strip() for cell in cells):
            return f"{place} is blank, and rows follow. Fill it, or leave it out."
        if len(cells) != len(names):
            return f"{place}: expected {counted(len(names), 'cell')}, as in the header, got {len(cells)}."
        for name, cell in zip(names, cells, strict=True):
            wrong = why_no_number(cell) if name in numeric else ""
            if wrong:
                return f"{place}, column {literal(name)}: {wrong}"
    return ""


def row_at(path: Path, delimiter: str, row: int) -> str:
    """Return the place of a row, counted from 0, in the file, such as ``row 3 (line 5)``."""
    return next(islice((place for place, _ in _rows(path, delimiter)), row, None), f"row {row + 1}")


def _rows(path: Path, delimiter: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the place and the cells of each row below the header.

    Rows are counted from 1 below the header, lines from 1 in the file. Empty lines are no rows.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(without_blank_end(file, delimiter), delimiter=delimiter)
        # The header; None if the file has been truncated meanwhile.
        next((cells for cells in rows if any(cell.strip() for cell in cells)), None)
        for row, cells in enumerate((cells for cells in rows if cells), 1):
            yield f"row {row} (line {rows.line_num})", cells

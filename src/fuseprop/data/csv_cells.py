"""What a CSV file's header says, and which cell is to blame when its numbers cannot be read."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from os import SEEK_END
from pathlib import Path
from typing import TextIO

from ..checks.quoting import counted, literal
from .errors import DataError, listed
from .spelling import number, why_no_number

TAIL = 4096
"""As many bytes at the end of a file are looked at."""

SPACES = "".join(sign for sign in map(chr, range(0x3001)) if sign.isspace())
"""What `str.strip` takes away: U+3000 is the last of them."""

DELIMITERS = (",", ";", "\t")


def header_of(file: TextIO, path: Path) -> tuple[list[str], str]:
    """Read the header row; return the column names and the delimiter that makes most of them.

    Raises DataError for an empty file, a row of numbers, and names that are empty or repeated.
    """
    line = file.readline()
    while line and not line.strip():
        line = file.readline()
    if not line:
        raise DataError(f"{path} is empty; expected a header row and rows of numbers.")
    # A wide header that is not split is a longer cell than `csv` takes.
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
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(f"{path}: the header names {listed(repeated)} more than once; names must differ.")
    return names, delimiter


def filled(lines: Iterable[str], delimiter: str) -> Iterator[str]:
    """Yield lines without the last ones that hold no cell but empty ones: a spreadsheet's blank rows."""
    empty = _empty(delimiter)
    waiting: list[str] = []
    for line in lines:
        if not line.strip(empty):
            waiting.append(line)
            continue
        if waiting:
            yield from waiting
            waiting.clear()
        yield line


def ends_blank(path: Path, delimiter: str) -> bool:
    """Return whether the last row is blank; a file whose last row isn't need not be read line by line."""
    with path.open("rb") as end:
        end.seek(max(0, end.seek(0, SEEK_END) - TAIL))
        lines = end.read().decode(errors="replace").rstrip("\r\n").splitlines()
    return not lines or not lines[-1].strip(_empty(delimiter))


def _empty(delimiter: str) -> str:
    """Return what the lines of blank rows consist of: also of spaces that do not break."""
    return f'{delimiter}"{SPACES}'


def explain(path: Path, names: Sequence[str], delimiter: str, features: Sequence[str]) -> str:
    """Return what is wrong with the first bad cell or row, or nothing where all seems well."""
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
    """Return where a row, counted from 0, stands in the file: ``row 3 (line 5)``."""
    return next(islice((place for place, _ in _rows(path, delimiter)), row, None), f"row {row + 1}")


def _rows(path: Path, delimiter: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the rows below the header, each with where it stands.

    Rows are counted from 1 below the header, lines from 1 in the file. Empty lines are no rows.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(filled(file, delimiter), delimiter=delimiter)
        next((cells for cells in rows if any(cell.strip() for cell in cells)), None)  # it may have shrunk
        for row, cells in enumerate((cells for cells in rows if cells), 1):
            yield f"row {row} (line {rows.line_num})", cells

"""What a CSV file's header says, and which cell is to blame when its numbers cannot be read."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import TextIO

from ..quoting import literal
from .table import DataError, listed

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


def explain(
    path: Path, names: Sequence[str], delimiter: str, features: Sequence[str], target: Sequence[str]
) -> str:
    """Return what is wrong with the first bad cell or row, or nothing where all seems well.

    Rows are counted from 1 below the header, lines from 1 in the file.
    """
    numeric, looked_at = set(features), {*features, *target}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, delimiter=delimiter)
        filled = (cells for cells in rows if any(cell.strip() for cell in cells))
        next(filled)
        for row, cells in enumerate(filled, 1):
            place = f"row {row} (line {rows.line_num})"
            if len(cells) != len(names):
                return f"{place}: expected {len(names)} cells, as in the header, got {len(cells)}."
            for name, cell in zip(names, cells, strict=True):
                wrong = _wrong(cell, numeric=name in numeric) if name in looked_at else ""
                if wrong:
                    return f"{place}, column {literal(name)}: {wrong}"
    return ""


def number(text: str) -> float | None:
    """Return the number that a cell holds, or None."""
    # Python's `float` takes more: 1_000, and the digits of other scripts.
    if "_" in text or not text.strip().isascii():
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _wrong(cell: str, *, numeric: bool) -> str:
    if not cell.strip():
        return "the cell is empty. Fill it, or leave the row out."
    value = number(cell)
    if not numeric or (value is not None and isfinite(value)):
        return ""
    expected = "a number" if value is None else "a finite number"
    if value is not None:
        hint = "Correct it, or leave the row out."
    elif number(cell.replace(",", ".")) is not None:
        hint = "Write decimals with a point."
    else:
        hint = "Features are numbers: write text as numbers, or leave the column out."
    return f"expected {expected}, got {literal(cell)}. {hint}"

"""What a table holds that the rows learned from did not: new categories, values that never were missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..checks.quoting import counted, literal, shown
from .blocks import blocks
from .encoder import Encoder
from .errors import listed
from .frequent import MOST_RARE
from .table import Table

MOST_NAMED = 5
"""So many columns, and so many new categories of each, are named."""


def unlike_training(encoder: Encoder, table: Table) -> str:
    """Return sentences on a table's new categories and missing values, or "" if there are none.

    The table has the encoder's columns, in order. Missing values are named where none was missing in the rows
    learned from; categories that these had not, unless they had too many rare ones to remember; and numbers
    that are a thousandth of those learned from, as of 1.234,5 read as 1.234 and so on.
    """
    found = [*_missing(encoder, table), *_new(encoder, table)]
    more = f"; and {counted(len(found) - MOST_NAMED, 'column')} more" if len(found) > MOST_NAMED else ""
    listing = f"{'; '.join(found[:MOST_NAMED])}{more}"
    said = f"{table.source} holds what no row learned from held: {listing}." if found else ""
    return f"{said} {_thousandths(encoder, table)}".strip()


def _thousandths(encoder: Encoder, table: Table) -> str:
    """Return a sentence on columns whose points between thousands a reader took for decimal points."""
    columns = encoder.with_points
    if not columns.size:
        return ""
    cells, mean = table.X[:, columns], encoder.scaling.mean[columns]
    there = ~np.isnan(cells)
    middle = np.nansum(cells, axis=0) / np.maximum(there.sum(axis=0), 1)
    small = there.any(axis=0) & ~(np.abs(cells) >= 1000).any(axis=0)
    small &= np.abs(1000 * middle - mean) < np.abs(middle - mean)
    names = [encoder.column_names[j] for j in columns[small].tolist()]
    if not names:
        return ""
    return (
        f"{table.source}: the numbers of {listed(names, MOST_NAMED)} are about a thousandth of those learned "
        f"from, which were written with points between thousands: if 1.234 was read as a fraction, give the "
        f"column as text, as by dtype=str in pandas."
    )


def _missing(encoder: Encoder, table: Table) -> list[str]:
    if np.isfinite(table.X.sum()):  # one pass without a mask of the table's size
        return []
    counts = np.zeros(len(table.columns), np.int64)
    for _, cells in blocks(table.X):
        counts += np.isnan(cells).sum(axis=0)
    columns = np.flatnonzero((counts > 0) & encoder.used & ~encoder.indicated)
    return [
        f"no value of {shown(encoder.column_names[j])} in {_rows(np.isnan(table.X[:, j]), table)}"
        for j in columns.tolist()
    ]


def _new(encoder: Encoder, table: Table) -> list[str]:
    found: list[str] = []
    if table.columns is encoder.columns:
        return found
    for j, (mine, theirs) in enumerate(zip(encoder.columns, table.columns, strict=True)):
        if not mine.levels or mine is theirs or mine.levels == theirs.levels:
            continue
        if len(mine.levels) - encoder.own.get(j, len(mine.levels)) >= MOST_RARE:
            continue
        known = set(mine.levels)
        new = np.array([text not in known for text in theirs.levels], np.bool_)
        cells = table.X[:, j]
        is_new = np.zeros(len(cells), np.bool_)
        is_there = ~np.isnan(cells)
        codes = cells[is_there].astype(np.intp)
        is_new[is_there] = new[codes]
        if is_new.any():
            texts = [theirs.levels[code] for code in np.unique(cells[is_new]).astype(np.intp).tolist()]
            found.append(f"{_texts(texts)} as {shown(mine.name)} in {_rows(is_new, table)}")
    return found


def _texts(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - MOST_NAMED} more" if len(texts) > MOST_NAMED else ""
    return f"{', '.join(map(literal, texts[:MOST_NAMED]))}{more}"


def _rows(which: NDArray[np.bool_], table: Table) -> str:
    """Return which rows: "row 7", or "12 rows, row 7 the first"."""
    rows = np.flatnonzero(which)
    first = f"row {table.row_number(int(rows[0]))}"
    return first if len(rows) == 1 else f"{len(rows):,} rows, {first} the first"

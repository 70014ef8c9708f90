"""Rows of a table block by block, so that what is computed of them never has the size of the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..world import ALONE, Processes

Float = NDArray[np.float64]
Index = NDArray[np.integer]

NUMBERS_OF_A_BLOCK = 1 << 17
"""A block has as many rows as make up so many numbers: 1 MiB."""


def blocks(
    X: Float, rows: Index | None = None, columns: Sequence[int] | None = None, *, most: int | None = None
) -> Iterator[tuple[slice, Float]]:
    """Yield the rows of X (N, d) with these indices, in their order, as blocks (m, k) with their places.

    All rows and all d columns by default; a block has at most `most` rows. Blocks may be views of X.
    """
    count = len(X) if rows is None else len(rows)
    width = X.shape[1] if columns is None else len(columns)
    most = rows_of_a_block(width) if most is None else most
    for start in range(0, count, most):
        place = slice(start, min(start + most, count))
        block = X[place] if rows is None else X[rows[place]]
        yield place, block if columns is None else block[:, columns]


def ranges(X: Float, rows: Index | None = None, world: Processes = ALONE) -> tuple[Float, Float]:
    """Return the least and the greatest value, each (d,), of the columns of X in some rows of all processes.

    nan does not count; a column without any value has inf and -inf.
    """
    low, high = np.full(X.shape[1], np.inf), np.full(X.shape[1], -np.inf)
    for _, cells in blocks(X, rows):
        low = np.fmin(low, np.fmin.reduce(cells, axis=0))
        high = np.fmax(high, np.fmax.reduce(cells, axis=0))
    return world.least(low), world.greatest(high)


def rows_of_a_block(width: int) -> int:
    """Return how many rows of so many numbers make up a block, at least one."""
    return max(1, NUMBERS_OF_A_BLOCK // max(1, width))

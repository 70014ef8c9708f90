"""Random splits of rows into a part to learn from and a part held out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .backend import HostArray
from .quoting import counted

Index = NDArray[np.int64]


def split_rows(
    rng: np.random.Generator, rows: int, fraction: float, classes: HostArray | None = None
) -> tuple[Index, Index]:
    """Return ascending row numbers of the kept and of the held-out part.

    `fraction` of the rows, rounded, are held out at random. With `classes` (rows,), each class gives its
    share (largest remainders first) but keeps at least one row, so that no class is unknown in training.

    Raises ValueError for a fraction outside (0, 1), and where either part would be empty.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"the share of rows to hold out must be between 0 and 1, got {fraction!r}.")
    wanted = round(fraction * rows)
    if not 0 < wanted < rows:
        raise ValueError(
            f"{counted(rows, 'row')} {'is' if rows == 1 else 'are'} too few to hold out a share of "
            f"{fraction:g}: that is {wanted} of them. "
            f"Give more rows or another share."
        )
    if classes is None:
        shuffled = rng.permutation(rows)
        return np.sort(shuffled[wanted:]), np.sort(shuffled[:wanted])

    names, of_row, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    share = sizes * (wanted / rows)
    take = np.floor(share).astype(np.int64)
    for c in np.argsort(take - share, kind="stable"):
        take[c] += int(take.sum() < wanted)
    take = np.minimum(take, sizes - 1)
    if not take.any():
        raise ValueError(
            f"{counted(rows, 'row')} in {counted(len(names), 'class', 'classes')} are too few to hold out a "
            f"share of {fraction:g} of each. "
            f"Give more rows or another share."
        )
    held_out = np.zeros(rows, np.bool_)
    for c, count in enumerate(take):
        held_out[rng.permutation(np.flatnonzero(of_row == c))[:count]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)

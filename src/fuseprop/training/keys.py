"""Random keys of rows: each process computes those of its own rows, and all agree.

Philox is a generator that counts: the key of any row is computed by itself (J. K. Salmon, M. A. Moraes,
R. O. Dror, D. E. Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray

MOST_KEY = 2**63 - 1
"""No key is above it."""

AT_ONCE = 4
"""So many numbers Philox gives for one count."""

NO_KEY: HostArray = np.zeros(2, np.int64)
"""Stands for the key of keys where none was drawn."""


def drawn_key(rng: np.random.Generator, _: object = None) -> HostArray:
    """Draw what decides the keys of all rows, (2,) int64, whatever was drawn before."""
    return rng.integers(MOST_KEY, size=2)


def keys_of_rows(key: HostArray, start: int, stop: int) -> NDArray[np.int64]:
    """Return the keys (stop - start,) of the rows with these numbers among all: from 0 to `MOST_KEY`."""
    first = start // AT_ONCE
    raw = np.random.Philox(key=key.astype(np.uint64), counter=first).random_raw(stop - first * AT_ONCE)
    keys: NDArray[np.int64] = (raw[start - first * AT_ONCE :] >> np.uint64(1)).astype(np.int64)
    return keys

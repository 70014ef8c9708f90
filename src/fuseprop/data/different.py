"""The different texts of a column that are no missing values, and their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from .cells import Texts
from .share import WHOLE, Share
from .spelling import LONGEST_MISSING, is_missing

SAMPLE = 500

Place = Callable[[int], str]
"""Returns where a row's cell in a column stands: "t.csv: row 3 (line 4), column 'y'"."""


class Different:
    """The different texts of a column without those that stand for a missing value.

    They are those of all processes, where several share the rows; making one and what it finds is collective.

    Attributes
    ----------
    texts : list of str, K
    codes : (N,) integers
        The position in `texts` of each row's text; -1 where it is missing. The rows are this process's.
    cells : int
        How many cells are not missing in all processes.
    share : Share
    """

    def __init__(self, cells: Texts, share: Share = WHOLE) -> None:
        self.share = share
        self.texts = list(cells.texts)
        self.codes = cells.codes
        # Only short texts stand for missing values, unless they hold invisible characters.
        candidates: Iterable[int] = range(len(self.texts))
        if all(map(str.isascii, self.texts)):
            candidates = np.flatnonzero(np.array([*map(len, self.texts)]) <= LONGEST_MISSING).tolist()
        missing = [i for i in candidates if is_missing(self.texts[i])]
        if missing:
            there = np.ones(len(self.texts) + 1, dtype=bool)
            there[[*missing, -1]] = False
            position = np.where(there, np.cumsum(there) - 1, -1).astype(self.codes.dtype)
            self.codes = position[self.codes]
            self.texts = [text for text, kept in zip(self.texts, there, strict=False) if kept]
        self._own = int(np.count_nonzero(self.codes >= 0))
        self.cells = share.total(self._own)

    def __len__(self) -> int:
        return len(self.texts)

    def spread(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the value (N,) of each row from those of the texts (K,); nan where it is missing."""
        spread: NDArray[np.float64] = np.append(values, np.nan)[self.codes]
        return spread

    def first(self, chosen: NDArray[np.bool_]) -> tuple[int, str, int]:
        """Return the first row with one of the texts `chosen` (K,), its text, and the number of such rows."""
        found = self.share.first_where(np.append(chosen, False)[self.codes], self.codes)
        assert found is not None  # some text is chosen, and each is a row's
        row, code, rows = found
        return row, self.texts[code], rows

    def sample(self) -> tuple[list[str], NDArray[np.float64]]:
        """Return the different texts of at most `SAMPLE` rows, evenly spaced, and the share of each."""
        step = -(-self.cells // SAMPLE)
        own = self.codes[self.codes >= 0][-Share.of(self.share.world, self._own).first % step :: step]
        codes = np.concatenate(self.share.world.gathered(own))
        different, counts = np.unique(codes, return_counts=True)
        return [self.texts[code] for code in different], counts / counts.sum()

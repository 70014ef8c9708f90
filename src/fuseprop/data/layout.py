"""Layout: which features stand for which column, among the inputs of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .bins import Bins
from .column import Column

Places = NDArray[np.intp]

NONE = -1
"""Stands for no feature."""


@dataclass(frozen=True, eq=False)
class Layout:
    """The features of d columns, column by column: of its values first, then that of missing ones.

    Attributes
    ----------
    features : list of (Column, str, str)
        Of each feature its column, and what stands behind the column's name: a sign, such as "=" before a
        level, and a text.
    starts : (d + 1,) int
        Where each column's features begin; those of column j end where column j + 1 begins.
    columns : tuple of Column
        The d columns.
    lines : (3, k) int
        The columns whose value is a feature, and these features, in ascending order: numbers, booleans, the
        days of dates; and those of bins, which have 1, 2, ... in the third row, the others 0.
    missing : (2, m) int
        The columns with a feature for missing values, and these features, but for categories.
    categories : (c,) int
        The columns of categories.
    first, known : (c,) int
        Where the features of a column's codes begin in `of_codes`, and how many codes are known.
    of_codes : int
        The features of all categories' codes: of each known one, of a new one, of a missing value; or `NONE`.
    dates : list of (int, tuple of str)
        The columns of dates that have cycles, with these.
    lines_and_points : (k + 2a,) int, or slice
        The features of `lines`, and then the sines, and the cosines, of all dates' cycles; a slice where one
        follows the other.
    """

    features: Sequence[tuple[Column, str, str]]
    starts: Places
    columns: tuple[Column, ...]
    lines: Places
    missing: Places
    categories: Places
    first: Places
    known: Places
    of_codes: Places
    dates: Sequence[tuple[int, tuple[str, ...]]]
    lines_and_points: Places | slice

    @classmethod
    def of(
        cls,
        columns: Sequence[Column],
        used: Sequence[bool],
        indicated: Sequence[bool],
        own: Mapping[int, int],
        cycles: Mapping[int, tuple[str, ...]],
        bins: Mapping[int, Bins],
    ) -> Layout:
        """Return the layout of the columns of an `Encoder`."""
        features: list[tuple[Column, str, str]] = []
        starts, lines, missing, sines = [], [], [], []
        categories, first, known, of_codes = [], [], [], list[int]()
        for j, (column, is_used, is_indicated) in enumerate(zip(columns, used, indicated, strict=True)):
            start = len(features)
            starts.append(start)
            if column.kind == "category":
                size, rare = len(column.levels), len(column.levels) - own[j]
                if is_used:
                    features += [(column, "=", level) for level in column.levels[: own[j]]]
                    features += [(column, "=", "other")] * (rare > 0)
                other = len(features) - 1 if is_used and rare else NONE
                categories.append(j)
                first.append(len(of_codes))
                known.append(size)
                of_codes += range(start, start + own[j]) if is_used else [NONE] * own[j]
                of_codes += [other] * (rare + 1) + [len(features) if is_indicated else NONE]
            elif is_used:
                lines.append((j, start, 0))
                features.append((column, "", ""))
                for piece, word in enumerate(bins[j].words(column.kind) if j in bins else (), 1):
                    lines.append((j, len(features), piece))
                    features.append((column, " ", word))
                for cycle in cycles.get(j, ()):
                    sines.append(len(features))
                    features += [(column, " ", f"{cycle} sin"), (column, " ", f"{cycle} cos")]
            if is_indicated:
                if column.kind != "category":
                    missing.append((j, len(features)))
                features.append((column, " ", "missing"))
        return cls(
            features,
            np.array([*starts, len(features)], np.intp),
            tuple(columns),
            _rows(lines, 3),
            _rows(missing, 2),
            np.array(categories, np.intp),
            np.array(first, np.intp),
            np.array(known, np.intp),
            np.array(of_codes, np.intp),
            [(j, names_of) for j, names_of in cycles.items() if names_of],
            _consecutive([*(feature for _, feature, _ in lines), *sines, *(i + 1 for i in sines)]),
        )

    def names(self) -> tuple[str, ...]:
        """Return the names of the features, different from each other."""
        # Not before they are asked for: a file of long names and many levels is small, but not their product.
        return _different([f"{column.name}{sign}{word}" for column, sign, word in self.features])

    def categories_of(self, cells: NDArray[np.float64], gone: NDArray[np.bool_] | None) -> Places:
        """Return which features of all rows, counted through, are 1 by the categories in cells (n, d).

        `gone` says which cells are nan; None if none is.
        """
        codes = np.minimum(cells.take(self.categories, axis=1), self.known)
        if gone is not None:
            codes = np.where(gone.take(self.categories, axis=1), self.known + 1, codes)
        features = self.of_codes.take(codes.astype(np.intp) + self.first)
        places = features if len(cells) == 1 else _row_starts(len(cells), len(self.features)) + features
        chosen: Places = places[features != NONE]
        return chosen


def _row_starts(rows: int, width: int) -> Places:
    return np.arange(0, rows * width, width)[:, None]


def _rows(entries: Sequence[tuple[int, ...]], count: int) -> Places:
    return np.array(entries, np.intp).reshape(-1, count).T


def _consecutive(features: list[int]) -> Places | slice:
    """Return features as an index, as a slice where they follow each other: it is several times faster."""
    first, end = features[0] if features else 0, features[-1] + 1 if features else 0
    return slice(first, end) if features == list(range(first, end)) else np.array(features, np.intp)


def _different(names: list[str]) -> tuple[str, ...]:
    """Return the names, with a number behind one that is there already: that of a level "other", say."""
    given = set(names)
    if len(given) == len(names):
        return tuple(names)
    made: dict[str, None] = {}
    for name in names:
        different, count = name, 1
        while different in made or (count > 1 and different in given):
            count += 1
            different = f"{name} ({count})"
        made[different] = None
    return tuple(made)

"""Intervals by resampling rows: what each score is a function of is a few sums over rows.

Rows are drawn again from the rows that are there, as many as there are, `RESAMPLES` times; the interval is
what 95% of the scores of these resamples lie in: the percentile bootstrap (Efron & Tibshirani 1993, An
Introduction to the Bootstrap, chapter 13). More than `GROUPS` rows are divided into that many groups at
random, which are drawn in place of rows: a mean over rows has the same variance either way, known to 2% from
so many groups, and a million rows take no longer than a thousand, but for their sums.

It says how far the scores of other rows of the same kind may lie from these; not what another training, or
rows of another kind, would give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...backend import HostArray

RESAMPLES = 1000
"""How many times rows are drawn again; the ends of an interval move by 4% of its width with the seed."""

GROUPS = 1000
"""The most rows, or groups of rows, that are drawn from."""

CONFIDENCE = 0.95

AT_ONCE = 50
"""How many resamples are summed at once, which bounds the memory."""

Floats = NDArray[np.float64]
Sums = TypeVar("Sums", bound=tuple[Floats, ...])


class Groups:
    """Rows divided into groups of equal size, to the row.

    Parameters
    ----------
    rows, count : int
        How many rows there are, and how many groups; with as many groups as rows each row is one.
    """

    def __init__(self, rows: int, count: int = 1) -> None:
        self.rows, self.count = rows, count
        if count == rows:
            self._of = np.arange(rows)
        elif count > 1:
            self._of = np.random.default_rng(0).permutation(rows) % count

    def sum(self, values: HostArray) -> Floats:
        """Return the sums (count, ...) over the rows of each group, in float64; values (rows, ...)."""
        if values.ndim == 1:
            if self.count == 1:
                return np.add.reduce(values, dtype=np.float64, keepdims=True)
            return np.bincount(self._of, values, self.count).astype(np.float64, copy=False)
        return np.stack([self.sum(column) for column in values.T], axis=1)

    def tally(self, kind: HostArray, kinds: int, counted: NDArray[np.bool_] | None = None) -> Floats:
        """Return how many rows of each kind (rows,) a group has, (count, kinds), of `counted` ones alone."""
        cell = kind if self.count == 1 else self._of * kinds + kind
        if counted is not None:
            cell = cell[counted]
        found = np.bincount(cell, minlength=self.count * kinds)
        return found.reshape(self.count, kinds).astype(np.float64)


def groups_of(rows: int) -> Groups:
    """Return the groups from which rows are drawn again."""
    return Groups(rows, min(rows, GROUPS))


def intervals(
    sums: Sums, formulas: Mapping[str, Callable[[Sums], Floats]], values: Mapping[str, float]
) -> dict[str, tuple[float, float]]:
    """Return the interval of each score, by name.

    Parameters
    ----------
    sums : tuple of (g, ...) float64
        The sums of each group. Groups beyond those of the rows stand for rows that might have been there.
    formulas
        By name, from sums (b, ...) to scores (b,); nan for a resample in which there is none.
    values
        The scores of the rows themselves, which lie in their intervals.
    """
    drawn: dict[str, list[Floats]] = {name: [] for name in formulas}
    with np.errstate(all="ignore"):
        for resample in _resampled(sums):
            for name, formula in formulas.items():
                drawn[name].append(formula(resample))
    found = {}
    for name, parts in drawn.items():
        scores = np.concatenate(parts)
        scores = scores[np.isfinite(scores)]
        if scores.size and np.isfinite(values[name]):
            tail = (1 - CONFIDENCE) / 2
            low, high = np.quantile(scores, [tail, 1 - tail])
            found[name] = (min(float(low), values[name]), max(float(high), values[name]))
    return found


def _resampled(sums: Sums) -> Iterator[Sums]:
    """Yield the sums over groups that are drawn again, `AT_ONCE` resamples at a time."""
    rng, groups = np.random.default_rng(0), len(sums[0])
    columns = np.concatenate([each.reshape(groups, -1) for each in sums], axis=1)
    ends = np.cumsum([each[0].size for each in sums])[:-1]
    first = np.arange(AT_ONCE)[:, None] * groups
    for _ in range(RESAMPLES // AT_ONCE):
        drawn = rng.integers(groups, size=(AT_ONCE, groups)) + first
        times = np.bincount(drawn.ravel(), minlength=AT_ONCE * groups).reshape(AT_ONCE, groups)
        parts = np.split(times.astype(np.float64) @ columns, ends, axis=1)
        shaped = (part.reshape(AT_ONCE, *each.shape[1:]) for part, each in zip(parts, sums, strict=True))
        yield _same_kind(sums, shaped)


def _same_kind(sums: Sums, parts: Iterator[Floats]) -> Sums:
    return type(sums)._make(parts)  # type: ignore[attr-defined, no-any-return]

"""Bins of a quantity: a feature for each says how far into the bin a value is, from 0 to 1.

The piecewise linear encoding of numbers (Y. Gorishniy, I. Rubachev, A. Babenko, On Embeddings for Numerical
Features in Tabular Deep Learning, NeurIPS 2022): a network that gets it bends where the bins meet, and need
not learn where. Bins that end at quantiles hold about as many rows each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..world import ALONE, Processes
from ..world.quantiles import ranked
from .blocks import Float
from .cycles import as_date

MOST_BINS = 1000
"""No column has more bins."""

FEWEST_EDGES = 3
"""A single bin would say no more than the value itself."""


@dataclass(frozen=True)
class Bins:
    """The bins of a column: feature k is clip((x - b_{k-1}) / (b_k - b_{k-1}), 0, 1) - mean_k, k = 1 ... t.

    Attributes
    ----------
    edges : tuple of float
        b_0 < ... < b_t, at least three, none farther from another than float64 holds.
    means : tuple of float
        The t means of what is clipped over the rows learned from, so that the mean of a feature is 0 there.

    Raises ValueError for others.
    """

    edges: tuple[float, ...]
    means: tuple[float, ...]

    def __post_init__(self) -> None:
        edges, means = np.array(self.edges, np.float64), np.array(self.means, np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            are_edges = FEWEST_EDGES <= len(edges) <= MOST_BINS + 1 and bool((np.diff(edges) > 0).all())
            are_edges = are_edges and bool(np.isfinite([*edges, edges[-1] - edges[0]]).all())
        if not are_edges:
            raise ValueError(
                f"bins have {FEWEST_EDGES} to {MOST_BINS + 1:,} edges, finite and in ascending order."
            )
        if len(means) != len(edges) - 1 or not ((means >= 0) & (means <= 1)).all():
            raise ValueError("bins have a mean from 0 to 1 each.")

    @classmethod
    def of(cls, values: Float, most: int, world: Processes = ALONE) -> Bins | None:
        """Return at most so many bins of all processes' values (n,), or None for fewer than two.

        No value is nan. Edges are the quantiles i / most that differ, each a value that is there: the least
        one that i / most of all values do not exceed. Where at most `most` + 1 values differ, these are the
        edges. Values that differ by no more than rounding, or by more than float64 holds, have no bins.
        """
        values = np.sort(values)
        n = int(world.total(len(values)))
        low, high = world.least(values.min(initial=np.inf)), world.greatest(values.max(initial=-np.inf))
        if not n or not _has_width(float(low), float(high)):
            return None
        edges = _all_different(values, most + 1, world)
        if edges is None:
            ends = (np.arange(1, most + 1) * n + most - 1) // most - 1
            edges = np.unique(ranked(world, values, [0, *ends]))
        if len(edges) < FEWEST_EDGES:
            return None
        first, widths = np.searchsorted(values, edges), np.diff(edges)
        counts = np.diff(first)
        parts = (values[: first[-1]] - edges[:-1].repeat(counts)) / widths.repeat(counts)
        sums, some = np.zeros(len(widths)), counts > 0
        sums[some] = np.add.reduceat(parts, first[:-1][some])
        means = world.total(sums + (len(values) - first[1:])) / n
        return cls(tuple((edges + 0.0).tolist()), tuple(np.clip(means, 0.0, 1.0).tolist()))

    def words(self, kind: str) -> list[str]:
        """Return what to call each bin of a column of this kind: 18..25, with as few digits as tell them."""
        if kind == "date":
            return _between([as_date(edge) for edge in self.edges])
        for digits in range(6, 18):
            texts = [f"{edge:.{digits}g}" for edge in self.edges]
            if len(set(texts)) == len(texts):
                break
        return _between(texts)


def check_bins(bins: object) -> int:
    """Return how many bins a column may have: 0, or `bins`. Raises ValueError for what is none."""
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer) or not 0 <= bins <= MOST_BINS:
        raise ValueError(f"bins must be a whole number from 0, for none, to {MOST_BINS:,}, got {bins!r:.60}.")
    return int(bins)


def _all_different(ordered: Float, most: int, world: Processes) -> Float | None:
    """Return all processes' different values in order; None where they are more than so many."""
    own = ordered[np.flatnonzero(np.diff(ordered, prepend=-np.inf))]
    if world.greatest(len(own)) > most:
        return None
    united = np.unique(np.concatenate(world.gathered(own)))
    return united if len(united) <= most else None


def _has_width(low: float, high: float) -> bool:
    limits = np.finfo(np.float64)
    rounding = 10 * float(limits.eps) * max(abs(low), abs(high))
    return max(rounding, float(limits.tiny)) < high - low < np.inf


def _between(texts: Sequence[str]) -> list[str]:
    return [f"{low}..{high}" for low, high in pairwise(texts)]

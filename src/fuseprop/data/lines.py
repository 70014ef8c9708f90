"""Features that are a line of a column's cells, as the value itself is, or a piece of one, as a bin is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .bins import Bins
from .blocks import Float
from .layout import Layout, Places
from .scaling import Standardizer
from .tails import Tails, clipped_smoothly


@dataclass(frozen=True)
class Lines:
    """The k features of `Layout.lines`, computed together: clip((x - start) / scale, low, high) - mean.

    Attributes
    ----------
    columns : (k,) int
        The column of each, in ascending order.
    counts : (d,) int
        How many each of the d columns has.
    start, scale, fill : (k,) float64
        The line, and the feature of a missing value.
    bent : (m,) int
        Which of the k are clipped smoothly, before the rest.
    ends : tuple of (k,) float64, or None
        `low`, `high` and `mean`; None where no feature has them.
    """

    columns: Places
    counts: Places
    start: Float
    scale: Float
    fill: Float
    bent: Places
    ends: tuple[Float, Float, Float] | None

    @classmethod
    def of(
        cls, layout: Layout, scaling: Standardizer, tails: Mapping[int, Tails], bins: Mapping[int, Bins]
    ) -> Lines:
        """Return the lines of an `Encoder`."""
        columns, _, pieces = layout.lines
        counts = np.bincount(columns, minlength=len(layout.columns))
        is_whole = pieces == 0
        boolean = np.array([layout.columns[j].kind == "boolean" for j in columns.tolist()], np.bool_)
        start = np.where(boolean, 0.0, scaling.mean[columns])
        scale, fill = scaling.scale[columns], np.where(boolean, scaling.mean[columns], 0.0)
        bent = [i for i, j in enumerate(columns.tolist()) if j in tails and is_whole[i]]
        for i in bent:
            of_column = tails[int(columns[i])]
            start[i], scale[i] = of_column.center, of_column.spread
        if is_whole.all():
            return cls(columns, counts, start, scale, fill, np.array(bent, np.intp), None)
        mean, of_columns = np.zeros(len(columns)), [bins[j] for j in sorted(bins)]
        start[~is_whole] = np.concatenate([one.edges[:-1] for one in of_columns])
        scale[~is_whole] = np.concatenate([np.diff(one.edges) for one in of_columns])
        mean[~is_whole] = np.concatenate([one.means for one in of_columns])
        low, high = np.where(is_whole, -np.inf, 0.0), np.where(is_whole, np.inf, 1.0)
        return cls(columns, counts, start, scale, fill, np.array(bent, np.intp), (low, high, mean))

    def apply(self, cells: Float, gone: NDArray[np.bool_] | None) -> Float:
        """Return the features (n, k) of cells (n, d), of which some may be `gone`; they may overflow."""
        values: Float = cells.repeat(self.counts, axis=1)
        values -= self.start
        values /= self.scale
        if self.bent.size:
            values[:, self.bent] = clipped_smoothly(values[:, self.bent])
        if self.ends is not None:
            low, high, mean = self.ends
            np.minimum(values, high, out=values)  # np.clip takes twice as long for arrays of limits
            np.maximum(values, low, out=values)
            values -= mean
        if gone is not None:
            np.copyto(values, self.fill, where=gone.repeat(self.counts, axis=1))
        return values

"""Association: which columns of a table go together, so that one stands in for the other.

The measure is the square root of the RV coefficient of two columns' features (Y. Escoufier, Biometrics 29,
1973), sqrt(tr(Sxy Syx) / sqrt(tr(Sxx^2) tr(Syy^2))) with their covariances S: for two numbers the absolute
correlation, as bins do not count. Before the root, what the RV coefficient of unrelated columns is on average
is taken away, as for an adjusted R^2 (J. Josse, J. Pages and F. Husson, Comput. Stat. Data Anal. 53, 2008):
columns of many categories would seem to go together where there are few rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..checks.quoting import counted, shown
from ..data.encoder import Encoder

TOGETHER = 0.7
"""Columns go together from this association on, where correlations begin to distort what linear models say of
single columns (C. F. Dormann and others, Ecography 36, 2013)."""

MOST_PAIRS = 3
"""So many pairs of columns that go together are named."""

MOST_ROWS = 5000
"""So many rows are looked at: enough for two digits."""

MOST_FEATURES = 1000
"""Among more features nothing is looked for: the covariances of so many take 8 MB, and a second of time."""


def shared_importance(encoder: Encoder, inputs: HostArray) -> list[str]:
    """Return a sentence on the columns that go together, of inputs (n, width) in random order, or none."""
    n, layout = len(inputs), encoder.layout
    if n < 3:
        return []
    # A value says all that its bins do, and they are many.
    bins = layout.lines[1, layout.lines[2] > 0]
    starts = layout.starts - np.searchsorted(bins, layout.starts)
    width = int(starts[-1])
    if width > MOST_FEATURES:
        return [
            f"whether columns go together, and so share their importance, was not looked for: there are "
            f"{width:,} features"
        ]
    columns = np.flatnonzero(starts[:-1] < starts[1:])
    sample = np.delete(inputs[:MOST_ROWS], bins, axis=1)
    found = np.triu(associations(sample, starts[columns]), k=1)
    pairs = np.argwhere(found >= TOGETHER)
    if not len(pairs):
        return []
    strongest = pairs[np.argsort(-found[tuple(pairs.T)].round(2), kind="stable")][:MOST_PAIRS].tolist()
    names = [shown(encoder.column_names[j]) for j in columns.tolist()]
    named = ", ".join(f"{names[i]} and {names[j]} {found[i, j]:.2f}" for i, j in strongest)
    more = f", and {counted(len(pairs) - MOST_PAIRS, 'pair')} more" if len(pairs) > MOST_PAIRS else ""
    return [
        f"columns that go together share their importance, so that each shows less (association, at most 1): "
        f"{named}{more}"
    ]


def associations(inputs: HostArray, starts: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the association (d, d), from 0 to 1, of any two of d columns; 0 where one does not vary.

    Parameters
    ----------
    inputs : (n, width)
        The features of rows in random order, of which the first `MOST_ROWS` are looked at; at least 3.
    starts : (d,) int
        Where each column's features begin. Each column has one at least.
    """
    sample = inputs[:MOST_ROWS].astype(np.float64)
    sample -= sample.mean(axis=0)
    covariance = sample.T @ sample / len(sample)
    squares = np.add.reduceat(np.add.reduceat(covariance**2, starts, axis=0), starts, axis=1)
    own = np.sqrt(np.diag(squares))
    varies = own > 0
    own[~varies] = 1.0
    rv = squares / np.outer(own, own)
    dimensions = np.add.reduceat(np.diag(covariance), starts) / own
    by_chance = np.outer(dimensions, dimensions) / (len(sample) - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        adjusted = np.where(by_chance < 1, (rv - by_chance) / (1 - by_chance), 0.0)
    result: NDArray[np.float64] = np.sqrt(np.clip(adjusted, 0.0, 1.0)) * np.outer(varies, varies)
    return result

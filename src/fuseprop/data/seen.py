"""Seen: between which values each feature lay in the rows learned from, and what lies far outside of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..checks.quoting import shown
from .table import Table

Float = NDArray[np.float64]

WIDTHS = 10.0
"""Values further outside than so many times the width of what was seen are told: dozens of deviations where
values are spread evenly, and about a hundred of a bell curve. A column that never varied counts as 1 wide, as
where it is standardized: a flag that nobody had raised yet is no matter."""

ROWS = 10
"""From so many rows on, a column is told too where all of them lie outside, and none of them near."""

NEAR = 0.25
"""So near, in widths: a year or a number of a row may well go on where those of training end. Iris as it is,
behind a scaler, has a column whose least value is 0.41 widths away; centimetres that become metres are some
0.3 away where values are 50 with a deviation of 9."""

ROUNDING = 1e-6
"""What float32 may do to a number."""


class UnlikeTrainingWarning(UserWarning):
    """Rows are far outside of what a model learned from, so that its answers say nothing."""


@dataclass(frozen=True)
class Seen:
    """What a model saw of its features in training.

    Attributes
    ----------
    low, high : (d,) float64
        The least and the largest value of each feature; empty where nobody looked.
    raw : bool
        Whether these are a table's own columns. False for an estimator: it knows what it was handed, and not
        what was done before, such as scaling.
    """

    low: Float
    high: Float
    raw: bool = True

    @classmethod
    def of(cls, X: NDArray[np.floating], *, raw: bool = True) -> Seen:
        """Return what rows X (N, d) show."""
        return cls(X.min(axis=0).astype(np.float64), X.max(axis=0).astype(np.float64), raw)

    def joined(self, earlier: Seen) -> Seen:
        """Return what these rows and earlier ones show together."""
        return Seen(np.minimum(self.low, earlier.low), np.maximum(self.high, earlier.high), self.raw)

    def told(self, table: Table, names: Sequence[str]) -> str:
        """Return which of the columns `names` of a table are unlike what was seen; nothing where none is.

        Where nobody looked, that is told of an estimator, whose inputs are seldom a table's own columns.
        """
        if not self.low.size:
            return "" if self.raw else self._unknown(table.source)
        X = table.with_features(names).X
        low, high = (X[0], X[0]) if len(X) == 1 else (X.min(axis=0), X.max(axis=0))
        (lowest, highest), (least, greatest) = self._far, self._near
        away = (low > greatest) | (high < least) if len(X) >= ROWS else np.zeros(len(low), np.bool_)
        columns = np.flatnonzero(away | (low < lowest) | (high > highest))
        if not columns.size:
            return ""
        far = (X[:, columns] < lowest[columns]) | (X[:, columns] > highest[columns]) | away[columns]
        rows = np.flatnonzero(far.any(axis=1))
        told = [
            f"{shown(names[j])} ({_range(X[here, j].min(), X[here, j].max())} here, "
            f"{_range(self.low[j], self.high[j])} in training)"
            for j, here in zip(columns.tolist(), far.T, strict=True)
        ]
        more = f" and {len(told) - 5} more" if len(told) > 5 else ""
        remedy = (
            "Check their units."
            if self.raw
            else "The model was saved by an estimator, which does not know what was done to its inputs "
            "before, such as scaling: do the same to this table first."
        )
        return (
            f"{_where(rows, len(X), table.source)} far outside of what the model learned from, so that its "
            f"{'answer there says' if len(rows) == 1 else 'answers there say'} nothing: "
            f"{', '.join(told[:5])}{more}. {remedy}"
        )

    @staticmethod
    def _unknown(source: str) -> str:
        return (
            f"The model was saved by an estimator. Between which values its inputs lay in training is not "
            f"known, nor what was done to them before, such as scaling, so that nobody can tell whether "
            f"{source} is like them: do the same to it first."
        )

    @cached_property
    def _far(self) -> tuple[Float, Float]:
        """Beyond which any value is told."""
        return self._limits(WIDTHS)

    @cached_property
    def _near(self) -> tuple[Float, Float]:
        """Beyond which a column is told if no value lies within."""
        return self._limits(NEAR)

    def _limits(self, widths: float) -> tuple[Float, Float]:
        with np.errstate(over="ignore", invalid="ignore"):
            largest = np.maximum(abs(self.low), abs(self.high))
            width = self.high - self.low
            margin = np.where(width <= ROUNDING * largest, WIDTHS, widths * width)
            margin = np.nan_to_num(margin) + ROUNDING * largest
            return self.low - margin, self.high + margin


def _where(rows: NDArray[np.intp], of: int, source: str) -> str:
    """Return which rows are meant, with the verb."""
    if len(rows) == of:
        return f"{source} is"
    first = f"row {rows[0] + 1}"
    if len(rows) == 1:
        return f"{source}: {first} is"
    return f"{source}: {len(rows):,} of {of:,} rows, {first} the first, are"


def _range(low: float, high: float) -> str:
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"

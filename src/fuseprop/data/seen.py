"""Seen: between which values each feature lay in the rows learned from, and what lies far outside of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..quoting import shown
from .table import Table

Float = NDArray[np.float64]

WIDTHS = 10.0
"""Values further outside than so many times the width of what was seen are told: dozens of deviations where
values are spread evenly, and about a hundred of a bell curve."""

ROWS = 10
"""From so many rows on, a column is told too where none of them lies within what was seen."""

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
        unlike = (low < lowest) | (high > highest)
        if len(X) >= ROWS:
            unlike |= (low > greatest) | (high < least)
        columns = np.flatnonzero(unlike).tolist()
        if not columns:
            return ""
        told = [
            f"{shown(names[j])} ({_range(low[j], high[j])} here, "
            f"{_range(self.low[j], self.high[j])} in training)"
            for j in columns
        ]
        more = f" and {len(told) - 5} more" if len(told) > 5 else ""
        remedy = (
            "Check their units."
            if self.raw
            else "The model was saved by an estimator, which does not know what was done to its inputs "
            "before, such as scaling: do the same to this table first."
        )
        return (
            f"{table.source} is far outside of what the model learned from, so that its answers say nothing: "
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
        """Between which values have been seen."""
        return self._limits(0.0)

    def _limits(self, widths: float) -> tuple[Float, Float]:
        with np.errstate(over="ignore", invalid="ignore"):
            margin = widths * (self.high - self.low)
            margin = np.nan_to_num(margin) + ROUNDING * np.maximum(abs(self.low), abs(self.high))
            return self.low - margin, self.high + margin


def _range(low: float, high: float) -> str:
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"

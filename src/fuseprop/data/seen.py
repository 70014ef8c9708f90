"""Seen: the range of each column in the training rows, and a warning about rows far outside of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..checks.quoting import shown
from .blocks import Float, Index, ranges
from .column import QUANTITIES, Column
from .cycles import as_date
from .table import Table

FAR = 10.0
"""A value is reported if it lies further outside the range than this many times the range's width: dozens of
standard deviations for evenly spread values, about a hundred for a bell curve. The width of a constant column
counts as 1, as in its standardization: a flag that was never set in training gives no warning."""

ENOUGH_ROWS = 10
"""A column is also reported if all its values, of at least this many rows, lie outside the range by more than
`NEAR`."""

NEAR = 0.25
"""In widths of the range: years or row numbers may well continue behind those of training. The raw columns of
Iris, given to a model behind a scaler, include one whose least value is 0.41 widths away; centimetres that
become metres are some 0.3 away if values are 50 with a deviation of 9."""

ROUNDING = 1e-6
"""The relative change of a number that is rounded to float32, with a margin."""


class UnlikeTrainingWarning(UserWarning):
    """Rows lie far outside the range of the training rows, so that predictions for them mean nothing."""


@dataclass(frozen=True)
class Seen:
    """The range of each column of features in the rows that a model was trained on.

    Attributes
    ----------
    low, high : (d,) float64
        The least and the largest value of each column, numbers or days; 0 for columns that hold neither, or
        nothing. Empty if they are not known.
    raw : bool
        Whether the columns are a table's own columns. False for an estimator, whose inputs may have been
        transformed, such as scaled, before `fit`.
    """

    low: Float
    high: Float
    raw: bool = True

    @classmethod
    def of(cls, X: NDArray[np.floating], *, raw: bool = True) -> Seen:
        """Return the ranges of the columns of X (N, d)."""
        return cls(X.min(axis=0).astype(np.float64), X.max(axis=0).astype(np.float64), raw)

    @classmethod
    def of_table(cls, table: Table, rows: Index | None = None) -> Seen:
        """Return the ranges of a table's columns in the rows with these indices, by default all."""
        low, high = ranges(table.X, rows, table.world)
        none = np.array([column.kind not in QUANTITIES for column in table.columns])
        none |= low > high
        low[none] = high[none] = 0.0
        return cls(low, high)

    def joined(self, earlier: Seen) -> Seen:
        """Return the ranges of these rows and earlier ones together."""
        return Seen(np.minimum(self.low, earlier.low), np.maximum(self.high, earlier.high), self.raw)

    def warning_for(self, table: Table, names: Sequence[str]) -> str:
        """Return a warning that names the table's columns far outside the ranges, or "" if none is.

        `names` are those of the d columns. If the ranges are not known, the warning says so for an
        estimator, whose inputs are seldom a table's own columns, and is "" for other models.
        """
        if not self.low.size:
            return "" if self.raw else self._unknown(table.source)
        table = table.with_features(names)
        X = table.X
        low, high = (X[0], X[0]) if len(X) == 1 else (np.fmin.reduce(X), np.fmax.reduce(X))
        (far_below, far_above), (near_below, near_above) = self._far_limits, self._near_limits
        apart = np.zeros(len(low), np.bool_)
        if len(X) >= ENOUGH_ROWS:
            apart = (low > near_above) | (high < near_below)
        columns = np.flatnonzero(apart | (low < far_below) | (high > far_above))
        if columns.size:
            columns = columns[[table.columns[j].kind in QUANTITIES for j in columns.tolist()]]
        if not columns.size:
            return ""
        is_far = (X[:, columns] < far_below[columns]) | (X[:, columns] > far_above[columns]) | apart[columns]
        rows = np.flatnonzero(is_far.any(axis=1))
        reports = [
            f"{shown(names[j])} ({_range(X[far, j].min(), X[far, j].max(), table.columns[j])} here, "
            f"{_range(self.low[j], self.high[j], table.columns[j])} in training)"
            for j, far in zip(columns.tolist(), is_far.T, strict=True)
        ]
        more = f" and {len(reports) - 5} more" if len(reports) > 5 else ""
        remedy = (
            "Check their units."
            if self.raw
            else "The model was saved by an estimator, which does not know what was done to its inputs "
            "before, such as scaling: do the same to this table first."
        )
        return (
            f"{_where(rows, table)} far outside of what the model learned from, so that its "
            f"{'answer there says' if len(rows) == 1 else 'answers there say'} nothing: "
            f"{', '.join(reports[:5])}{more}. {remedy}"
        )

    @staticmethod
    def _unknown(source: str) -> str:
        return (
            f"The model was saved by an estimator. Between which values its inputs lay in training is not "
            f"known, nor what was done to them before, such as scaling, so it is unknown whether "
            f"{source} is like them: do the same to it first."
        )

    @cached_property
    def _far_limits(self) -> tuple[Float, Float]:
        """The limits, each (d,), beyond which any single value is reported."""
        return self._limits(FAR)

    @cached_property
    def _near_limits(self) -> tuple[Float, Float]:
        """The limits, each (d,), beyond which a column is reported if no value lies within."""
        return self._limits(NEAR)

    def _limits(self, widths: float) -> tuple[Float, Float]:
        """Return the ranges extended by so many widths to both sides; constant columns by `FAR`."""
        with np.errstate(over="ignore", invalid="ignore"):
            largest = np.maximum(abs(self.low), abs(self.high))
            width = self.high - self.low
            margin = np.where(width <= ROUNDING * largest, FAR, widths * width)
            margin = np.nan_to_num(margin) + ROUNDING * largest
            return self.low - margin, self.high + margin


def _where(rows: NDArray[np.intp], table: Table) -> str:
    """Return the subject and the verb of the warning: the table, or some of its rows."""
    if len(rows) == len(table):
        return f"{table.source} is"
    first = f"row {table.row_number(int(rows[0]))}"
    if len(rows) == 1:
        return f"{table.source}: {first} is"
    return f"{table.source}: {len(rows):,} of {len(table):,} rows, {first} the first, are"


def _range(low: float, high: float, column: Column) -> str:
    ends = (low,) if low == high else (low, high)
    return " to ".join(map(as_date if column.kind == "date" else "{:.6g}".format, ends))

"""TableData: what a table holds, rows of features with or without target columns, and the names of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..checks.quoting import counted
from ..world import ALONE, Processes
from .column import Column
from .errors import DataError, as_names, check_columns, check_different, listed
from .share import Share


@dataclass(frozen=True)
class LeftOut:
    """A column of the source that is no feature, and why: "the same in all rows", "it was dropped"."""

    name: str
    why: str


@dataclass(frozen=True)
class TableData:
    """N rows of d features, with or without t target columns; `Table` says what the attributes are."""

    X: NDArray[np.float64]
    targets: HostArray | None
    columns: tuple[Column, ...]
    target_names: tuple[str, ...]
    source: str = "the table"
    named: bool = True
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    rows: NDArray[np.int64] | None = None
    without_target: int = 0
    world: Processes = ALONE
    first: int = 0

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the d features."""
        return tuple(column.name for column in self.columns)

    def row_number(self, row: int) -> int:
        """Return the number of a row in the source of all processes, counted from 1, for messages."""
        return self.first + (row if self.rows is None else int(self.rows[row])) + 1

    @property
    def share(self) -> Share:
        """The share of the source that its rows are."""
        return Share(self.world, self.first)

    def first_where(self, which: NDArray[np.bool_], values: HostArray) -> tuple[int, Any] | None:
        """Return the number, as by `row_number`, and the value of the first row of all where it is so.

        Collective; None where there is none. `which` and `values` (N, ...) are of this process's rows.
        """
        found = self.share.first_where(which, values, self.rows)
        return None if found is None else (found[0] + 1, found[1])

    def __len__(self) -> int:
        return len(self.X)

    def take(self, rows: HostArray) -> Self:
        """Return the table of the rows with these indices, (n,) integers."""
        targets = None if self.targets is None else self.targets[rows]
        numbers = None if self.rows is None else self.rows[rows]
        return replace(self, X=self.X[rows], targets=targets, rows=numbers)

    def with_features(self, names: Sequence[str]) -> Self:
        """Return the table with the features `names`, in that order.

        Features are found by name; if they have no names, all are kept in their order, and given these names.
        Raises DataError for missing or repeated names, and if there are no names but another number of
        features.
        """
        if names is self.feature_names:
            return self
        names = as_names("names", names) or ()
        d = self.X.shape[1]
        if self.feature_names == names:
            return self
        if not self.named:
            check_different(names, self.source, "features")
            check_count(d, len(names), self.source)
            return replace(self.renamed(names), named=True)
        check_columns(names, self.feature_names, self.source, "features")
        column_of = {name: i for i, name in enumerate(self.feature_names)}
        places = [column_of[name] for name in names]
        chosen = tuple(self.columns[place] for place in places)
        return replace(self, X=np.ascontiguousarray(self.X[:, places]), columns=chosen)

    def renamed(self, names: Sequence[str]) -> Self:
        """Return the table with other names for its features, in their order."""
        columns = tuple(replace(column, name=name) for column, name in zip(self.columns, names, strict=True))
        return replace(self, columns=columns)

    def require_targets(self) -> HostArray:
        """Return the targets (N, t); raise DataError if the table has none."""
        if self.targets is None:
            raise DataError(f"{self.source} has no target column, which is needed here.")
        return self.targets


@lru_cache(maxsize=4)  # for predictions row by row; only few, as a wide table has millions of names
def numbered(letter: str, count: int) -> tuple[str, ...]:
    """Return default names of columns, such as x1, x2, ..."""
    return tuple(f"{letter}{i}" for i in range(1, count + 1))


@lru_cache(maxsize=4)
def numbers(names: tuple[str, ...]) -> tuple[Column, ...]:
    """Return columns of numbers with these names."""
    return tuple(Column(name) for name in names)


def check_count(features: int, expected: int, source: str) -> None:
    """Raise DataError for another number of features than expected."""
    if features != expected:
        are = "1 is" if expected == 1 else f"{expected} are"
        raise DataError(f"{source} has {counted(features, 'feature')}, but {are} expected.")


def check_apart(features: Sequence[str], targets: Sequence[str], columns: Sequence[str], source: str) -> None:
    """Raise DataError if a column is both a feature and a target, or if there is no feature."""
    both = [name for name in targets if name in features]
    if both:
        raise DataError(
            f"{source}: {listed(both)} cannot be a feature and the target too. Name another target. "
            f"Columns there: {listed(columns)}."
        )
    if not features:
        raise DataError(f"{source} has no column beside the target: at least one feature is needed.")

"""Table: rows of features with one or more target columns, and what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..backend import HostArray
from ..checks import as_host, as_rows, check_finite
from ..choices import suggestion
from ..quoting import shown


class DataError(ValueError):
    """Data that cannot be read or used; the text names the place and says what to do."""


@dataclass(frozen=True)
class Table:
    """N rows of d features, perhaps with t target columns.

    `Table.of` builds one from arrays and checks them.

    Attributes
    ----------
    X : (N, d) float64
        The features.
    targets : (N, t) float64 or text, or None
        Numbers, or the names of classes; None in a table that is only to be predicted.
    feature_names, target_names : tuple of str
        d and t names.
    source : str
        Where the rows come from, for messages.
    """

    X: NDArray[np.float64]
    targets: HostArray | None
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    source: str = "the table"

    @classmethod
    def of(
        cls,
        X: ArrayLike,
        targets: ArrayLike | None = None,
        *,
        feature_names: Sequence[str] | None = None,
        target_names: Sequence[str] | None = None,
        source: str = "the table",
    ) -> Table:
        """Return a table of X (N, d) and targets (N,) or (N, t), numbers or text.

        Names are x1, x2, ... and y (y1, y2, ...) where none are given. Raises DataError for wrong shapes, no
        rows, nan and inf, and numbers of names that do not fit; TypeError for what are not host arrays.
        """
        try:
            rows = as_rows(X).astype(np.float64)
            values = None if targets is None else _targets(targets, len(rows))
        except ValueError as error:
            raise DataError(f"{source}: {error}") from error
        d, t = rows.shape[1], 0 if values is None else values.shape[1]
        return cls(
            rows,
            values,
            _names("feature_names", feature_names, _numbered("x", d), source),
            _names("target_names", target_names, ("y",) if t == 1 else _numbered("y", t), source),
            source,
        )

    def __len__(self) -> int:
        return len(self.X)

    def take(self, rows: HostArray) -> Table:
        """Return some rows, by their numbers."""
        targets = None if self.targets is None else self.targets[rows]
        return replace(self, X=self.X[rows], targets=targets)

    def with_features(self, names: Sequence[str]) -> Table:
        """Return the table with the features `names`, in that order, found by name.

        A table without names of its own (x1, x2, ...) is taken as it stands if it has as many features.
        Raises DataError that lists the features which are missing.
        """
        names = tuple(names)
        d = self.X.shape[1]
        if self.feature_names == names:
            return self
        if self.feature_names == _numbered("x", d):
            if d != len(names):
                raise DataError(f"{self.source} has {d} features, but {len(names)} are expected.")
            return replace(self, feature_names=names)
        check_columns(names, self.feature_names, self.source, "features")
        position = {name: i for i, name in enumerate(self.feature_names)}
        columns = [position[name] for name in names]
        return replace(self, X=np.ascontiguousarray(self.X[:, columns]), feature_names=names)

    def require_targets(self) -> HostArray:
        """Return the targets; raise DataError where there are none."""
        if self.targets is None:
            raise DataError(f"{self.source} has no target column, which is needed here.")
        return self.targets


def check_columns(wanted: Sequence[str], present: Sequence[str], source: str, what: str) -> None:
    """Raise DataError that lists what is missing, what there is, and the closest name."""
    there = set(present)
    missing = [name for name in wanted if name not in there]
    if missing:
        raise DataError(
            f"{source} lacks the {what} {listed(missing)}. Columns there: {listed(present)}."
            f"{suggestion(missing[0], present)}"
        )


def listed(names: Sequence[str], limit: int = 12) -> str:
    """Return names with commas between them, cut off after `limit`; what is not printable is escaped."""
    more = len(names) - limit
    return ", ".join(shown(name) for name in names[:limit]) + (f" and {more} more" if more > 0 else "")


def _numbered(letter: str, count: int) -> tuple[str, ...]:
    return tuple(f"{letter}{i}" for i in range(1, count + 1))


def _names(what: str, given: Sequence[str] | None, default: tuple[str, ...], source: str) -> tuple[str, ...]:
    if given is None:
        return default
    names = tuple(str(name) for name in given)
    if len(names) != len(default):
        raise DataError(f"{source}: {what} has {len(names)} entries for {len(default)} columns.")
    if len(set(names)) != len(names):
        raise DataError(f"{source}: {what} must differ from each other, got {listed(names)}.")
    return names


def _targets(targets: ArrayLike, rows: int) -> HostArray:
    array = np.asarray(targets)
    if array.dtype.kind == "O" and all(isinstance(value, str) for value in array.flat):
        array = array.astype(str)
    if array.dtype.kind != "U":
        array = as_host("the target", targets).astype(np.float64)
        check_finite("the target", array)
    if array.ndim == 1:
        array = array.reshape(-1, 1)
    if array.ndim != 2 or len(array) != rows or array.shape[1] == 0:
        raise ValueError(
            f"the target must have shape ({rows},) or ({rows}, columns), one entry for each row of X, "
            f"got {np.shape(targets)}."
        )
    return array

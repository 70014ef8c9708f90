"""Table: rows of features with one or more target columns, and what they are called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..checks.quoting import counted, literal
from .arrays import feature_rows, target_values
from .errors import DataError, check_columns, check_different, listed
from .frames import Frame, frame_of, name_of
from .target_cells import AUTO, Reading


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
    named : bool
        Whether somebody named the features, whatever they are called; False where x1, x2, ... only number
        them, so that their order counts.
    """

    X: NDArray[np.float64]
    targets: HostArray | None
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    source: str = "the table"
    named: bool = True

    @classmethod
    def of(
        cls,
        X: Any,
        targets: Any = None,
        *,
        feature_names: Sequence[str] | None = None,
        target_names: Sequence[str] | None = None,
        source: str = "the table",
        target_as: str = "auto",
        keep_as_class: Sequence[str] = (),
    ) -> Table:
        """Return a table of features and, where they are given, targets.

        Parameters
        ----------
        X : array_like (N, d), or named columns
            Named columns are those of a pandas, Polars or PyArrow table, a structured array or a dict of
            columns. Features are those that `feature_names` lists, or all but the targets.
        targets : array_like (N,) or (N, t), or str, or list of str, optional
            Numbers or text; or, with named columns, the names of those that are the targets.
        feature_names, target_names : sequence of str, optional
            The names of an array's columns: x1, x2, ... and y (y1, y2, ...) where none are given, or the
            targets' own where they have names. With named columns they choose among them.
        source : str
            Where the rows come from, for messages.
        target_as, keep_as_class
            How a target of text is read: see `Reading`.

        Raises DataError for wrong shapes, no rows, missing values, nan and inf, text among the features,
        targets that are neither numbers nor classes (see `read_cells`), names that are missing or do not fit;
        TypeError for what are not host arrays.
        """
        reading = AUTO if target_as == "auto" and not keep_as_class else Reading(target_as, keep_as_class)
        feature_names = as_names("feature_names", feature_names)
        target_names = as_names("target_names", target_names)
        frame = frame_of(X)
        if frame is not None and frame.named:
            wanted = _target_names(frame, targets, target_names, source)
            if wanted is not None:
                targets, target_names = frame.array(wanted, source, "targets"), wanted
            if feature_names is None:
                feature_names = [name for name in frame.names if name not in (wanted or ())]
            check_apart(feature_names, wanted or (), frame.names, source)
            X = frame.array(feature_names, source, "features")
        elif frame is not None:
            X = frame.stacked(range(len(frame.names)), source)
        if isinstance(targets, str):
            raise DataError(f"{source}: {literal(targets)} is a name, but the columns of X have none.")
        rows = feature_rows(X, feature_names, source)
        features = _names("feature_names", feature_names, numbered("x", rows.shape[1]), source)
        named = feature_names is not None
        if targets is None:
            none = _names("target_names", target_names, (), source)
            return cls(rows, None, features, none, source, named)
        given = _own_names(targets) if target_names is None else target_names
        values = target_values(targets, len(rows), reading, given or ("y",), source)
        t = values.shape[1]
        default = ("y",) if t == 1 else numbered("y", t)
        return cls(rows, values, features, _names("target_names", given, default, source), source, named)

    def __len__(self) -> int:
        return len(self.X)

    def take(self, rows: HostArray) -> Table:
        """Return some rows, by their numbers."""
        targets = None if self.targets is None else self.targets[rows]
        return replace(self, X=self.X[rows], targets=targets)

    def with_features(self, names: Sequence[str]) -> Table:
        """Return the table with the features `names`, in that order, found by name.

        A table whose features nobody named is taken as it stands if it has as many. Raises DataError that
        lists the features which are missing, or repeated.
        """
        names = as_names("names", names) or ()
        d = self.X.shape[1]
        if self.feature_names == names:
            return self
        if not self.named:
            check_different(names, self.source, "features")
            if d != len(names):
                expected = "1 is" if len(names) == 1 else f"{len(names)} are"
                raise DataError(f"{self.source} has {counted(d, 'feature')}, but {expected} expected.")
            return replace(self, feature_names=names, named=True)
        check_columns(names, self.feature_names, self.source, "features")
        position = {name: i for i, name in enumerate(self.feature_names)}
        columns = [position[name] for name in names]
        return replace(self, X=np.ascontiguousarray(self.X[:, columns]), feature_names=names)

    def require_targets(self) -> HostArray:
        """Return the targets; raise DataError where there are none."""
        if self.targets is None:
            raise DataError(f"{self.source} has no target column, which is needed here.")
        return self.targets


@lru_cache(maxsize=4)  # for a model that is asked row by row; a wide table has millions of names
def numbered(letter: str, count: int) -> tuple[str, ...]:
    """Return the names of columns that nobody named: x1, x2, ..."""
    return tuple(f"{letter}{i}" for i in range(1, count + 1))


def as_names(what: str, names: Any) -> tuple[str, ...] | None:
    """Return one name or several as a tuple; None stays None. Raises TypeError for what is neither."""
    if names is None or isinstance(names, str):
        return None if names is None else (names,)
    if not isinstance(names, Iterable):
        raise TypeError(f"{what} must be the names of columns, such as ('a', 'b'), got {literal(names)}.")
    return tuple(str(name) for name in names)


def _names(what: str, given: Sequence[str] | None, default: tuple[str, ...], source: str) -> tuple[str, ...]:
    if given is None:
        return default
    names = tuple(given)
    if len(names) != len(default):
        raise DataError(
            f"{source}: {what} has {counted(len(names), 'entry', 'entries')} for "
            f"{counted(len(default), 'column')}."
        )
    if len(set(names)) != len(names):
        raise DataError(f"{source}: {what} must differ from each other, got {listed(names)}.")
    return names


def check_apart(features: Sequence[str], targets: Sequence[str], columns: Sequence[str], source: str) -> None:
    """Raise DataError where a column is to be a feature and a target, and where no feature is left."""
    both = [name for name in targets if name in features]
    if both:
        raise DataError(
            f"{source}: {listed(both)} cannot be a feature and the target too. Name another target. "
            f"Columns there: {listed(columns)}."
        )
    if not features:
        raise DataError(f"{source} has no column beside the target: at least one feature is needed.")


def _target_names(
    frame: Frame, targets: Any, target_names: Sequence[str] | None, source: str
) -> tuple[str, ...] | None:
    """Return the columns of a frame that are its targets; None where there are none, or they are at hand."""
    if isinstance(targets, str):
        return (targets,)
    if targets is None:
        return None if target_names is None else tuple(target_names)
    texts = isinstance(targets, list | tuple) and all(isinstance(name, str) for name in targets)
    if not texts or not set(targets) <= set(frame.names):
        return None
    if len(targets) == len(frame.array(frame.names[:1], source, "features")):
        raise DataError(
            f"{source}: {listed(targets)} may be the names of columns or the classes of as many rows. Give "
            f"columns as target_names=, or classes as an array."
        )
    return tuple(targets)


def _own_names(targets: Any) -> Sequence[str] | None:
    """Return what targets are called where they are columns that have names."""
    frame = frame_of(targets)
    if frame is not None:
        return frame.names if frame.named else None
    name = name_of(targets)
    return None if name is None else (name,)

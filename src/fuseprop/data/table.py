"""Table: rows of features with or without target columns, and the names of both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..checks.quoting import counted, literal
from .arrays import feature_rows, target_values
from .column import Column
from .errors import DataError, check_columns, check_different, listed
from .frames import Frame, frame_of, name_of
from .target_cells import AUTO, Reading


@dataclass(frozen=True)
class LeftOut:
    """A column of the source that is no feature, and why: "the same in all rows", "it was dropped"."""

    name: str
    why: str


@dataclass(frozen=True)
class Table:
    """N rows of d features, with or without t target columns.

    `Table.of` makes one of arrays or a data frame, `load_table` of files.

    Attributes
    ----------
    X : (N, d) float64
        The cells of the features as numbers, of which `columns` say what they mean; nan where a value is
        missing. An `Encoder` makes a network's inputs of them.
    targets : (N, t) float64 or text, or None
        Numbers, or the names of classes; None in a table of features alone.
    columns : tuple of Column
        The d features.
    target_names : tuple of str
        t names.
    source : str
        The file or data set that the rows come from, for messages.
    named : bool
        Whether the features were given names; False if they are called x1, x2, ... for columns without
        names, which are identified by their order.
    left_out : tuple of LeftOut
        The columns of the source that are neither features nor targets, and why.
    notes : tuple of str
        What was guessed about the source, in sentences.
    rows : (N,) int64, or None
        The rows of the source, counted from 0, where some were left out; None where all are there.
    without_target : int
        How many rows were left out because their target is missing.
    """

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

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the d features."""
        return tuple(column.name for column in self.columns)

    def row_number(self, row: int) -> int:
        """Return the number of a row in the source, counted from 1, for messages."""
        return row + 1 if self.rows is None else int(self.rows[row]) + 1

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
        X : array_like (N, d), or data frame
            A data frame is a pandas, Polars or PyArrow table, a structured array or a dict of columns. The
            features are the columns that `feature_names` lists, or all but the targets.
        targets : array_like (N,) or (N, t), or str, or list of str, optional
            Numbers or text; or the names of the data frame's columns that are the targets.
        feature_names, target_names : sequence of str, optional
            For an array, the names of its columns; by default x1, x2, ... and y (y1, y2, ...), or the names
            that the targets have themselves. For a data frame, the columns to take.
        source : str
            The file or data set that the rows come from, for messages.
        target_as, keep_as_class
            How a target of text is read: see `Reading`.

        Raises DataError for wrong shapes, no rows, missing values, nan and inf, text among the features,
        targets that are neither numbers nor classes (see `read_cells`), and names that are missing, repeated
        or of another number; ValueError for another `target_as`; TypeError for arrays on a device, lazy
        tables, and names that are no sequence.
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
            return cls(rows, None, numbers(features), none, source, named)
        given = _own_names(targets) if target_names is None else target_names
        values = target_values(targets, len(rows), reading, given or ("y",), source)
        t = values.shape[1]
        default = ("y",) if t == 1 else numbered("y", t)
        target_names = _names("target_names", given, default, source)
        return cls(rows, values, numbers(features), target_names, source, named)

    def __len__(self) -> int:
        return len(self.X)

    def take(self, rows: HostArray) -> Table:
        """Return the table of the rows with these indices, (n,) integers."""
        targets = None if self.targets is None else self.targets[rows]
        numbers = None if self.rows is None else self.rows[rows]
        return replace(self, X=self.X[rows], targets=targets, rows=numbers)

    def with_features(self, names: Sequence[str]) -> Table:
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
            if d != len(names):
                expected = "1 is" if len(names) == 1 else f"{len(names)} are"
                raise DataError(f"{self.source} has {counted(d, 'feature')}, but {expected} expected.")
            return replace(self.renamed(names), named=True)
        check_columns(names, self.feature_names, self.source, "features")
        column_of = {name: i for i, name in enumerate(self.feature_names)}
        places = [column_of[name] for name in names]
        chosen = tuple(self.columns[place] for place in places)
        return replace(self, X=np.ascontiguousarray(self.X[:, places]), columns=chosen)

    def renamed(self, names: Sequence[str]) -> Table:
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


def as_names(what: str, names: Any) -> tuple[str, ...] | None:
    """Return one name or several as a tuple, None as None; raise TypeError for anything else.

    `what` is the parameter's name, for the message.
    """
    if names is None or isinstance(names, str):
        return None if names is None else (names,)
    if not isinstance(names, Iterable):
        raise TypeError(f"{what} must be the names of columns, such as ('a', 'b'), got {literal(names)}.")
    return tuple(str(name) for name in names)


def _names(what: str, given: Sequence[str] | None, default: tuple[str, ...], source: str) -> tuple[str, ...]:
    """Return the given names, or the default; raise DataError for repeats or another number of them."""
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
    """Raise DataError if a column is both a feature and a target, or if there is no feature."""
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
    """Return the names of the frame's target columns; None without targets, or if `targets` holds values."""
    if isinstance(targets, str):
        return (targets,)
    if targets is None:
        return None if target_names is None else tuple(target_names)
    are_texts = isinstance(targets, list | tuple) and all(isinstance(name, str) for name in targets)
    if not are_texts or not set(targets) <= set(frame.names):
        return None
    if len(targets) == len(frame.array(frame.names[:1], source, "features")):
        raise DataError(
            f"{source}: {listed(targets)} may be the names of columns or the classes of as many rows. Give "
            f"columns as target_names=, or classes as an array."
        )
    return tuple(targets)


def _own_names(targets: Any) -> Sequence[str] | None:
    """Return the names of targets that are a data frame or a named column; None for other targets."""
    frame = frame_of(targets)
    if frame is not None:
        return frame.names if frame.named else None
    name = name_of(targets)
    return None if name is None else (name,)

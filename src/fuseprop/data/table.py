"""Table: rows of features with or without target columns, made of arrays and data frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from ..world import ALONE, Processes
from .choices import NONE, Choices
from .errors import as_names
from .given import table_of
from .table_data import TableData
from .target_cells import AUTO, Reading


@dataclass(frozen=True)
class Table(TableData):
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
    world : Processes
        Those that hold the table together: its rows are the rows of all, one process's after another's.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import Table
    >>> table = Table.of(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array(["no", "yes"]))
    >>> len(table), table.feature_names
    (2, ('x1', 'x2'))
    """

    @classmethod
    def holding(cls, data: TableData) -> Self:
        """Return the table that holds these data."""
        return cls(*(getattr(data, entry.name) for entry in fields(data)))

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
        drop: Sequence[str] = (),
        numeric: Sequence[str] = (),
        categorical: Sequence[str] = (),
        date: Sequence[str] = (),
        ignore_index: bool = False,
        missing: str = "encode",
        world: Processes = ALONE,
    ) -> Table:
        """Return a table of features and, where they are given, targets.

        Parameters
        ----------
        X : array_like (N, d), or data frame
            A data frame is a pandas, Polars or PyArrow table, a structured array or a dict of columns. Its
            features are the columns that `feature_names` lists, or those that the rules take for features: as
            in a file, ids, constants and free text are left out. A pandas index is no column. An array's
            columns are all features: numbers, or what the rules take its objects for.
        targets : array_like (N,) or (N, t), or str, or list of str, optional
            Numbers or text; or the names of the data frame's columns that are the targets, of which rows
            without a value are left out.
        feature_names, target_names : sequence of str, optional
            For an array, the names of its columns; by default x1, x2, ... and y (y1, y2, ...), or the names
            that the targets have themselves. For a data frame, the columns to take.
        source : str
            The file or data set that the rows come from, for messages.
        target_as, keep_as_class
            How a target of text is read: see `Reading`.
        drop, numeric, categorical, date, ignore_index, missing
            What the columns are, where the rules would decide otherwise: see `Choices`. A column of a
            categorical type is a category.
        world : Processes
            The processes that share the rows, and all call this alike, each with its own rows: X of shape
            (0, d), or a frame without rows, where it has none. Each gets the table of its own rows; what
            columns and targets are is decided by the rows of all. Where the types of a column differ, it is
            as in `of_one_kind`.

        Raises DataError for wrong shapes, no rows, nan in an array of numbers, inf, values that are no cells
        of a table (see `object_cells`), missing values among `targets`, targets that are neither numbers nor
        classes (see `read_cells`), and names that are missing, repeated or of another number; ValueError for
        another `target_as` or `missing`; DataError, in all processes, for other columns or names in one of
        them, and `Elsewhere` where only others have an error; TypeError for arrays on a device, lazy
        tables, and names that are no sequence.
        """
        chosen = drop or numeric or categorical or date or ignore_index or missing != "encode"
        made = table_of(
            X,
            targets,
            as_names("feature_names", feature_names),
            as_names("target_names", target_names),
            source,
            AUTO if target_as == "auto" and not keep_as_class else Reading(target_as, keep_as_class),
            Choices(None, drop, numeric, categorical, date, ignore_index, missing) if chosen else NONE,
            world,
        )
        return cls.holding(made)

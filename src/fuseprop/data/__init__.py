"""Tables of features and targets, read from files, arrays, data frames and built-in data sets.

`load_table` and `Table.of` make them; a `Task` says what a network learns from one and what its outputs mean.

==================  =====================================================================================
table               `Table`: features, targets and their names, made from arrays or data frames
given               tables of arrays and frames; arrays: features and targets; columns: plain values
frames              data frames (pandas, Polars, PyArrow, structured arrays, dicts) as sources of cells
typed               columns of arrays and series as cells; objects: of Python; texts: as a file spells them
files               reads CSV in all its dialects, Parquet and JSON lines as the cells of columns
npz_file            reads NPZ; npz_members checks each array's size before it takes memory
datasets            the built-in data sets
spelling            whether a text is a number, a number in another notation, or a missing value
target_cells        whether a target column of texts holds numbers or classes
assembling          from cells to a table: deciding has the rules for columns, mistakes what they refuse;
                    features the matrix, target_rows the rows with a target, column_cells a model's columns
notations           numbers such as 1.234,5 or $1,200; dates: formats; different: the texts of a column
choices             what a user says of columns; column: what one is; showing: columns for people and JSON
target_columns      the classes of a target column, and the values that a task needs
tasks               `Task`: regression, binary, exclusive or multi-label
encoder             `Encoder`: the inputs of a network; layout: which are of which column; cycles: of dates
tails               quantities clipped smoothly; bins: of quantities; lines: features computed together
frequent            which texts of a category have a feature; recoding: a table's codes as a model's
scaling             `Standardizer`: columns of mean 0 and standard deviation 1; blocks: of rows, one by one
seen                `Seen`: the range of each column in training, and a warning far outside of it
unlike              a warning of new categories, and of missing values where none were
dicts               rows as dicts
errors              `DataError`, and how it lists columns
==================  =====================================================================================

Needs NumPy and the standard library; five of the data sets need scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np

from ..world import ALONE, Processes, agreeing
from .assembling import assemble
from .choices import NONE, Choices
from .datasets import DATASETS, check_name, load_dataset
from .errors import DataError, as_names, check_columns, listed
from .files import open_source
from .npz_file import read_npz
from .seen import UnlikeTrainingWarning
from .table import Table
from .table_data import LeftOut
from .target_cells import AUTO, Reading

__all__ = [
    "DATASETS",
    "DataError",
    "Table",
    "UnlikeTrainingWarning",
    "is_file_name",
    "load_table",
    "read_npz",
    "suggestions_for",
]


Paths = str | Path | Sequence[str | Path]


def load_table(
    data: Paths,
    target: str | Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    *,
    target_as: str = "auto",
    keep_as_class: Sequence[str] = (),
    any_size: bool = False,
    drop: Sequence[str] = (),
    numeric: Sequence[str] = (),
    categorical: Sequence[str] = (),
    date: Sequence[str] = (),
    ignore_index: bool = False,
    missing: str = "encode",
    world: Processes = ALONE,
) -> Table:
    """Return a table from files, or a built-in data set.

    Parameters
    ----------
    data : str or Path, or sequence of them
        A file (see `files`; .npz is an NPZ file), or a name among `DATASETS`. A file of the same name as a
        data set needs its folder: ``./iris``. "-" is standard input. Several files are one table: the rows of
        all, in their order.
    target : str or sequence of str, optional
        The target columns of a file, or the key of the target in an NPZ file ("y" if not given). An empty
        sequence gives a table without targets. Built-in data sets have their own target.
    features : sequence of str, optional
        The feature columns, in this order; by default all columns that are not targets.
    target_as : "auto" | "numbers" | "text"
        Whether the target holds numbers, or texts that are classes. "auto" takes it for numbers if every cell
        is one, but for classes if whole numbers have leading zeros, or more digits than float64 keeps.
    keep_as_class : sequence of str
        Texts of the target that are classes although they look like a missing value (NA) or a number (14%).
    any_size : bool
        Whether an NPZ file may unpack to far more bytes than it has: see `read_npz`.
    drop, numeric, categorical, date, ignore_index, missing
        What is said of columns, where the rules in `deciding` would decide otherwise: see `Choices`. The
        columns of an NPZ file and of a data set are numbers already, of which some may be dropped.
    world : Processes
        The processes that share the rows, and all call this alike: each gets the table of its own share,
        whose columns are decided by the rows of all. See `files.open_source` for who reads what; an NPZ file
        and a data set are read by each process, which keeps its share.

    Raises DataError, with the place, for data that cannot be read or used; ValueError for another
    `target_as` or `missing`; TypeError if `data` is neither a path nor a name (`Table.of` takes arrays).

    Examples
    --------
    >>> from fuseprop import load_table
    >>> table = load_table("iris")
    >>> len(table), table.target_names
    (150, ('class',))
    """
    target, features = as_names("target", target), as_names("features", features)
    reading = Reading(target_as, keep_as_class)
    choices = Choices(features, drop, numeric, categorical, date, ignore_index, missing)
    with agreeing(world):
        numbers = _of_numbers(data, target, reading, any_size=any_size)
        if numbers is not None:
            return _share(_chosen(numbers, choices), world)
    source = open_source(data, any_size=any_size, world=world)
    if target is None:
        raise DataError(
            f"{source.name}: which column is the target? Name it: --target, or target= in Python. "
            f"Columns there: {listed(source.names)}."
        )
    return Table.holding(assemble(source, target, choices, reading))


def _of_numbers(
    data: Paths, target: Sequence[str] | None, reading: Reading, *, any_size: bool
) -> Table | None:
    """Return the table of a built-in data set or an NPZ file, all of whose columns are numbers, else None."""
    paths = _paths(data)
    path = paths[0]
    if not is_file_name(path):
        if len(paths) > 1:
            names = [str(other) for other in paths[1:]]
            raise DataError(
                f"{path} is a built-in data set: it does not go with other data ({listed(names)})."
            )
        if reading != AUTO:
            raise DataError(f"{path} is a built-in data set: there are no texts to be read in another way.")
        table = load_dataset(str(path))
        if target and tuple(target) != table.target_names:
            raise DataError(
                f"{path} is a built-in data set with the target {listed(table.target_names)}, "
                f"got {listed(target)}."
            )
        return table
    return read_npz(path, target, None, reading, any_size=any_size) if _is_npz(paths) else None


def _share(table: Table, world: Processes) -> Table:
    """Return a process's share of a table that each has read, with the rows' numbers in the whole."""
    own = world.rows(len(table))
    share = table if world.size == 1 else table.take(np.arange(own.start, own.stop))
    return replace(share, world=world, first=own.start)


def _is_npz(paths: Sequence[str | Path]) -> bool:
    return len(paths) == 1 and Path(paths[0]).suffix.lower() == ".npz"


def _paths(data: object) -> Sequence[str | Path]:
    """Return one path or several as a sequence; raise TypeError for anything else."""
    paths = [data] if isinstance(data, str | PathLike) else data
    if not isinstance(paths, list | tuple) or not all(isinstance(path, str | PathLike) for path in paths):
        raise TypeError(
            f"data must be the path of a file, paths of several, or the name of a data set, got "
            f"{type(data).__name__}. `Table.of(X, target)` makes a table of arrays."
        )
    if not paths:
        raise DataError("data must be at least one file, got none.")
    return paths


def _chosen(table: Table, choices: Choices) -> Table:
    """Return a table of numbers with the chosen features; raise DataError for choices of another kind."""
    if replace(choices, features=None, drop=(), missing=NONE.missing) != NONE:
        raise DataError(
            f"{table.source} holds numbers already: only features and drop choose among its columns. "
            f"A file of texts, such as CSV, has categories, dates and missing values."
        )
    if choices.features is not None:
        return table.with_features(choices.features)
    if not choices.drop:
        return table
    if not table.named:
        raise DataError(f"{table.source}: its columns have no names, so that none can be dropped by name.")
    check_columns(choices.drop, table.feature_names, table.source, "columns")
    kept = [name for name in table.feature_names if name not in choices.drop]
    if not kept:
        raise DataError(f"{table.source}: no feature is left, at least one is needed.")
    left_out = tuple(LeftOut(name, "it was dropped") for name in choices.drop)
    return replace(table.with_features(kept), left_out=left_out)


def is_file_name(data: str | Path) -> bool:
    """Return whether `data` names a file, or standard input ("-"), and not a built-in data set.

    Raises DataError, which lists the data sets, for a name without suffix or folder that is not among them.

    Examples
    --------
    >>> from fuseprop.data import is_file_name
    >>> is_file_name("houses.csv"), is_file_name("digits")
    (True, False)
    """
    if isinstance(data, Path) or data == "-" or Path(data).suffix or Path(data).name != data:
        return True
    check_name(data)
    return False


def suggestions_for(data: object) -> Mapping[str, object]:
    """Return the training settings that suit a built-in data set; none for any other `data`.

    Examples
    --------
    >>> from fuseprop.data import suggestions_for
    >>> suggestions_for("xor")
    {}
    """
    return DATASETS[data].suggestions if isinstance(data, str) and data in DATASETS else {}

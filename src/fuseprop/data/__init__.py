"""Tables of features and targets, read from files, arrays, data frames and built-in data sets.

`load_table` and `Table.of` make them; a `Task` says what a network learns from one and what its outputs mean.

==================  =====================================================================================
table               `Table`: features, targets and their names, made from arrays or data frames
arrays              features and targets from arrays; columns: one array as plain values
frames              data frames (pandas, Polars, PyArrow, structured arrays, dicts) as columns by name
csv_file            reads CSV; csv_bytes checks the bytes before, csv_cells the header, and finds a bad cell
npz_file            reads NPZ; npz_members checks each array's size before it takes memory
datasets            the built-in data sets
spelling            whether a text is a number, a number in another notation, or a missing value
target_cells        whether a target column of texts holds numbers or classes
target_columns      the classes of a target column, and the values that a task needs
tasks               `Task`: regression, binary, exclusive or multi-label
scaling             `Standardizer`: columns of mean 0 and standard deviation 1
seen                `Seen`: the range of each feature in training, and a warning far outside of it
errors              `DataError`, and how it lists columns
==================  =====================================================================================

Needs NumPy and the standard library; five of the data sets need scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from ..checks.quoting import shown
from .csv_file import read_csv
from .datasets import DATASETS, check_name, load_dataset
from .errors import DataError, as_names, listed
from .npz_file import read_npz
from .seen import UnlikeTrainingWarning
from .table import Table
from .target_cells import AUTO, Reading

__all__ = [
    "DATASETS",
    "DataError",
    "Table",
    "UnlikeTrainingWarning",
    "is_file_name",
    "load_table",
    "read_csv",
    "read_npz",
    "suggestions_for",
]


def load_table(
    data: str | Path,
    target: str | Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    *,
    target_as: str = "auto",
    keep_as_class: Sequence[str] = (),
    any_size: bool = False,
) -> Table:
    """Return a table from a CSV or NPZ file, or a built-in data set.

    Parameters
    ----------
    data : str or Path
        A file, recognized by its suffix (.csv, .tsv, .txt; .npz), or a name among `DATASETS`. A file of the
        same name as a data set needs its folder: ``./iris``.
    target : str or sequence of str, optional
        The target columns of a CSV file, or the key of the target in an NPZ file ("y" if not given). An empty
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

    Raises DataError, with the place, for data that cannot be read or used; ValueError for another
    `target_as`; TypeError if `data` is neither a path nor a name (`Table.of` takes arrays).
    """
    if not isinstance(data, str | PathLike):
        raise TypeError(
            f"data must be the path of a file or the name of a data set, got {type(data).__name__}. "
            f"`Table.of(X, target)` makes a table of arrays."
        )
    target, features = as_names("target", target), as_names("features", features)
    reading = Reading(target_as, keep_as_class)
    if not is_file_name(data):
        table = load_dataset(str(data))
        if reading != AUTO:
            raise DataError(f"{data} is a built-in data set: there are no texts to be read in another way.")
        if target and target != table.target_names:
            raise DataError(
                f"{data} is a built-in data set with the target {listed(table.target_names)}, "
                f"got {listed(target)}."
            )
        return table if features is None else table.with_features(features)
    suffix = Path(data).suffix.lower()
    if suffix == ".npz":
        return read_npz(data, target, features, reading, any_size=any_size)
    if suffix in (".csv", ".tsv", ".txt"):
        return read_csv(data, target, features, reading)
    raise DataError(
        f"{shown(data, None)}: expected a .csv, .tsv, .txt or .npz file, got the suffix {suffix!r}."
    )


def is_file_name(data: str | Path) -> bool:
    """Return whether `data` names a file and not a built-in data set.

    Raises DataError, which lists the data sets, for a name without suffix or folder that is not among them.
    """
    if isinstance(data, Path) or Path(data).suffix or Path(data).name != data:
        return True
    check_name(data)
    return False


def suggestions_for(data: object) -> Mapping[str, object]:
    """Return the training settings that suit a built-in data set; none for any other `data`."""
    return DATASETS[data].suggestions if isinstance(data, str) and data in DATASETS else {}

"""Tables in: files and built-in data sets as arrays on the host, for networks to learn from.

This part stands on NumPy and the standard library; scikit-learn's data sets need scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from ..checks.quoting import shown
from .csv_file import read_csv
from .datasets import DATASETS, check_name, load_dataset
from .errors import DataError, listed
from .npz_file import read_npz
from .seen import UnlikeTrainingWarning
from .table import Table, as_names
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
        A file, by its suffix (.csv, .tsv, .txt; .npz), or a name among `DATASETS`. A file that is called like
        a data set needs its folder: ``./iris``.
    target : str or sequence of str, optional
        The target columns of a CSV file, or the key of the target in an NPZ file ("y" if not given). An empty
        sequence asks for features alone. Built-in data sets have their own target.
    features : sequence of str, optional
        The features wanted, in this order; by default all columns that are not targets.
    target_as : "auto" | "numbers" | "text"
        Whether the target holds numbers, or classes as they are written; by default numbers where every cell
        is one, but classes where whole numbers have leading zeros, or more digits than a number keeps.
    keep_as_class : sequence of str
        Texts of the target that are classes although they look like a missing value (NA) or a number (14%).
    any_size : bool
        Whether an NPZ file may unpack to what is out of proportion to its size: see `read_npz`.

    Raises DataError for data that cannot be read or used; the text names the place. TypeError for
    arrays: `Table.of` takes those.
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

    Raises DataError for what looks like a data set's name and is none; the choices are listed.
    """
    if isinstance(data, Path) or Path(data).suffix or Path(data).name != data:
        return True
    check_name(data)
    return False


def suggestions_for(data: object) -> Mapping[str, object]:
    """Return the settings of training that a built-in data set suggests; none for anything else."""
    return DATASETS[data].suggestions if isinstance(data, str) and data in DATASETS else {}

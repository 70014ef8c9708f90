"""NPZ files: the arrays X, y and, optionally, feature_names, as `numpy.savez` writes them."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

import numpy as np

from ..checks.quoting import counted, shown
from ..storage.reading import file_errors_as, open_file
from .errors import DataError, listed
from .npz_members import FREE_BYTES, FREE_BYTES_PER_BYTE, BoundedReads, Members
from .table import Table
from .table_data import numbered
from .target_cells import AUTO, Reading


def read_npz(
    path: str | Path,
    target: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    reading: Reading = AUTO,
    *,
    any_size: bool = False,
) -> Table:
    """Return the table in an NPZ file: X (N, d), a target (N,) or (N, t), and optional feature_names (d,).

    Parameters
    ----------
    path : str or Path
    target : sequence of str
        The key of the target, "y" if not given; an empty sequence for none.
    features : sequence of str, optional
        The feature columns, by name; without names in the file, the names that its columns get.
    reading : Reading
        How the target is read.
    any_size : bool
        Whether a file may unpack to more than 100 times its size, and more than 1 GiB.

    Nothing is unpickled. Raises DataError for other files, missing keys, arrays that hold neither numbers nor
    text, arrays out of proportion to the file, and as `Table.of`.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.data import read_npz
    >>> np.savez("table.npz", X=np.ones((3, 2)), y=np.array([0.5, 1.0, 2.0]))
    >>> table = read_npz("table.npz")
    >>> len(table), table.feature_names
    (3, ('x1', 'x2'))
    """
    path = Path(path)
    with file_errors_as(DataError, path, "an NPZ file", "numpy.savez(path, X=X, y=y) writes one."):
        return _read(path, ("y",) if target is None else tuple(target), features, reading, any_size)


def _read(
    path: Path, keys: tuple[str, ...], features: Sequence[str] | None, reading: Reading, any_size: bool
) -> Table:
    place = shown(path, None)
    if len(keys) > 1:
        raise DataError(f"{place}: expected one key of a target array in an NPZ file, got {listed(keys)}.")
    with open_file(path) as file:
        if file.read(6) == b"\x93NUMPY":
            raise DataError(
                f"{place} holds a single array; expected an NPZ file. numpy.savez(path, X=X, y=y) writes one."
            )
        size = os.fstat(file.fileno()).st_size
        allowed = None if any_size else max(FREE_BYTES, FREE_BYTES_PER_BYTE * size)
        with zipfile.ZipFile(cast(IO[bytes], BoundedReads(file))) as archive:
            members = Members(archive, place, allowed)
            X = members.read("X", "bifu", "real numbers")
            targets = members.read(keys[0], "bifuU", "real numbers or text") if keys else None
            names = None
            if "feature_names" in members.names():
                given = members.read("feature_names", "iuU", "text")
                if given.ndim != 1:
                    raise DataError(f"{place}: feature_names must have one axis, got {given.shape}.")
                if X.ndim == 2 and len(given) != X.shape[1]:  # checked before each is made a str
                    raise DataError(
                        f"{place}: feature_names has {counted(len(given), 'entry', 'entries')} for "
                        f"{counted(X.shape[1], 'column')}."
                    )
                names = given.tolist() if X.ndim == 2 else None
    columns = targets.shape[1] if targets is not None and targets.ndim == 2 else 1
    target_names = None if targets is None else numbered(keys[0], columns) if columns > 1 else keys
    with np.errstate(over="ignore"):  # longdouble beyond float64 becomes inf, which `Table.of` refuses
        table = Table.of(
            X if X.dtype.itemsize <= 8 else X.astype(np.float64),
            targets if targets is None or targets.dtype.kind != "f" else targets.astype(np.float64),
            feature_names=names,
            target_names=target_names,
            source=str(path),
            **reading.keywords(),
        )
    return table if features is None else table.with_features(features)

"""NPZ files: the arrays X and y, perhaps with feature_names, as `numpy.savez` writes them."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..backend import HostArray
from ..choices import suggestion
from .errors import DataError, listed
from .table import Table
from .target_cells import AUTO, Reading


def read_npz(
    path: str | Path,
    target: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    reading: Reading = AUTO,
) -> Table:
    """Return the table in an NPZ file: X (N, d), a target (N,) or (N, t), and feature_names (d,) if there.

    Parameters
    ----------
    path : str or Path
    target : sequence of str
        The key of the target, "y" if not given; an empty sequence for none.
    features : sequence of str, optional
        The features wanted, by name where the file has names.
    reading : Reading
        How the target is read.

    Nothing is unpickled. Raises DataError for files that are no NPZ, missing keys, arrays of objects, and
    whatever `Table.of` refuses.
    """
    path = Path(path)
    keys = ("y",) if target is None else tuple(target)
    if len(keys) > 1:
        raise DataError(f"{path}: expected one key of a target array in an NPZ file, got {listed(keys)}.")
    try:
        with path.open("rb") as handle:
            file = np.load(handle, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DataError(
                    f"{path} holds a single array; expected an NPZ file. "
                    f"numpy.savez(path, X=X, y=y) writes one."
                )
            with file:
                X = _array(file, "X", path)
                targets = _array(file, keys[0], path) if keys else None
                names = _array(file, "feature_names", path).tolist() if "feature_names" in file else None
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a directory; expected an NPZ file.") from None
    except DataError:
        raise
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, KeyError, NotImplementedError) as error:
        raise DataError(
            f"{path} is not an NPZ file ({error}). numpy.savez(path, X=X, y=y) writes one."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    columns = targets.shape[1] if targets is not None and targets.ndim == 2 else 1
    numbered = [f"{keys[0]}{i}" for i in range(1, columns + 1)] if columns > 1 else keys
    table = Table.of(
        _numeric(X, path),
        targets,
        feature_names=names,
        target_names=None if targets is None else numbered,
        source=str(path),
        **reading.given(),
    )
    return table if features is None else table.with_features(features)


def _array(file: np.lib.npyio.NpzFile, key: str, path: Path) -> HostArray:
    if key not in file:
        raise DataError(
            f"{path} has no array {key!r}; it holds {listed(list(file)) or 'nothing'}.{suggestion(key, file)}"
        )
    try:
        array: HostArray = file[key]
        if not isinstance(array, np.ndarray):
            raise DataError(f"{path} is not an NPZ file: {key!r} is no array in it.")
    except DataError:
        raise
    except ValueError as error:
        if "pickle" not in str(error).lower():
            raise
        raise DataError(
            f"{path}: the array {key!r} holds Python objects, which only unpickling could read; "
            f"expected numbers or text. Save it with another dtype."
        ) from error
    return array


def _numeric(X: HostArray, path: Path) -> HostArray:
    if X.dtype.kind not in "bifu":
        raise DataError(f"{path}: X must hold real numbers, got dtype {X.dtype}.")
    return X

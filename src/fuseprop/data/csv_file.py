"""CSV files: a header row, then numbers; target columns may hold text.

NumPy reads the file in one pass. Only when it refuses, a second, slower pass finds the cell to blame.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn, TextIO

import numpy as np

from ..checks.quoting import literal, shown
from ..storage.fatal import raise_fatal_cause
from ..storage.reading import REASON, file_errors_as, open_file
from .arrays import stacked
from .csv_bytes import check_bytes, check_last_quote
from .csv_cells import ends_blank, explain, filled, header_of, row_at
from .errors import DataError, check_columns, listed
from .table import Table, check_apart
from .target_cells import AUTO, Reading, read_cells


def read_csv(
    path: str | Path,
    target: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    reading: Reading = AUTO,
) -> Table:
    """Return the table in a CSV file with a header row, in UTF-8.

    The delimiter (comma, semicolon or tab) is the one that splits the header into most columns; cells may be
    quoted. Features must be finite numbers; a target column holds numbers, or text throughout. Empty lines,
    and blank rows at the end, are no rows.

    Parameters
    ----------
    path : str or Path
    target : sequence of str
        The target columns; an empty sequence for none.
    features : sequence of str, optional
        The feature columns; the others are then ignored, whatever they hold. By default all but the targets.
    reading : Reading
        How the targets are read.

    Raises DataError for a file that cannot be read or used, with row, line and column where there is one.
    """
    path = Path(path)
    with file_errors_as(DataError, path, "a CSV file", "Save it as CSV in UTF-8."), open_file(path) as file:
        quotes = check_bytes(file, shown(path, None))
        text = TextIOWrapper(file, encoding="utf-8-sig", newline="")
        names, delimiter = header_of(text, path)
        if quotes % 2:
            text.seek(0)
            check_last_quote(text, delimiter, shown(path, None))
            text.seek(0)
            header_of(text, path)
        if target is None:
            raise DataError(
                f"{path}: which column is the target? Name it: --target, or target= in Python. "
                f"Columns there: {listed(names)}."
            )
        check_columns(target, names, str(path), "targets")
        wanted = [name for name in names if name not in target] if features is None else list(features)
        check_columns(wanted, names, str(path), "features")
        check_apart(wanted, target, names, str(path))
        return _read(text, path, names, delimiter, list(target), wanted, reading)


def _read(
    file: TextIO,
    path: Path,
    names: list[str],
    delimiter: str,
    target: list[str],
    features: list[str],
    reading: Reading,
) -> Table:
    # A converter gives each different text of a target column a number, and other columns that are not
    # features are not looked at.
    texts: dict[str, dict[str, int]] = {name: {} for name in target}
    position, chosen = {name: i for i, name in enumerate(names)}, set(features)
    converters: dict[int | str, Callable[[str], float]] = {
        i: _numbering(texts[name]) if name in texts else _ignore
        for i, name in enumerate(names)
        if name not in chosen
    }
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*input contained no data")
            cells = np.loadtxt(
                filled(file, delimiter) if ends_blank(path, delimiter) else file,
                delimiter=delimiter,
                comments=None,
                quotechar='"',
                ndmin=2,
                converters=converters,
                encoding=None,
            )
    except (ValueError, OverflowError) as error:
        raise_fatal_cause(error)
        _blame(path, names, delimiter, features, str(error))
    if cells.size == 0:
        raise DataError(f"{path} holds no rows, only a header.")
    X = np.ascontiguousarray(cells[:, [position[name] for name in features]])
    if cells.shape[1] != len(names) or not np.isfinite(X).all():
        _blame(path, names, delimiter, features, "not every cell is a finite number")
    columns = []
    for name in target:
        place = partial(_place, path, delimiter, name)
        codes = cells[:, position[name]].astype(np.int64)
        columns.append(read_cells(list(texts[name]), codes, reading, place))
    targets = stacked(columns) if columns else None
    return Table(X, targets, tuple(features), tuple(target), str(path))


def _numbering(seen: dict[str, int]) -> Callable[[str], float]:
    return lambda text: float(seen.setdefault(text.strip(), len(seen)))


def _ignore(text: str) -> float:  # noqa: ARG001
    return 0.0


def _place(path: Path, delimiter: str, column: str, row: int) -> str:
    """Return where the cell of a column in a row, counted from 0, stands."""
    return f"{path}: {row_at(path, delimiter, row)}, column {literal(column)}"


def _blame(path: Path, names: list[str], delimiter: str, features: list[str], refusal: str) -> NoReturn:
    found = explain(path, names, delimiter, features)
    raise DataError(
        f"{path}: {found}"
        if found
        else f"{path} is no table of numbers ({shown(refusal, REASON)}). Check blank lines and quotes."
    )

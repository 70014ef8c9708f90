"""CSV files: a header row, then numbers; target columns may hold text.

NumPy reads the file in one pass. If it fails, a second, slower pass finds the first cell that is at fault.
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
from .csv_cells import ends_blank, explain, header_of, row_at, without_blank_end
from .errors import DataError, check_columns, listed
from .table import Table, check_apart, numbers
from .target_cells import AUTO, Reading, read_cells


def read_csv(
    path: str | Path,
    target: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    reading: Reading = AUTO,
) -> Table:
    """Return the table in a CSV file with a header row, in UTF-8.

    The delimiter is the comma, semicolon or tab that splits the header into the most columns; cells may be
    quoted. Features must be finite numbers; a target column holds numbers, or text throughout. Empty lines,
    and blank rows at the end, are ignored.

    Parameters
    ----------
    path : str or Path
    target : sequence of str
        The target columns, which must be named; an empty sequence for none.
    features : sequence of str, optional
        The feature columns; the contents of all others are ignored. By default all but the targets.
    reading : Reading
        How the targets are read.

    Raises DataError for a file that cannot be read or used, with row, line and column if a cell is at fault.
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
    # Converters number the different texts of each target column, and make 0 of columns that are not used.
    texts: dict[str, dict[str, int]] = {name: {} for name in target}
    column_of, chosen = {name: i for i, name in enumerate(names)}, set(features)
    converters: dict[int | str, Callable[[str], float]] = {
        i: _numbering(texts[name]) if name in texts else _ignore
        for i, name in enumerate(names)
        if name not in chosen
    }
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*input contained no data")
            cells = np.loadtxt(
                without_blank_end(file, delimiter) if ends_blank(path, delimiter) else file,
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
    X = np.ascontiguousarray(cells[:, [column_of[name] for name in features]])
    if cells.shape[1] != len(names) or not np.isfinite(X).all():
        _blame(path, names, delimiter, features, "not every cell is a finite number")
    columns = []
    for name in target:
        place = partial(_place, path, delimiter, name)
        codes = cells[:, column_of[name]].astype(np.int64)
        columns.append(read_cells(list(texts[name]), codes, reading, place))
    targets = stacked(columns) if columns else None
    return Table(X, targets, numbers(tuple(features)), tuple(target), str(path))


def _numbering(codes: dict[str, int]) -> Callable[[str], float]:
    """Return a converter from a text to its code; each new text is given the next code in `codes`."""
    return lambda text: float(codes.setdefault(text.strip(), len(codes)))


def _ignore(text: str) -> float:  # noqa: ARG001
    """Convert a text of a column that is not used."""
    return 0.0


def _place(path: Path, delimiter: str, column: str, row: int) -> str:
    """Return the place of the cell in a column and a row, counted from 0."""
    return f"{path}: {row_at(path, delimiter, row)}, column {literal(column)}"


def _blame(path: Path, names: list[str], delimiter: str, features: list[str], failure: str) -> NoReturn:
    """Raise DataError with the first cell at fault, or else with what NumPy said, `failure`."""
    found = explain(path, names, delimiter, features)
    raise DataError(
        f"{path}: {found}"
        if found
        else f"{path} is no table of numbers ({shown(failure, REASON)}). Check blank lines and quotes."
    )

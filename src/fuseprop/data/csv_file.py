"""CSV files: a header row, then numbers; target columns may hold text.

NumPy reads the file in one pass. Only when it refuses, a second, slower pass finds the cell to blame.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn, TextIO

import numpy as np

from ..backend import HostArray
from ..quoting import literal, shown
from ..reading import REASON, border, open_file
from .csv_bytes import check_bytes, check_last_quote
from .csv_cells import explain, header_of, number
from .table import DataError, Table, check_columns, listed

MANY = 20
"""More different numbers than this in a column make it numeric, so that text in it is a mistake."""


def read_csv(
    path: str | Path, target: Sequence[str] | None = None, features: Sequence[str] | None = None
) -> Table:
    """Return the table in a CSV file with a header row, in UTF-8.

    The delimiter (comma, semicolon or tab) is the one that splits the header into most columns; cells may be
    quoted. Features must be finite numbers; a target column holds numbers, or text throughout.

    Parameters
    ----------
    path : str or Path
    target : sequence of str
        The target columns; an empty sequence for none.
    features : sequence of str, optional
        The feature columns; the others are then ignored, whatever they hold. By default all but the targets.

    Raises DataError for a file that cannot be read or used, with row, line and column where there is one.
    """
    path = Path(path)
    with border(path, DataError, "a CSV file", "Save it as CSV in UTF-8."), open_file(path) as file:
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
        check_columns(target, names, str(path), "target")
        wanted = [name for name in names if name not in target] if features is None else list(features)
        if not wanted:
            raise DataError(f"{path} has no column beside the target: at least one feature is needed.")
        check_columns(wanted, names, str(path), "features")
        both = [name for name in target if name in wanted]
        if both:
            raise DataError(
                f"{path}: {listed(both)} cannot be a feature and the target too. Name another target. "
                f"Columns there: {listed(names)}."
            )
        return _read(text, path, names, delimiter, list(target), wanted)


def _read(
    file: TextIO, path: Path, names: list[str], delimiter: str, target: list[str], features: list[str]
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
                file,
                delimiter=delimiter,
                comments=None,
                quotechar='"',
                ndmin=2,
                converters=converters,
                encoding=None,
            )
    except (ValueError, OverflowError) as error:
        _blame(path, names, delimiter, features, target, str(error))
    if cells.size == 0:
        raise DataError(f"{path} holds no rows, only a header.")
    X = np.ascontiguousarray(cells[:, [position[name] for name in features]])
    if cells.shape[1] != len(names) or not np.isfinite(X).all() or any("" in seen for seen in texts.values()):
        _blame(path, names, delimiter, features, target, "not every cell is a finite number")
    columns = [_decode(texts[name], cells[:, position[name]], path, name) for name in target]
    targets = np.stack(columns, axis=1) if columns else None
    return Table(X, targets, tuple(features), tuple(target), str(path))


def _numbering(seen: dict[str, int]) -> Callable[[str], float]:
    return lambda text: float(seen.setdefault(text.strip(), len(seen)))


def _ignore(text: str) -> float:  # noqa: ARG001
    return 0.0


def _decode(seen: dict[str, int], codes: HostArray, path: Path, column: str) -> HostArray:
    """Return a target column (N,) as numbers if all its cells are, else as text."""
    numbers = [number(text) for text in seen]
    position = codes.astype(np.int64)
    known = [value for value in numbers if value is not None]
    if len(known) == len(numbers):
        values = np.array(known)
        bad = ~np.isfinite(values[position])
        if bad.any():
            row = int(np.argmax(bad))
            text = list(seen)[position[row]]
            raise DataError(
                f"{path}: row {row + 1}, column {literal(column)}: expected a finite number, "
                f"got {literal(text)}."
            )
        return values[position]
    if len(known) > MANY:
        code = numbers.index(None)
        row = int(np.argmax(position == code))
        raise DataError(
            f"{path}: row {row + 1}, column {literal(column)}: expected a number, as in the {len(known)} "
            f"different numbers of this column, got {literal(list(seen)[code])}."
        )
    return np.array(list(seen))[position]


def _blame(
    path: Path, names: list[str], delimiter: str, features: list[str], target: list[str], refusal: str
) -> NoReturn:
    found = explain(path, names, delimiter, features, target)
    raise DataError(
        f"{path}: {found}"
        if found
        else f"{path} is no table of numbers ({shown(refusal, REASON)}). Check blank lines and quotes."
    )

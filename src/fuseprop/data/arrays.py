"""Features and targets from arrays: numbers at once, texts of targets cell by cell as in a file."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..backend import HostArray
from ..checks.arrays import as_rows, first_not_finite
from ..checks.masked import is_masked
from ..checks.nonnumeric import check_masked
from ..checks.quoting import literal
from ..world import agreeing
from .cells import Texts
from .column import Column
from .columns import is_no_value, plain
from .errors import DataError, listed
from .frames import Frame, frame_of
from .share import WHOLE, Share
from .spelling import EXACT_LIMIT
from .table_data import numbered
from .target_cells import Reading, read_cells
from .target_columns import as_texts
from .texts import as_spelled
from .texts import as_texts as as_texts_of
from .typed import typed_cells
from .united import united


def objects_in(X: Any) -> HostArray | None:
    """Return X as an array (N, d) of text or Python objects, such as numbers beside text; None for others."""
    if isinstance(X, list | tuple):
        try:
            check_masked("X", X)
            X = np.array(X, object)
        except ValueError:  # for masked values and rows of different lengths, of which `plain` tells
            return None
    is_plain = isinstance(X, np.ndarray) and not is_masked(X)
    return X if is_plain and X.ndim == 2 and X.dtype.kind in "OUT" and X.size else None


def feature_rows(
    X: Any, names: Sequence[str] | None, source: str, share: Share = WHOLE
) -> NDArray[np.float64]:
    """Return features (N, d), numbers, as finite float64; those of one process of several may have no rows.

    Raises DataError, with row and column, for nan and inf, and for another shape; TypeError for arrays on a
    device.
    """
    array = plain(source if source == "X" else f"{source}: X", X)
    if array.ndim != 2:
        array = np.zeros(array.shape)  # `as_rows` refuses it by its shape
    several = share.world.size > 1
    if several and array.ndim == 2 and array.dtype.kind in "bifu" and not len(array) and array.shape[1]:
        return array.astype(np.float64)
    names = names or (numbered("x", array.shape[1]) if several else None)
    if names and array.dtype.kind == "f" and (position := first_not_finite(array)) is not None:
        i, j = position
        raise DataError(
            f"{source}: row {share.first + i + 1}, column {literal(names[j])} holds {array[i, j]}; features "
            f"are finite numbers. Fill it, or leave the row out."
        )
    try:
        return as_rows(array).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(str(error) if str(error).startswith(source) else f"{source}: {error}") from error


def target_values(
    targets: Any, rows: int, reading: Reading, names: Sequence[str], source: str, share: Share = WHOLE
) -> HostArray:
    """Return targets (N, t) as float64, or as text if a column holds classes: see `read_cells`.

    Whole numbers that float64 cannot hold exactly become text. All processes that have a share call it, and
    get targets of one kind, decided by those of all. Raises DataError for another shape than (`rows`,) or
    (`rows`, t), and as `plain` and `read_cells`; TypeError for arrays on a device.
    """
    with agreeing(share.world):
        array = _target_array(targets, rows, source)
    columns_of = share.world.gathered(array.shape[1])
    if len(set(columns_of)) > 1:
        raise DataError(
            f"{source}: the target must have as many columns in all processes, got "
            f"{', '.join(map(str, columns_of))}."
        )
    numbers = _as_numbers(array, array, reading)
    if share.all(numbers is not None):
        assert numbers is not None
        return numbers
    # Equal columns are read once: reading one takes 50 us, and a small NPZ file may hold millions.
    place_of: dict[bytes, int] = {}
    own = [place_of.setdefault(array[:, j].tobytes(), j) for j in range(array.shape[1])]
    position_of: dict[tuple[int, ...], int] = {}
    positions, distinct = [], []
    for j, equal in enumerate(zip(*share.world.gathered(own), strict=True)):
        if equal not in position_of:
            name = names[j] if j < len(names) else f"y{j + 1}"
            distinct.append(_target(array[:, j], reading, f"{source}: row", f"target {literal(name)}", share))
            position_of[equal] = len(position_of)
        positions.append(position_of[equal])
    return stacked(distinct, share)[:, positions]


def _target_array(targets: Any, rows: int, source: str) -> HostArray:
    """Return the targets of this process as an array (`rows`, t)."""
    frame = frame_of(targets)
    array = plain(f"{source}: the target", targets) if frame is None else _columns_of(frame, source)
    if array.ndim not in (1, 2) or len(array) != rows or 0 in array.shape[1:]:
        raise DataError(
            f"{source}: the target must have shape ({rows},) or ({rows}, columns), one entry for each row of "
            f"X, got {array.shape}."
        )
    return array[:, None] if array.ndim == 1 else array


def stacked(columns: Sequence[HostArray], share: Share = WHOLE) -> HostArray:
    """Return t columns (N,) as one array (N, t): text if one of them is, else float64.

    In several processes each column is of the same kind in all.
    """
    if any(column.dtype.kind == "U" for column in columns):
        columns = [as_texts(column, share) for column in columns]
    return np.stack(columns, axis=1)


def _columns_of(frame: Frame, source: str) -> HostArray:
    """Return the columns of a frame of targets as one array: of numbers if all are, else of objects."""
    columns = [
        plain(f"{source}: column {literal(name)}", frame.column(place))
        for place, name in enumerate(frame.names)
    ]
    if {column.shape for column in columns} != {columns[0].shape[:1]}:
        raise DataError(
            f"{source}: the columns {listed(frame.names)} must have shape (rows,), and equally many rows, "
            f"got {', '.join(str(column.shape) for column in columns)}."
        )
    if any(column.dtype.kind not in "biuf" for column in columns):
        columns = [column.astype(object) for column in columns]
    # No cast to float64: a target may hold whole numbers beyond 2^53.
    return np.stack(columns, axis=1)


def _target(column: HostArray, reading: Reading, before: str, after: str, share: Share) -> HostArray:
    """Return one column (N,) as numbers or text; `before` and `after` stand around the row in messages.

    Where it is of text in one process and of numbers in another, it is of text, as a list of both would be.
    """
    given, kind = column, column.dtype.kind
    if kind == "O" and all(isinstance(value, Real) and not is_no_value(value) for value in column):
        column = _as_float64_if_possible(column)
        kind = column.dtype.kind
    numbers = _as_numbers(given, column, reading)
    if share.all(numbers is not None):
        assert numbers is not None
        return numbers
    is_finite = kind in "biuf" and bool(np.isfinite(column.astype(np.float64)).all())
    if reading.target_as == "text" and share.all(is_finite):
        classes = Column(after, "category", tuple(reading.keep_as_class))
        with agreeing(share.world):
            cells = as_texts_of(as_spelled(typed_cells(given, after), classes, after, known=True))
        values: HostArray = np.array(cells.texts, np.str_)[cells.codes]
        return values
    # Equal values are converted to text once.
    different, codes = np.unique(
        np.array([_cell_text(value) for value in given]) if given.dtype.kind == "O" else given,
        return_inverse=True,
    )
    cells = Texts([_cell_text(value) for value in different.tolist()], codes.reshape(-1))
    are_texts = kind == "U" or (kind == "O" and all(isinstance(value, str) for value in given))
    typed = share.all(are_texts or not len(given))
    if share.world.size > 1:
        cells = cast("Texts", united(cells, share))
    return read_cells(
        cells.texts,
        cells.codes.astype(np.int64, copy=False),
        reading,
        lambda row: f"{before} {row + 1}, {after}",
        typed=typed,
        share=share,
    )


def _as_numbers(given: HostArray, column: HostArray, reading: Reading) -> HostArray | None:
    """Return `column`, one or several columns, as float64; None unless all are numbers that it holds.

    None also if the reading asks for text, and for nan and inf. `given` has the values in the user's dtype.
    """
    if column.dtype.kind not in "biuf" or reading.target_as == "text" or _loses_digits(given, column):
        return None
    values = column.astype(np.float64)
    return values if np.isfinite(values).all() else None


def _as_float64_if_possible(column: HostArray) -> HostArray:
    try:
        return column.astype(np.float64)
    except (TypeError, OverflowError):  # a whole number beyond the range of float64
        return column


def _loses_digits(given: HostArray, column: HostArray) -> bool:
    """Whether a whole number among the values would change on its way to float64."""
    if given.dtype.kind not in "iuO" or column.dtype.kind == "O":
        return False
    large = given[np.abs(column.astype(np.float64)) >= EXACT_LIMIT]
    different = large if large.dtype.kind == "O" else np.unique(large)
    return any(isinstance(value, int) and int(float(value)) != value for value in different.tolist())


def _cell_text(value: Any) -> str:
    """Return a value as the cell of a file would hold it: whole numbers without a decimal point."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT_LIMIT:
        return str(int(value))
    return str(int(value)) if isinstance(value, bool | np.bool_) else str(value)

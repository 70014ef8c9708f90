"""Tables of what users give: arrays of numbers as they are, objects and data frames by the rules for columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..checks.nonnumeric import read_list
from ..checks.quoting import counted, literal
from .arrays import feature_rows, objects_in, target_values
from .assembling import assemble
from .choices import NONE, Choices
from .errors import DataError, listed
from .frames import Frame, FrameSource, frame_of, name_of
from .table import Table, numbered, numbers
from .target_cells import Reading

Names = tuple[str, ...]


def table_of(
    X: Any,
    targets: Any,
    feature_names: Names | None,
    target_names: Names | None,
    source: str,
    reading: Reading,
    choices: Choices,
) -> Table:
    """Return the table of X and targets: see `Table.of`."""
    X = read_list(X)
    frame = frame_of(X)
    if frame is not None and frame.named:
        columns = _target_columns(frame, targets, target_names, source)
        chosen = _chosen(frame, choices, feature_names, columns or ())
        table = assemble(FrameSource(frame, source, _wanted(chosen, columns)), columns, chosen, reading)
        if columns is not None:
            return table
    else:
        if isinstance(targets, str):
            raise DataError(f"{source}: {literal(targets)} is a name, but the columns of X have none.")
        if frame is None:
            objects = objects_in(X)
            rows = feature_rows(X, feature_names, source) if objects is None else objects
            names = _names("feature_names", feature_names, numbered("x", rows.shape[1]), source)
            if objects is None and choices is NONE:
                table = Table(rows, None, numbers(names), (), source)
            else:
                frame = array_frame(rows, names)
        else:
            names = _names("feature_names", feature_names, numbered("x", len(frame.names)), source)
            frame = replace(frame, names=names, named=True)
        if frame is not None:
            # The order of the columns stands for their names: none is left out unasked.
            all_but = (*choices.drop, *names[: choices.ignore_index])
            features = [name for name in names if name not in all_but]
            table = assemble(FrameSource(frame, source), None, _chosen(frame, choices, features), reading)
        table = replace(table, named=feature_names is not None)
    if targets is None:
        return replace(table, target_names=_names("target_names", target_names, (), source))
    given = _own_names(targets) if target_names is None else target_names
    values = target_values(targets, len(table), reading, given or ("y",), source)
    t = values.shape[1]
    target_names = _names("target_names", given, ("y",) if t == 1 else numbered("y", t), source)
    return replace(table, targets=values, target_names=target_names)


def array_frame(rows: np.ndarray[Any, Any], names: Names) -> Frame:
    """Return the columns of an array (N, d) under these names."""
    return Frame(names, True, lambda place: rows[:, place])


def _chosen(
    frame: Frame, choices: Choices, features: Sequence[str] | None, targets: Sequence[str] = ()
) -> Choices:
    """Return the choices with these features, and with categories where the types of columns say so."""
    known = {*choices.drop, *choices.numeric, *choices.categorical, *choices.date, *targets}
    typed = [
        name for name in frame.categories() if name not in known and (features is None or name in features)
    ]
    return replace(choices, features=features, categorical=(*choices.categorical, *typed))


def _wanted(choices: Choices, targets: Sequence[str] | None) -> Sequence[str] | None:
    """Return the columns that are asked for; None for all."""
    return None if choices.features is None else (*choices.features, *(targets or ()))


def _names(what: str, given: Sequence[str] | None, default: Names, source: str) -> Names:
    """Return the given names, or the default; raise DataError for repeats or another number of them."""
    if given is None:
        return default
    names = tuple(given)
    if len(names) != len(default):
        raise DataError(
            f"{source}: {what} has {counted(len(names), 'entry', 'entries')} for "
            f"{counted(len(default), 'column')}."
        )
    if len(set(names)) != len(names):
        raise DataError(f"{source}: {what} must differ from each other, got {listed(names)}.")
    return names


def _target_columns(frame: Frame, targets: Any, target_names: Names | None, source: str) -> Names | None:
    """Return the names of the frame's target columns; None without targets, or if `targets` holds values."""
    if isinstance(targets, str):
        return (targets,)
    if targets is None:
        return target_names
    are_texts = isinstance(targets, list | tuple) and all(isinstance(name, str) for name in targets)
    if not are_texts or not set(targets) <= set(frame.names):
        return None
    if len(targets) == len(frame.column(0)):
        raise DataError(
            f"{source}: {listed(targets)} may be the names of columns or the classes of as many rows. Give "
            f"columns as target_names=, or classes as an array."
        )
    return tuple(targets)


def _own_names(targets: Any) -> Sequence[str] | None:
    """Return the names of targets that are a data frame or a named column; None for other targets."""
    frame = frame_of(targets)
    if frame is not None:
        return frame.names if frame.named else None
    name = name_of(targets)
    return None if name is None else (name,)

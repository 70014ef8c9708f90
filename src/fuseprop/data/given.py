"""Tables of what users give: arrays of numbers as they are, objects and data frames column by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..checks.nonnumeric import read_list
from ..checks.quoting import counted, literal
from ..world import Processes, agreeing, first_unlike
from .arrays import feature_rows, objects_in, target_values
from .assembling import assemble, assemble_as
from .choices import NONE, Choices
from .column import Column
from .dicts import as_columns
from .errors import DataError, check_columns, listed
from .frames import Frame, FrameSource, frame_of, name_of
from .share import Share
from .table_data import TableData, check_count, numbered, numbers
from .target_cells import AUTO, Reading

Names = tuple[str, ...]


def table_of(
    X: Any,
    targets: Any,
    feature_names: Names | None,
    target_names: Names | None,
    source: str,
    reading: Reading,
    choices: Choices,
    world: Processes,
) -> TableData:
    """Return the table of X and targets: see `Table.of`."""
    X = as_columns(X, world)
    with agreeing(world):
        X = read_list(X)
        frame = frame_of(X)
    _check_same_columns(frame, world, source)
    if frame is not None and frame.named:
        columns = _target_columns(frame, targets, target_names, source, world)
        _check_alike(columns, "names of targets", world, source)
        chosen = _chosen(frame, choices, feature_names, columns or (), world)
        frame_source = FrameSource(frame, source, _wanted(chosen, columns), world)
        table = assemble(frame_source, columns, chosen, reading)
        if columns is not None:
            return table
    else:
        if isinstance(targets, str):
            raise DataError(f"{source}: {literal(targets)} is a name, but the columns of X have none.")
        if frame is None:
            share = Share.of(world, len(X) if hasattr(X, "__len__") and np.ndim(X) else 0)
            rows, holds_objects = _rows(X, feature_names, source, share)
            _check_alike(rows.shape[1], "number of columns", world, source)
            names = _names("feature_names", feature_names, numbered("x", rows.shape[1]), source)
            if not holds_objects and choices is NONE:
                if not share.total(len(rows)):
                    raise DataError(f"{source} is empty: at least one row is needed.")
                table = TableData(rows, None, numbers(names), (), source, world=world, first=share.first)
            else:
                frame = array_frame(rows, names)
        else:
            names = _names("feature_names", feature_names, numbered("x", len(frame.names)), source)
            frame = replace(frame, names=names, named=True)
        if frame is not None:
            # The order of the columns stands for their names: none is left out unasked.
            all_but = (*choices.drop, *names[: choices.ignore_index])
            features = [name for name in names if name not in all_but]
            chosen = _chosen(frame, choices, features, (), world)
            table = assemble(FrameSource(frame, source, world=world), None, chosen, reading)
        table = replace(table, named=feature_names is not None)
    return _with_targets(table, targets, target_names, reading)


def _check_alike(own: object, what: str, world: Processes, source: str) -> None:
    """Raise DataError, in all processes, where one has something else than process 0."""
    found = first_unlike(world, own)
    if found is not None:
        rank, other, first = found
        raise DataError(
            f"{source}: expected the same {what} in all processes, but it is {literal(first)} in "
            f"process 0, and {literal(other)} in process {rank}."
        )


def _check_same_columns(frame: Frame | None, world: Processes, source: str) -> None:
    """Raise DataError, in all processes, where frames have other columns, or stand beside arrays."""
    kind = "an array" if frame is None else "columns with names" if frame.named else "columns without names"
    _check_alike(kind, "kind of data", world, source)
    names: Sequence[str] = () if frame is None else frame.names
    found = first_unlike(world, names)
    if found is not None:
        rank, other, first = found
        lacks = [name for name in first if name not in other]
        has = [name for name in other if name not in first]
        differs = [f"lacks {listed(lacks)}"] * bool(lacks) + [f"has {listed(has)} besides"] * bool(has)
        raise DataError(
            f"{source}: expected the same columns in all processes, but process {rank} "
            f"{' and '.join(differs) or 'has them in another order'}. Process 0 has {listed(first)}."
        )


def _rows(X: Any, names: Names | None, source: str, share: Share) -> tuple[np.ndarray[Any, Any], bool]:
    """Return the rows (N, d) of an array, and whether there are objects or texts in that of a process."""
    with agreeing(share.world):
        objects = objects_in(X)
    holds_objects = share.any(objects is not None)
    with agreeing(share.world):
        if objects is None and holds_objects:
            plain_rows = np.asarray(X)  # of numbers, of which nan is a missing value beside objects
            if plain_rows.ndim == 2 and plain_rows.dtype.kind in "bifu":
                return plain_rows, True
        return feature_rows(X, names, source, share) if objects is None else objects, holds_objects


def table_as(
    data: Any,
    columns: Sequence[Column],
    *,
    named: bool,
    targets: Any = None,
    target_names: Names = (),
    reading: Reading = AUTO,
) -> TableData:
    """Return the table of data for a model, whose columns are known.

    Parameters
    ----------
    data : array_like (n, d), data frame, or dict
        A frame's columns are found by name, an array's are taken in the order of training.
    columns : sequence of Column, d
        What the model learned from.
    named : bool
        Whether they had names in training. If not, a frame's columns are taken by their order too.
    targets : array_like (n,) or (n, t), optional
        Numbers or text.
    target_names : tuple of str
        The targets among the columns of a data frame.
    reading : Reading
        How the targets are read.

    Raises DataError and TypeError as `Table.of`; DataError also for columns that are missing, and for cells
    that do not fit their column.
    """
    data = read_list(as_columns(data))
    names, frame = tuple(column.name for column in columns), frame_of(data)
    if frame is None:
        objects = objects_in(data)
        rows = feature_rows(data, None, SOURCE) if objects is None else objects
        check_count(rows.shape[1], len(names), SOURCE)
        if objects is None and all(column.kind == "number" for column in columns):
            return _with_targets(TableData(rows, None, tuple(columns), (), SOURCE), targets, None, reading)
        frame = array_frame(rows, names)
    # The model's columns may have the numbers as names that pandas gives to columns without any.
    elif not (named and (frame.named or set(names) & set(frame.names))):
        frame = _by_order(frame, names, target_names, named=named)
    source = FrameSource(frame, SOURCE, (*names, *target_names))
    table = assemble_as(source, columns, target_names, reading)
    return table if target_names else _with_targets(table, targets, None, reading)


SOURCE = "X"
"""What a model calls the data that it is given, in messages."""


def _by_order(frame: Frame, names: Names, targets: Names, *, named: bool) -> Frame:
    """Return a frame whose columns beside the targets get these names, in their order."""
    if not named and set(names) & set(frame.names):
        return frame  # x1, x2, ... stand there
    if frame.named and any(name.isdecimal() for name in frame.names):
        raise DataError(
            f"{SOURCE} has columns of the numbers {listed(frame.names)}, but the model knows its features by "
            f"their order alone. Give their values in the order of training as an array: X.to_numpy()."
        )
    check_columns(targets, frame.names, SOURCE, "targets")
    rest = [name for name in frame.names if name not in targets]
    check_count(len(rest), len(names), SOURCE)
    new = iter(names)
    return replace(
        frame, names=tuple(name if name in targets else next(new) for name in frame.names), named=True
    )


def _with_targets(table: TableData, targets: Any, target_names: Names | None, reading: Reading) -> TableData:
    """Return a table with targets that stand beside X; `target_names` are their names by a user's wish."""
    world = table.world
    _check_alike(targets is None, "answer whether there are no targets", world, table.source)
    if targets is None:
        return replace(table, target_names=_names("target_names", target_names, (), table.source))
    with agreeing(world):
        given = _own_names(targets) if target_names is None else target_names
    _check_alike(given, "names of targets", world, table.source)
    values = target_values(targets, len(table), reading, given or ("y",), table.source, table.share)
    t = values.shape[1]
    names = _names("target_names", given, ("y",) if t == 1 else numbered("y", t), table.source)
    return replace(table, targets=values, target_names=names)


def array_frame(rows: np.ndarray[Any, Any], names: Names) -> Frame:
    """Return the columns of an array (N, d) under these names."""
    return Frame(names, True, lambda place: rows[:, place])


def _chosen(
    frame: Frame,
    choices: Choices,
    features: Sequence[str] | None,
    targets: Sequence[str],
    world: Processes,
) -> Choices:
    """Return the choices with these features, and with categories where a process's types say so."""
    known = {*choices.drop, *choices.named(), *targets}
    categories = {name for names in world.gathered(frame.categories()) for name in names}
    typed = [
        name
        for name in frame.names
        if name in categories and name not in known and (features is None or name in features)
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


def _target_columns(
    frame: Frame, targets: Any, target_names: Names | None, source: str, world: Processes
) -> Names | None:
    """Return the names of the frame's target columns; None without targets, or if `targets` holds values."""
    are_texts = isinstance(targets, list | tuple) and all(isinstance(name, str) for name in targets)
    are_names = bool(are_texts and set(targets) <= set(frame.names))
    as_many = are_names and len(targets) == len(frame.column(0))
    form = "text" if isinstance(targets, str) else "none" if targets is None else "names or values"
    _check_alike(form, "kind of targets", world, source)
    if isinstance(targets, str):
        return (targets,)
    if targets is None:
        return target_names
    share = Share(world)
    if not share.all(are_names):
        return None
    if share.all(as_many):
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

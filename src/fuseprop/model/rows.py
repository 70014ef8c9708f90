"""Rows for a model: a table with its columns, of whatever the rows are given in."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from ..data import is_file_name, load_table
from ..data.assembling import assemble_as
from ..data.encoder import Encoder
from ..data.errors import DataError
from ..data.files import open_source
from ..data.given import table_as
from ..data.table import Table
from ..data.table_data import TableData
from ..data.target_cells import AUTO
from ..data.tasks import Task

PATH = (str, PathLike)
"""What names a file. A list of texts is no array of rows, so that it can only name several."""


def table_for(
    data: Any,
    encoder: Encoder,
    task: Task,
    *,
    named: bool,
    targets: Any = None,
    target_names: tuple[str, ...] = (),
    any_size: bool = False,
) -> Table:
    """Return the table of rows for a model with this encoder and task.

    Parameters
    ----------
    data
        A `Table`; the path of a file, or of several as a list; the name of a built-in data set; a data frame,
        a dict of columns, a list of dicts that are rows, or one such dict; an array.
    named : bool
        Whether the model's columns had names in training: see `table_as`.
    targets : array_like, optional
        The targets of an array or a data frame.
    target_names : tuple of str
        The target columns; without any, and without `targets`, the table has none.
    any_size : bool
        As in `load_table`.

    Raises DataError and TypeError as `load_table` and `Table.of`; DataError also for columns that are
    missing, for cells that do not fit their column, and for targets beside data that have their own.
    """
    if isinstance(data, PATH) or _are_paths(data):
        if targets is not None:
            raise DataError("the targets of a file are among its columns, not beside it.")
        return _from_files(data, encoder, task, target_names, any_size)
    if isinstance(data, TableData):
        if targets is not None:
            raise DataError(f"{data.source} is a table: its targets belong into it, not beside it.")
        return data if isinstance(data, Table) else Table.holding(data)
    has_targets = targets is not None or target_names
    made = table_as(
        data,
        encoder.columns,
        named=named,
        targets=targets,
        target_names=target_names,
        reading=task.reading() if has_targets else AUTO,
    )
    return Table.holding(made)


def _are_paths(data: Any) -> bool:
    return isinstance(data, list | tuple) and bool(data) and all(isinstance(path, PATH) for path in data)


def _from_files(
    data: Any, encoder: Encoder, task: Task, target_names: tuple[str, ...], any_size: bool
) -> Table:
    first: Any = data if isinstance(data, PATH) else data[0]
    if not is_file_name(first):
        return load_table(data, target_names or None)
    reading = task.reading() if target_names else AUTO
    if Path(first).suffix.lower() == ".npz":
        # One array holds all targets, under a name of its own.
        target = None if len(target_names) > 1 else target_names
        return load_table(data, target, any_size=any_size, **reading.keywords())
    needed = [*(column.name for column in encoder.columns), *target_names]
    source = open_source(data, any_size=any_size, needed=needed)
    return Table.holding(assemble_as(source, encoder.columns, target_names, reading))

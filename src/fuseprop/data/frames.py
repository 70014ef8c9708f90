"""Data frames as sources: pandas, Polars and PyArrow tables, structured arrays and dicts of columns."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks.quoting import counted, literal
from ..world import ALONE, Processes, agreeing
from .cells import Cells, count_rows
from .errors import DataError, listed, repeated
from .kinds import of_one_kind
from .objects import object_cells
from .share import Share
from .texts import as_texts
from .typed import library_of, load_narwhals, typed_cells

FEW = 1000
"""Frames of at most so many rows are read as Python objects: to find out the type of a column of pandas takes
as long as a thousand of them."""

COLLECT = {
    "dask": "`.compute()`",
    "duckdb": "`.df()`, `.pl()` or `.arrow()`",
    "ibis": "`.to_pandas()`, `.to_polars()` or `.to_pyarrow()`",
    "pyspark": "`.toPandas()`",
}
"""How to get the values of tables that are no data in memory, by their library; of all others, .collect()."""

CATEGORICAL = ("category", "Categorical", "Enum", "dictionary<")
"""How the types of categories begin in the words of pandas, Polars and PyArrow."""

INDEX_NAMES = ("", "Unnamed: 0", "__index_level_0__")
"""What an index without a name is called as the first column of a frame: by Polars and PyArrow, which read it
from a file of pandas, by pandas itself, and in Parquet."""


@dataclass(frozen=True)
class Frame:
    """Columns by name.

    Attributes
    ----------
    names : tuple of str
        The columns' labels as text, in order.
    named : bool
        Whether the labels are names. pandas labels columns without names 0, 1, 2, ...; labels of any other
        type are names, such as years, dates and tuples, and so are numbers in another order or with gaps.
    column : callable
        Returns the column at a position: an array, a list or a series.
    types : callable
        Returns the types of the columns in the words of their library, none for an array or a dict.
    objects : callable, or None
        Returns all columns as sequences of Python objects, where there are few rows.
    """

    names: tuple[str, ...]
    named: bool
    column: Callable[[int], Any]
    types: Callable[[], Iterable[Any]] = tuple
    objects: Callable[[], Sequence[Sequence[Any]]] | None = None

    def categories(self) -> list[str]:
        """Return the columns whose types say that they are categories."""
        return [
            name
            for name, kind in zip(self.names, self.types(), strict=False)
            if str(kind).startswith(CATEGORICAL)
        ]


class FrameSource:
    """A frame as a `Source` of cells.

    Parameters
    ----------
    frame : Frame
    name : str
        Words for the frame in messages.
    wanted : sequence of str, optional
        The columns that may be asked for; by default all. Others may have names that are repeated.
    world : Processes
        Each gives the frame of its own rows, perhaps of none; the names of columns are the same in all.

    A pandas index is no column. Raises DataError for names that are repeated.
    """

    def __init__(
        self,
        frame: Frame,
        name: str = "the table",
        wanted: Sequence[str] | None = None,
        world: Processes = ALONE,
    ) -> None:
        twice = repeated(frame.names)
        if wanted is not None:
            twice = [label for label in twice if label in wanted]
        if twice:
            raise DataError(f"{name} has more than one column {listed(twice)}; names must differ.")
        self._place = {label: place for place, label in enumerate(frame.names)}
        self._frame = frame
        self.name = name
        self.names = tuple(self._place)
        self.world, self.rows, self.first = world, 0, 0
        self.typed = True
        self.index_like = self.names[:1] if self.names[:1] and self.names[0] in INDEX_NAMES else ()
        self.notes: tuple[str, ...] = ()

    def cells(self, names: Sequence[str], *, as_text: Sequence[str] = ()) -> dict[str, Cells]:
        """Return the cells of these columns, each of one kind in all processes (see `of_one_kind`)."""
        if names and self.world.size > 1:
            self.first = Share.of(self.world, self._count(names[0])).first
        with agreeing(self.world):
            found = self._own(names)
        if not self.world.total(self.rows):
            raise DataError(f"{self.name} is empty: at least one row is needed.")
        found = of_one_kind(found, self.world)
        texts = frozenset(as_text)
        return {label: as_texts(cells) if label in texts else cells for label, cells in found.items()}

    def _count(self, name: str) -> int:
        """Return how many rows a column has, or 0 where it has not the shape of a column."""
        column = self._frame.column(self._place[name])
        return len(column) if hasattr(column, "__len__") and getattr(column, "shape", None) != () else 0

    def _own(self, names: Sequence[str]) -> dict[str, Cells]:
        """Return the cells of columns as this process's rows tell of what kind they are."""
        objects = None if self._frame.objects is None else self._frame.objects()
        found: dict[str, Cells] = {}
        for label in names:
            place, where = self._place[label], f"{self.name}: column {literal(label)}"
            if objects is None:
                cells = typed_cells(self._frame.column(place), where, self.first)
            else:
                cells = object_cells(objects[place], where, self.first)
            found[label] = cells
            rows = count_rows(cells)
            if len(found) == 1:
                self.rows = rows
            elif rows != self.rows:
                raise DataError(
                    f"{where} has {counted(rows, 'row')}, but {literal(names[0])} has {self.rows:,}."
                )
        return found

    def place(self, row: int) -> str:
        """Return where a row, counted from 0 over all processes, stands: "the table: row 3"."""
        return f"{self.name}: row {row + 1}"


def is_library_frame(data: Any) -> bool:
    """Whether data is a frame of pandas, Polars or PyArrow, and no array, dict or anything else."""
    kind: Any = type(data)
    return library_of(kind) is not None and (hasattr(kind, "columns") or hasattr(kind, "column_names"))


def single_row(data: Any) -> dict[str, Any] | None:
    """Return the one row of a frame of pandas, Polars or PyArrow as Python objects; None for other data.

    None also for names that are repeated. Dates of pandas that have no nanoseconds become those of Python.
    """
    kind: Any = type(data)
    library = library_of(kind)
    if library is None or not hasattr(kind, "columns") or hasattr(kind, "collect") or len(data) != 1:
        return None
    if library == "polars":
        return dict(data.row(0, named=True))
    if library == "pyarrow":
        if _has_nanoseconds(data):
            return None
        labels, values = data.column_names, [column[0].as_py() for column in data.columns]
    elif library == "pandas":
        labels = [str(label) for label in data.columns]
        values = [_of_python(value) for value in data.to_numpy(object)[0].tolist()]
    else:
        return None
    row = dict(zip(labels, values, strict=True))
    return row if len(row) == len(labels) else None


def _of_python(value: Any) -> Any:
    is_stamp = type(value).__name__ == "Timestamp" and not value.nanosecond
    return value.to_pydatetime() if is_stamp else value


def frame_of(data: Any) -> Frame | None:
    """Return the named columns of a data frame, or None for any other data.

    Raises TypeError for tables that hold no values yet; DataError if narwhals, which knows the tables of
    other libraries, is not installed.
    """
    if isinstance(data, Frame):
        return data
    if isinstance(data, np.ndarray):
        names = data.dtype.names
        return None if names is None else _frame(names, lambda place: data[names[place]])
    if isinstance(data, Mapping):
        return _frame([*data], [*data.values()].__getitem__)
    kind: Any = type(data)
    if isinstance(data, type) or not (hasattr(kind, "columns") or hasattr(kind, "column_names")):
        return None
    narwhals, library = load_narwhals(), library_of(kind)
    if library in ("narwhals", None):
        known = narwhals.from_native(data, pass_through=True)
        if isinstance(known, narwhals.LazyFrame):
            raise _without_values(narwhals.to_native(known))
        return None if known is data else frame_of(narwhals.to_native(known))
    if hasattr(kind, "collect"):
        raise _without_values(data)
    few = 0 < len(data) <= FEW
    if library == "pyarrow":
        if kind.__name__ == "RecordBatch":
            data = sys.modules["pyarrow"].Table.from_batches([data])
        few = few and not _has_nanoseconds(data)
        return _frame(
            data.column_names,
            data.column,
            lambda: data.schema.types,
            (lambda: [column.to_pylist() for column in data.columns]) if few else None,
        )
    if library == "polars":
        return _frame(
            data.columns,
            data.to_series,
            lambda: data.dtypes,
            (lambda: [*zip(*data.rows(), strict=True)]) if few else None,
        )
    return _frame(
        [*data.columns],
        lambda place: data.iloc[:, place],
        lambda: data.dtypes,
        (lambda: data.to_numpy(object).T.tolist()) if few and library == "pandas" else None,
    )


def _has_nanoseconds(table: Any) -> bool:
    """Whether PyArrow would make objects of pandas of a column, or an error where that is not installed."""
    return any("[ns" in str(kind) for kind in table.schema.types)


def _without_values(data: Any) -> TypeError:
    library = type(data).__module__.partition(".")[0].lstrip("_")
    return TypeError(
        f"expected a table that holds its values, got a {type(data).__name__} of {library}: "
        f"{COLLECT.get(library, '`.collect()`')} it."
    )


def name_of(data: Any) -> str | None:
    """Return the name of a single column, such as a pandas Series; None if it has none."""
    name = getattr(data, "name", None)
    return name if isinstance(name, str) and name and hasattr(data, "__len__") else None


def _frame(labels: Sequence[Any], column: Callable[[int], Any], *more: Any) -> Frame:
    """Return the frame of columns with these labels; `more` are its types and objects."""
    named = not all(type(label) is int for label in labels) or list(labels) != list(range(len(labels)))
    return Frame(tuple(str(label) for label in labels), named, column, *more)

"""Parquet files as a `Source`, read by DuckDB; their types say what numbers, dates and texts are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...checks.quoting import literal, shown
from ...storage.reading import REASON
from ..cells import Booleans, Cells, Dates, Numbers
from ..errors import DataError
from ..objects import refusal
from ..texts import as_texts
from . import arrow_schema
from .arrow import blocks
from .cellwise import NumberColumn, TextColumn
from .duck import Refused, connected, literal_of
from .header import made_names
from .opening import Named, bytes_allowed, refusing, too_large
from .shares import WHOLE, Shares

KIND = "a Parquet file"
HINT = 'A data frame library writes one: table.to_parquet("t.parquet").'
MAGIC = b"PAR1"

PANDAS_INDEX = "__index_level_0__"
"""The column that pandas makes of an index without a name."""

EXACT = "BETWEEN -9007199254740991 AND 9007199254740991"

NUMBERS = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"), "NULL"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "CASE WHEN isinf({c}) THEN {c}::VARCHAR END"),
    **dict.fromkeys(
        ("BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT", "BIGNUM", "DECIMAL"),
        f"CASE WHEN {{c}} NOT {EXACT} THEN {{c}}::VARCHAR END",
    ),
}
"""Types of numbers, each with the text of a cell that float64 may not hold."""

FLOATS = ("FLOAT", "DOUBLE", "DECIMAL")
"""Types of numbers that may have decimals."""

DATES = {
    "DATE": "{c}",
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "{c}::TIMESTAMP"),
    "TIMESTAMP WITH TIME ZONE": "{c}",
    "TIMESTAMPTZ_NS": "{c}::TIMESTAMP WITH TIME ZONE",
}
TEXTS = ("VARCHAR", "UUID", "ENUM", '"NULL"')
"""Types of texts, and that of a column without any value."""

ROW_NUMBER = "file_row_number"
"""The column that DuckDB makes of the rows' numbers, counted from 0."""

FAR = 4
"""A share ends at the end of a row group that is up to an even share, divided by this, away."""

SPAN = "INTERVAL"
REFUSED = {
    SPAN: "spans of time",
    **dict.fromkeys(("TIME", "TIME_NS", "TIME WITH TIME ZONE"), "times of day"),
    "BLOB": "bytes",
    "STRUCT": "records",
}
"""Types that no cell can hold, in the words of `objects.ADVICE`."""


class Parquet:
    """A Parquet file; see `Source`.

    Numbers, booleans, dates and times are what their type says, in UTC where they have a time zone; the rest
    are texts. Of several processes each reads its own row groups, and the schema of all. A group in which one
    share ends and the next begins is read by both, and each keeps its rows: a share ends between two groups
    wherever that takes it no more than a quarter from an even one. Raises DataError for another file, and for
    one that has far more cells than bytes if it may not have `any_size`.
    """

    def __init__(self, named: Named, shares: Shares = WHOLE, *, any_size: bool = False) -> None:
        self._named = named
        self.world = shares.world
        self.name, self.typed = named.place, True
        with refusing(named, KIND, HINT, self.world), named.open() as file:
            described, groups = self._described(_path(named, file))
            allowed = bytes_allowed(file)
        rows = sum(groups)
        if self.world.size > 1:
            self._check_alike(described, groups)
        if not any_size and 8 * rows * len(described) > allowed:
            raise too_large(self.name)
        if not rows:
            raise DataError(f"{self.name} holds no rows.")
        ends = _row_ends(groups, shares)
        self.first = ends[self.world.rank]
        self.rows = ends[self.world.rank + 1] - self.first
        made = made_names(["" if name == PANDAS_INDEX else name for name, _ in described])
        self.names, self.notes = made.names, made.notes
        self.index_like = tuple(
            made_name
            for made_name, (name, _) in zip(made.names, described, strict=True)
            if name == PANDAS_INDEX
        )
        self._types = {
            name: (i, type_) for i, (name, (_, type_)) in enumerate(zip(self.names, described, strict=True))
        }

    def _check_alike(self, described: list[tuple[str, str]], groups: list[int]) -> None:
        """Raise DataError where processes see different files, or a column with the name of row numbers."""
        all_found = self.world.gathered((described, groups))
        for rank, found in enumerate(all_found):
            if found != all_found[0]:
                raise DataError(
                    f"{self.name} is another file in process {rank} than in process 0; expected the same in "
                    f"all. Copy it to each machine, or to a folder that all see."
                )
        if any(name.lower() == ROW_NUMBER for name, _ in described):
            raise DataError(
                f"{self.name} has a column {ROW_NUMBER}, the name by which DuckDB tells the rows of several "
                f"processes apart. Rename it."
            )

    def _described(self, path: str) -> tuple[list[tuple[str, str]], list[int]]:
        """Return the name and the type of each column, and the number of rows of each row group."""
        source = f"read_parquet({literal_of(path)})"
        try:
            with connected(path) as connection:
                columns = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
                schema = connection.execute(
                    f"SELECT name, num_children FROM parquet_schema({literal_of(path)})"
                ).fetchall()
                rows = connection.execute(f"SELECT count(*) FROM {source}").fetchall()[0][0]
                groups = [int(rows)]
                if self.world.size > 1:
                    found = connection.execute(
                        f"SELECT DISTINCT row_group_id, row_group_num_rows "
                        f"FROM parquet_metadata({literal_of(path)}) ORDER BY row_group_id"
                    ).fetchall()
                    groups = [int(group) for _, group in found]
                schemas = connection.execute(
                    f"SELECT value FROM parquet_kv_metadata({literal_of(path)}) "
                    f"WHERE key = {literal_of(arrow_schema.KEY)}::BLOB"
                ).fetchall()
        except Refused as refused:
            raise self._unreadable(refused) from refused
        names = _own_names(schema)
        if len(names) != len(columns):
            raise DataError(
                f"{self.name} is not {KIND} that can be read (its schema is inconsistent). {HINT}"
            )
        spans = {i for (kept,) in schemas for i in arrow_schema.spans_in(kept)}
        types = [SPAN if i in spans else str(column[1]) for i, column in enumerate(columns)]
        return list(zip(names, types, strict=True)), groups

    def cells(self, names: Sequence[str], *, as_text: Sequence[str] = ()) -> dict[str, Cells]:
        """Return the cells of these columns; see `Source.cells`."""
        made: dict[str, NumberColumn | TextColumn] = {}
        selected = []
        texts = set(as_text)
        for name in names:
            i, type_ = self._types[name]
            kind = type_.split("(")[0]
            where = f"{self.name}: column {literal(name)}"
            if type_.endswith("]"):
                raise refusal(where, "lists")
            if kind in REFUSED:
                raise refusal(where, REFUSED[kind])
            if not (kind in NUMBERS or kind in DATES or kind in TEXTS or kind == "BOOLEAN"):
                raise DataError(
                    f"{where} holds values of the type {shown(type_)}; expected numbers, texts, dates or "
                    f"booleans. Leave it out, or save it as one of these."
                )
            is_text = kind in TEXTS or (name in texts and kind not in DATES)
            made[name] = TextColumn(nulls=True) if is_text else NumberColumn()
            selected += _text(f"c{i}", kind) if isinstance(made[name], TextColumn) else _number(f"c{i}", kind)
        if not made:
            return {}
        with refusing(self._named, KIND, HINT, self.world), self._named.open() as file:
            path = _path(self._named, file)
            columns = ", ".join(f"c{i}" for i in range(len(self.names)))
            try:
                with connected(path) as connection:
                    query = f"SELECT {', '.join(selected)} FROM {self._own_rows(path, columns)}"
                    for block in blocks(connection.sql(query)) if self.rows else ():
                        for column in reversed(list(made.values())):
                            column.add(block)
            except Refused as refused:
                self._named.check_unchanged(file)  # which would be why it cannot be read
                raise self._unreadable(refused) from refused
            self._named.check_unchanged(file)
            cells = {name: self._typed(name, column) for name, column in made.items()}
        return {name: as_texts(column) if name in texts else column for name, column in cells.items()}

    def _own_rows(self, path: str, columns: str) -> str:
        """Return the SQL of the share's rows; DuckDB reads no row group that has none of them."""
        if self.world.size == 1:
            return f"read_parquet({literal_of(path)}) AS t({columns})"
        return (
            f"read_parquet({literal_of(path)}, {ROW_NUMBER}=true) AS t({columns}) "
            f"WHERE {ROW_NUMBER} BETWEEN {self.first} AND {self.first + self.rows - 1}"
        )

    def _typed(self, name: str, column: NumberColumn | TextColumn) -> Cells:
        """Return a column's cells as what its type says that they are."""
        cells = column.cells()
        kind = self._types[name][1].split("(")[0]
        if not isinstance(cells, Numbers) or kind in NUMBERS:
            return cells
        if cells.count:
            row, text = next(iter(cells.others.items()))
            place = f"{self.place(self.first + row)}, column {literal(name)}"
            raise DataError(f"{place}: expected a date, got {literal(text)}.")
        return Booleans(cells.values) if kind == "BOOLEAN" else Dates(cells.values)

    def _unreadable(self, refused: Refused) -> DataError:
        reason = str(refused).split("\n")[0]
        return DataError(f"{self.name} is not {KIND} that can be read ({shown(reason, REASON)}). {HINT}")

    def place(self, row: int) -> str:
        """Return where a row stands; see `Source.place`."""
        return f"{self.name}: row {row + 1}"


def _row_ends(groups: Sequence[int], shares: Shares) -> list[int]:
    """Return the rows at which the share of each process begins, and the end.

    They are the nearest ends of row groups, or rows within one where that is too far from an even share.
    """
    ends = np.cumsum([0, *groups])
    found = []
    for place in shares.of(int(ends[-1])):
        nearest = int(ends[np.abs(ends - place).argmin()])
        is_near = abs(nearest - place) * FAR <= shares.even * int(ends[-1])
        found.append(nearest if is_near else place)
    return found


def _own_names(schema: Sequence[tuple[str, int | None]]) -> list[str]:
    """Return the columns' names as the file has them.

    DuckDB renames those that differ from others only in case. The schema is a tree in depth-first order,
    below one root: each entry's name, and the number of entries in it.
    """
    names, within = [], 0
    for name, children in schema[1:]:
        if not within:
            names.append(name)
        within = max(0, within - 1) + (children or 0)
    return names


def _path(named: Named, file: BinaryIO) -> str:
    """Return a path of an open file that is never taken for a pattern, or for more than one file."""
    return f"/dev/fd/{file.fileno()}" if Path("/dev/fd").exists() else str(named.path.resolve())


def _number(c: str, kind: str) -> list[str]:
    """Return the SQL of a cell as a number, and of its text where the number says nothing."""
    if kind == "BOOLEAN":
        return [f"{c}::INTEGER::DOUBLE", "NULL::VARCHAR"]
    if kind in DATES:
        date = DATES[kind].format(c=c)
        return [
            f"CASE WHEN isfinite({date}) THEN epoch({date}) / 86400 END::DOUBLE",
            f"CASE WHEN NOT isfinite({date}) THEN {c}::VARCHAR END",
        ]
    return [f"{c}::DOUBLE", f"({NUMBERS[kind].format(c=c)})::VARCHAR"]


def _text(c: str, kind: str) -> list[str]:
    """Return the SQL of a cell as text, spelled as by `texts.as_texts`: 1 for 1.0, True and False."""
    if kind == "BOOLEAN":
        return [f"CASE WHEN {c} THEN 'True' WHEN NOT {c} THEN 'False' END"]
    if kind in FLOATS:
        number = f"{c}::DOUBLE"
        is_whole = f"{number} {EXACT} AND {number} = trunc({number})"
        # A decimal number that float64 may not hold is told apart by all its digits.
        other = f"{c}" if kind == "DECIMAL" else number
        return [
            f"CASE WHEN {is_whole} THEN {number}::BIGINT::VARCHAR "
            f"WHEN {number} {EXACT} THEN {number}::VARCHAR ELSE {other}::VARCHAR END"
        ]
    return [f"{c}::VARCHAR"]

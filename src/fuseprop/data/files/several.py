"""Several files with the same columns as one `Source`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from ...world import Processes
from ..cells import MISSING, MOST_OTHERS, Booleans, Cells, Dates, Numbers, Source, Texts
from ..dates import ISO, formats_of
from ..different import Different
from ..errors import DataError, check_columns, listed


class Several:
    """Files that are read one behind the other; see `Source`.

    Raises DataError, with the names, for a file that has other columns than the first; where it is known
    which are `needed`, only for one that lacks any of these.
    """

    def __init__(self, sources: Sequence[Source], needed: Sequence[str] | None = None) -> None:
        first = sources[0]
        self.world = first.world
        self._sources = sources
        self.name = f"{first.name} and {len(sources) - 1} more"
        self.names = first.names
        if needed is not None:
            for source in sources:
                check_columns(needed, source.names, source.name, "columns")
            shared = set(first.names).intersection(*(source.names for source in sources[1:]))
            self.names = tuple(name for name in first.names if name in shared)
        self.index_like = first.index_like
        self.typed = all(source.typed for source in sources)
        self.notes = tuple(dict.fromkeys(note for source in sources for note in source.notes))
        self._count()
        for source in sources[1:] if needed is None else ():
            missing = [name for name in first.names if name not in set(source.names)]
            added = [name for name in source.names if name not in set(first.names)]
            if missing or added:
                lacks = f" lacks the columns {listed(missing)}" if missing else ""
                has = f" has the columns {listed(added)} beside" if added else ""
                raise DataError(
                    f"{source.name}{lacks}{' and' if lacks and has else ''}{has}; expected those of "
                    f"{first.name}: {listed(first.names)}."
                )

    def cells(self, names: Sequence[str], *, as_text: Sequence[str] = ()) -> dict[str, Cells]:
        """Return the cells of these columns; see `Source.cells`."""
        parts = [dict(source.cells(names, as_text=as_text)) for source in self._sources]
        texts = frozenset(as_text)
        for name in names:
            if name not in texts and any(isinstance(part[name], Dates) for part in parts):
                _read_dates(parts, name, self.world)
        # What is no number in one file is text in all.
        mixed = [name for name in names if len({type(part[name]) for part in parts}) > 1]
        for source, part in zip(self._sources, parts, strict=True):
            again = [name for name in mixed if not isinstance(part[name], Texts)]
            if again:
                part.update(source.cells(again, as_text=again))
        self._count()
        starts = _starts([source.rows for source in self._sources])
        return {name: _joined([part.pop(name) for part in parts], starts) for name in names}

    def _count(self) -> None:
        """Count the rows of this process's share, and those before it, and the rows of each file in all."""
        own = [source.rows for source in self._sources]
        counts = self.world.gathered(own)
        self.rows = sum(own)
        self.first = sum(sum(rows) for rows in counts[: self.world.rank])
        self._rows_of_files = [sum(rows) for rows in zip(*counts, strict=True)]

    def place(self, row: int) -> str:
        """Return where a row stands; see `Source.place`."""
        starts = _starts(self._rows_of_files)
        file = bisect_right(starts, row) - 1
        return self._sources[file].place(row - starts[file])


def _starts(rows: Sequence[int]) -> list[int]:
    """Return the first row of each file."""
    return [0, *accumulate(rows)][:-1]


def _read_dates(parts: Sequence[dict[str, Cells]], name: str, world: Processes) -> None:
    """Make dates of a column's texts where they are dates of ISO 8601, as other files have dates there."""
    for part in parts:
        cells = part[name]
        if isinstance(cells, Texts):
            different = Different(cells)
            fitting = formats_of(different.texts, ISO)
            found = world.gathered([*fitting] if len(different) else None)
            shared = [set(formats) for formats in found if formats is not None]
            form = next((one for one in ISO if shared and all(one in formats for formats in shared)), "")
            if form or not shared:
                part[name] = Dates(different.spread(fitting.get(form, np.empty(0))))
        elif isinstance(cells, Numbers):
            numbers = np.count_nonzero(~np.isnan(cells.values)) + cells.count
            if not world.total(numbers):
                part[name] = Dates(cells.values)


def _joined(parts: Sequence[Cells], starts: Sequence[int]) -> Cells:
    """Return the cells of one column, all of one kind."""
    first = parts[0]
    if isinstance(first, Texts):
        codes: dict[str, int] = {}
        moved = []
        for part in parts:
            assert isinstance(part, Texts)
            new = [codes.setdefault(text, len(codes)) for text in part.texts]
            moved.append(np.array([*new, MISSING], np.int32)[part.codes])
        return Texts(list(codes), np.concatenate(moved))
    if isinstance(first, Dates):
        return Dates(np.concatenate([part.days for part in parts if isinstance(part, Dates)]))
    if isinstance(first, Booleans):
        return Booleans(np.concatenate([part.values for part in parts if isinstance(part, Booleans)]))
    numbers = [part for part in parts if isinstance(part, Numbers)]
    others = {
        start + row: text
        for start, part in zip(starts, numbers, strict=True)
        for row, text in part.others.items()
    }
    return Numbers(
        np.concatenate([part.values for part in numbers]),
        dict(list(others.items())[:MOST_OTHERS]),
        sum(part.count for part in numbers),
    )

"""Headers: whether the first row is one, and names that differ from each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..errors import DataError, listed
from ..spelling import is_missing, number


@dataclass(frozen=True)
class Names:
    """The columns' names, different from each other; those that are no data; what is told of the names."""

    names: tuple[str, ...]
    index_like: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def holds_data(rows: Sequence[Sequence[str]], place: str) -> bool:
    """Return whether the first row is one of data, so that the file has no header.

    It is if it has numbers that are no names (with a point, or the same twice), or if most of its texts stand
    in the rows below too, each in its column. Raises DataError where whole numbers may be either.
    """
    first, body = rows[0], rows[1:]
    numeric = [cell for cell in first if number(cell) is not None]
    texts = [i for i, cell in enumerate(first) if cell and not is_missing(cell) and number(cell) is None]
    again = [i for i in texts if any(len(row) > i and row[i] == first[i] for row in body)]
    if body and any(list(row) == list(first) for row in body) and not numeric:
        raise DataError(f"{place}: the header stands in the rows below again. Leave it out there.")
    if texts and len(again) * 2 > len(texts):
        return True
    if not numeric:
        return False
    if any(not cell.isdigit() for cell in numeric) or len(set(numeric)) < len(numeric):
        return True
    values = [int(cell) for cell in numeric]
    steps = {after - before for before, after in pairwise(values)}
    if texts and ((len(values) > 1 and steps == {1}) or all(1500 <= value < 2200 for value in values)):
        return False
    what = "holds only numbers" if len(numeric) == len(first) else "holds numbers"
    raise DataError(
        f"{place}: the first line {what} ({listed(list(first), 4)}), which may be names or data; expected a "
        f"header row with the name of each column. Add one."
    )


def _are_row_names(cells: Sequence[str]) -> bool:
    """Whether cells under no name are the rows' names, as R writes them: different texts, or 1, 2, ..."""
    if len(set(cells)) < len(cells):
        return False
    first = 0 if cells[0] == "0" else 1
    return all(number(cell) is None for cell in cells) or list(cells) == [
        str(i) for i in range(first, first + len(cells))
    ]


def made_names(header: Sequence[str] | None, rows: Sequence[Sequence[str]] = ()) -> Names:
    """Return the names of the columns: those of the header, made different as pandas makes them.

    A column without a name is called "Unnamed: 3" after its position, counted from 0; the second "a" is
    called "a.1". Without a header, the columns are x1, x2, ...
    """
    widths = Counter(len(row) for row in rows)
    width = widths.most_common(1)[0][0] if rows else 0
    if header is None:
        return Names(tuple(f"x{i + 1}" for i in range(width)))
    given = [" ".join(name.split()) for name in header]
    notes = []
    if width == len(given) + 1 and len(widths) == 1:
        if all(not row[-1] for row in rows):
            given.append("")
        elif _are_row_names([row[0] for row in rows]):
            given.insert(0, "")
            notes.append("Its header has no name for the first column, which is taken for the rows' names.")
    names, taken = [], set(given)
    made: dict[str, int] = {}
    for i, name in enumerate(given):
        base = name or f"Unnamed: {i}"
        new = base
        while new in made or (new != name and new in taken):
            made[base] = made.get(base, 0) + 1
            new = f"{base}.{made[base]}"
        made.setdefault(new, 0)
        names.append(new)
    unnamed = [new for new, name in zip(names, given, strict=True) if not name]
    renamed = [new for new, name in zip(names, given, strict=True) if name and new != name]
    if unnamed and unnamed != names[:1]:
        others = [name for name in unnamed if name != names[0] or given[0]]
        notes.append(f"Columns without a name are called {listed(others)}.")
    if renamed:
        notes.append(f"Names that stand more than once in the header were made different: {listed(renamed)}.")
    if given != list(header) and len(given) == len(header):
        notes.append("Line ends and repeated blanks in names were made one blank.")
    is_index = len(names) > 1 and (not given[0] or given[0].startswith("Unnamed: 0"))
    return Names(tuple(names), (names[0],) if is_index else (), tuple(notes))

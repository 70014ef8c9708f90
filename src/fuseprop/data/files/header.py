"""Headers: whether the first row is one, and names that differ from each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isfinite, isnan

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
    in the rows below too, each in its column. Numbers are names beside the empty name of an index, or among
    as many texts that stand above numbers alone; inf and nan are names among others. Raises DataError where
    whole numbers may be either, and for a row of empty cells.
    """
    first, body = rows[0], rows[1:]
    if not any(first):
        raise DataError(
            f"{place}: the first line holds only empty cells; expected a header row with the name of each "
            f"column. Leave the line out if the header follows it, or write the names there."
        )
    numeric = _numbers(rows)
    texts = [i for i, cell in enumerate(first) if _is_name(cell)]
    again = [i for i in texts if any(len(row) > i and row[i] == first[i] for row in body)]
    if body and any(list(row) == list(first) for row in body) and not numeric:
        raise DataError(
            f"{place}: the header stands in the rows below again. Leave it out there; or, if the first "
            f"line is one of data, add a header row with the name of each column."
        )
    if texts and len(again) * 2 > len(texts):
        return True
    if not numeric or _names_an_index(rows):
        return False
    if note_on_numbers(rows):
        return False
    if any(not cell.isdigit() for cell in numeric) or len(set(numeric)) < len(numeric):
        return True
    if texts and _is_series(numeric):
        return False
    what = "holds only numbers" if len(numeric) == len(first) else "holds numbers"
    raise DataError(
        f"{place}: the first line {what} ({listed(list(first), 4)}), which may be names or data; expected a "
        f"header row with the name of each column. Add one."
    )


def note_on_numbers(rows: Sequence[Sequence[str]]) -> str:
    """Return what is told of numbers in a first row whose texts, as many or more, stand above numbers alone.

    "" for another first row, and for numbers that are beyond doubt names: years, or 1, 2, ...
    """
    first, body = rows[0], rows[1:]
    numeric = _numbers(rows)
    if not numeric or len(set(numeric)) < len(numeric) or _is_series(numeric):
        return ""
    above_numbers = 0
    for i, cell in enumerate(first):
        if _is_name(cell):
            below = [row[i] for row in body if len(row) > i and not is_missing(row[i])]
            above_numbers += bool(below) and all(number(text) is not None for text in below)
    if above_numbers < len(numeric):
        return ""
    return (
        f"Its first line is taken for the header, as texts in it stand above numbers: {listed(numeric, 4)} "
        f"{'is a name' if len(numeric) == 1 else 'are names'}."
    )


def _numbers(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the cells of the first row that are numbers, and not names in letters."""
    return [cell for i, cell in enumerate(rows[0]) if number(cell) is not None and not _is_word(rows, i)]


def _is_word(rows: Sequence[Sequence[str]], i: int) -> bool:
    """Whether a cell of the first row is a number in letters, and a name: inf, or nan beside other names."""
    first = rows[0]
    value = number(first[i])
    if value is None or isfinite(value) or any(len(row) > i and row[i] == first[i] for row in rows[1:]):
        return False
    return not isnan(value) or any(_is_name(cell) or number(cell) in (inf, -inf) for cell in first)


def _is_name(cell: str) -> bool:
    return not is_missing(cell) and number(cell) is None


def _is_series(numeric: Sequence[str]) -> bool:
    """Whether numbers in a header are years, or follow each other."""
    if not all(cell.isdigit() for cell in numeric):
        return False
    values = [int(cell) for cell in numeric]
    steps = {after - before for before, after in pairwise(values)}
    return (len(values) > 1 and steps == {1}) or all(1500 <= value < 2200 for value in values)


def _names_an_index(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a first row has an empty name above 0, 1, ..., or above rows' names and 0, 1, ... beside it.

    Data frames are written so.
    """
    first, body = rows[0], rows[1:]
    if first[0] or not body or len(first) < 2 or len(set(first)) < len(first):
        return False
    below = [row[0] for row in body]
    counts = list(first[1:]) == [str(i) for i in range(len(first) - 1)]
    return _are_row_names(below) and (counts or number(below[0]) is not None)


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

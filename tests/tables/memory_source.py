"""A source of cells in memory, for tests: columns of texts, as a file has them, or typed ones."""

from itertools import islice

import numpy as np

from fuseprop.data.cells import MOST_OTHERS, Numbers, Texts
from fuseprop.data.spelling import is_code, is_missing, number
from fuseprop.world import ALONE


def texts(cells):
    """Return cells as `Texts`; None stands for a null."""
    cells = [None if cell is None else cell.strip() for cell in cells]
    different = list(dict.fromkeys(cell for cell in cells if cell is not None))
    place = {text: i for i, text in enumerate(different)} | {None: -1}
    return Texts(different, np.array([place[cell] for cell in cells], dtype=np.int64))


def numbers(cells):
    """Return cells as `Numbers`, as a file gives them."""
    values = np.full(len(cells), np.nan)
    others = {}
    for i, cell in enumerate(cells):
        if cell is None or is_missing(cell):
            continue
        value = number(cell)
        if value is None or not np.isfinite(value) or is_code(cell.strip()):
            others[i] = cell.strip()
        else:
            values[i] = value
    return Numbers(values, dict(islice(others.items(), MOST_OTHERS)), len(others))


class MemorySource:
    """Columns by name: lists of texts or None, or typed cells as they are.

    Unless it is typed, a column of texts is given as `Numbers` if over half of its cells are plain numbers.
    `asked` notes the calls of `cells`.
    """

    def __init__(self, columns, *, typed=False, index_like=(), notes=()):
        self.columns = columns
        self.name = "t.csv"
        self.names = tuple(columns)
        first = next(iter(columns.values()))
        self.rows = len(first if isinstance(first, list) else next(iter(vars(first).values())))
        self.world, self.first = ALONE, 0
        self.typed = typed
        self.index_like = index_like
        self.notes = notes
        self.asked = []

    def cells(self, names, *, as_text=()):
        self.asked.append((tuple(names), tuple(as_text)))
        return {name: self._cells(self.columns[name], name in as_text) for name in names}

    def _cells(self, column, as_text):
        if not isinstance(column, list):
            return column
        plain = None if as_text or self.typed else numbers(column)
        if plain is not None and np.isfinite(plain.values).sum() > plain.count:
            return plain
        return texts(column)

    def place(self, row):
        return f"t.csv: row {row + 1} (line {row + 2})"

"""Cells of a source that several processes share: with the same texts in all of them, and rows of all."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from itertools import chain, islice

import numpy as np

from .cells import MISSING, MOST_OTHERS, Cells, Numbers, Source, Texts
from .share import Share, share_of


class United:
    """A source whose cells are this process's, told by what all processes have.

    The `texts` of a column are those of all rows, in the order of their first ones; `others` beside plain
    numbers are the first of all rows, by the rows' numbers over all processes, and `count` counts them all.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.world, self.name, self.names = source.world, source.name, source.names
        self.typed, self.index_like, self.notes = source.typed, source.index_like, source.notes
        self.rows, self.first = source.rows, source.first

    def cells(self, names: Sequence[str], *, as_text: Sequence[str] = ()) -> MutableMapping[str, Cells]:
        """Return the cells of these columns: see `Source`."""
        found = self._source.cells(names, as_text=as_text)
        self.rows, self.first = self._source.rows, self._source.first
        share = share_of(self._source)
        for name in names:
            found[name] = united(found[name], share)
        return found

    def place(self, row: int) -> str:
        """Return where a row stands: see `Source`."""
        return self._source.place(row)


def of_all(source: Source) -> Source:
    """Return a source whose cells are told by what all processes have; itself where one has all rows."""
    return source if source.world.size == 1 else United(source)


def united(cells: Cells, share: Share) -> Cells:
    """Return cells of one kind in all processes with the texts of all."""
    if share.world.size == 1:
        return cells
    match cells:
        case Texts(texts=texts, codes=codes):
            # Shares are in the order of rows, and so are the texts of each.
            place = {text: i for i, text in enumerate(dict.fromkeys(chain(*share.world.gathered([*texts]))))}
            kind = np.int32 if len(place) <= np.iinfo(np.int32).max else np.int64
            return Texts(tuple(place), np.array([*map(place.get, texts), MISSING], kind)[codes])
        case Numbers(values=values, others=others, count=count):
            count = share.total(count)
            if count:
                own = {share.first + row: text for row, text in others.items()}
                of_each = share.world.gathered(own)
                others = dict(islice(chain(*map(dict.items, of_each)), MOST_OTHERS))
            return Numbers(values, others, count)
    return cells

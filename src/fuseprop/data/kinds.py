"""Kinds of cells that processes agree on: each knows only its own rows of a column of a data frame."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..world import Processes
from .cells import Booleans, Cells, Dates, Numbers, Texts, count_rows
from .objects import no_cells
from .texts import as_texts

KINDS = {kind.__name__: kind for kind in (Numbers, Booleans, Dates)}


def of_one_kind(columns: Mapping[str, Cells], world: Processes) -> dict[str, Cells]:
    """Return the cells (N,) of columns, of a typed source, each of the same kind in all processes.

    It is the kind of the values that there are: a column without values in one process is what it is in the
    others. Where the kinds of values differ, all become texts, as a column of mixed objects does in one
    process: then 1.0 is "1", True is "True", and a date is written as in ISO 8601. Only what the type of a
    column had given up before stays lost: a Decimal of 1.10 is "1.1", and a number is that of a float64.

    Collective; all processes have columns of the same names.
    """
    if world.size == 1:
        return dict(columns)
    own = {name: (type(cells).__name__, _has_values(cells)) for name, cells in columns.items()}
    of_all = world.gathered(own)
    found = {}
    for name, cells in columns.items():
        kinds = {kind for kind, has_values in (one[name] for one in of_all) if has_values}
        kinds = kinds or {kind for kind, _ in (one[name] for one in of_all)}
        found[name] = _as_kind(cells, KINDS.get(kinds.pop()) if len(kinds) == 1 else None)
    return found


def _has_values(cells: Cells) -> bool:
    match cells:
        case Texts(codes=codes):
            return bool((codes >= 0).any())
        case Dates(days=days):
            return not np.isnan(days).all()
    return not np.isnan(cells.values).all()


def _as_kind(cells: Cells, kind: type[Numbers | Booleans | Dates] | None) -> Cells:
    """Return cells of a kind, where they have values of another one or none; None stands for texts."""
    if kind is None:
        return as_texts(cells) if _has_values(cells) else no_cells(count_rows(cells))
    if isinstance(cells, kind):
        return cells
    return kind(np.full(count_rows(cells), np.nan))

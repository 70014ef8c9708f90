"""Codes of a table's levels as those of a model's columns: the same text, whatever its code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..checks.quoting import literal
from .blocks import Float
from .column import QUANTITIES, Column
from .errors import DataError
from .table import Table


def new_codes(columns: Sequence[Column], table: Table) -> dict[int, Float]:
    """Return, for the columns whose levels are others in a table, what a code of the table is here.

    nan stands for a boolean's unknown text. Raises DataError for a column of another kind.
    """
    recoded: dict[int, Float] = {}
    if table.columns is columns:
        return recoded
    for j, (mine, theirs) in enumerate(zip(columns, table.columns, strict=True)):
        if mine is theirs or mine == theirs:
            continue
        if (mine.kind in QUANTITIES or theirs.kind in QUANTITIES) and mine.kind != theirs.kind:
            raise DataError(
                f"{table.source}: {literal(theirs.name)} is a {theirs.kind} column here, but was a "
                f"{mine.kind} column in training. Give the model the file or the data frame itself: it "
                f"knows how its columns are read."
            )
        if mine.kind in QUANTITIES or theirs.levels[: len(mine.levels)] == mine.levels:
            continue
        code_of = {text: float(code) for code, text in enumerate(mine.levels)}
        new = np.nan if mine.kind == "boolean" else len(mine.levels)
        recoded[j] = np.array([code_of.get(text, new) for text in theirs.levels])
    return recoded


def with_codes(block: Float, recoded: Mapping[int, Float]) -> Float:
    """Return a copy of cells in which some columns have other codes."""
    cells = block.copy()
    for j, codes in recoded.items():
        known = ~np.isnan(block[:, j])
        cells[known, j] = codes[block[known, j].astype(np.intp)]
    return cells

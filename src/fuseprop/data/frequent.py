"""Which texts of a category are frequent, and have a feature of their own; the others are rare."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..world import ALONE, Processes
from .blocks import Float
from .column import Column

FEWEST = 2
"""A category of fewer rows learned from is rare: it has no feature of its own."""

MOST = 50
"""So many categories of a column have a feature of their own, the most frequent ones; the others are rare."""

MOST_RARE = 1000
"""So many rare categories are remembered, so that others can be told to be new. Where a column has more, new
ones are the rule, and nothing is said of them."""


def by_frequency(column: Column, codes: Float, world: Processes = ALONE) -> tuple[Column, int]:
    """Return a category with the levels that are there, frequent ones first, and how many are frequent.

    Nothing depends on the order of the levels before, which rows that are not learned from may have made.
    All processes of a `world` give the same column, with codes (n,) of their own rows.
    """
    counts = world.total(np.bincount(codes.astype(np.intp), minlength=len(column.levels)))
    there = sorted(
        (-count, text) for count, text in zip(counts.tolist(), column.levels, strict=True) if count
    )
    own = sum(count <= -FEWEST for count, _ in there[:MOST])
    texts = [text for _, text in there]
    levels = (*sorted(texts[:own]), *sorted(texts[own : own + MOST_RARE]))
    return replace(column, levels=levels), own

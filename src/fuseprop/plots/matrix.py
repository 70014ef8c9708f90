"""A matrix of counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..backend import HostArray


@dataclass(frozen=True)
class Matrix:
    """Counts by two names, such as how often which class was taken for which; the darker the more.

    Attributes
    ----------
    counts : (r, c)
    rows, columns : sequence of str
        The name of each row, from the top, and of each column, from the left.
    """

    counts: HostArray
    rows: Sequence[str]
    columns: Sequence[str]

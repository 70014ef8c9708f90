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

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.plots import Matrix
    >>> matrix = Matrix(np.array([[8, 1], [2, 9]]), ["no", "yes"], ["no", "yes"])
    """

    counts: HostArray
    rows: Sequence[str]
    columns: Sequence[str]

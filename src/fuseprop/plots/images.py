"""Small images side by side: the rows of a data set, or the weights of hidden units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..backend import HostArray


@dataclass(frozen=True)
class Images:
    """Images of one size, row by row, each under its title.

    Attributes
    ----------
    images : (n, h, w)
        White at the least value and black at the greatest of all. Where they are `signed`, 0 is grey, values
        above it are darker and values below it lighter, each image on a scale of its own.
    titles : sequence of str
        One for each image.
    columns : int
        How many stand side by side.
    signed : bool

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.plots import Images
    >>> images = Images(np.zeros((2, 8, 8)), ["zero", "one"], columns=2)
    """

    images: HostArray
    titles: Sequence[str]
    columns: int
    signed: bool = False

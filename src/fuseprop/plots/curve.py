"""A line over the plane of a panel, or marks on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..backend import HostArray

Numbers: TypeAlias = Sequence[float] | HostArray


@dataclass(frozen=True)
class Curve:
    """y over x, with a label for the legend.

    Attributes
    ----------
    label : str
    x, y : (n,)
    points : bool
        Whether marks alone are drawn. A line has a mark at each of its entries too where these are few.
    way : bool
        Whether this is a way over the plane, from a ring at its start to a disc at its end.
    z : (n,), or empty
        The height of each entry over the plane, for a panel with a surface.
    texts : (n,) of str, or empty
        Words beside the entries, instead of a line; of points, which are no data then, at crosses.
    faint : bool
        Whether this is one line of many that go with the line of the same label: thin and grey, with its
        dashes, and not in the legend.

    Examples
    --------
    >>> from fuseprop.plots import Curve
    >>> curve = Curve("train", [1, 2, 3], [0.9, 0.4, 0.3])
    """

    label: str
    x: Numbers
    y: Numbers
    points: bool = False
    way: bool = False
    z: Numbers = ()
    texts: Sequence[str] = ()
    faint: bool = False

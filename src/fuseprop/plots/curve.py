"""A line over the plane of a panel, or marks on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    points: bool = False
    way: bool = False
    z: Sequence[float] = ()

"""A loss over the plane of two weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..backend import HostArray
from .grid import rows_of

POINTS = 31
"""Points of the grid along each axis: each is a pass through a network."""


@dataclass(frozen=True)
class Landscape:
    """A loss over the plane of two weights, as contours whose lines are the further apart the flatter it is.

    Attributes
    ----------
    x1, x2 : (g,), (h,)
        The coordinates of the grid.
    values : (h, g)
        The loss at each point of the grid; at least 0.
    label : str
        What the values are.
    levels : (l,)
        The losses, rising, at which a contour is drawn.
    surface : bool
        Whether it is drawn as a surface in space, and curves at their heights on it.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.plots import Landscape
    >>> w = np.linspace(-1, 1, 21)
    >>> ravine = Landscape(w, w, w**2 + 20 * w[:, None] ** 2, "loss", levels=np.array([0.5, 1, 2, 4, 8]))
    """

    x1: HostArray
    x2: HostArray
    values: HostArray
    label: str
    levels: HostArray
    surface: bool = False

    @classmethod
    def of(
        cls,
        loss: Callable[[float, float], float],
        x1: tuple[float, float],
        x2: tuple[float, float],
        label: str,
        *,
        levels: int = 12,
        points: int = POINTS,
        surface: bool = False,
    ) -> Landscape:
        """Evaluate a loss of two weights over a grid from the first to the second end of each axis.

        The levels lie as the values do at equal steps of distance from the lowest point of a bowl: their
        square roots are equally far apart.
        """
        across, along = np.linspace(*x1, points), np.linspace(*x2, points)
        values = np.array([loss(*row) for row in rows_of(across, along)]).reshape(points, points)
        low, high = values.min(), values.max()
        between = (np.arange(1, levels + 1) / (levels + 1)) ** 2
        return cls(across, along, values, label, low + (high - low) * between, surface)

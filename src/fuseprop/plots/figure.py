"""What is in a picture, as numbers and words: made without matplotlib, drawn by `drawing`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from .bars import Bars
from .curve import Curve
from .diagram import Diagram
from .images import Images
from .landscape import Landscape
from .matrix import Matrix
from .regions import Regions

Ground: TypeAlias = Regions | Landscape | Bars | Images | Matrix | Diagram

Limits: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Panel:
    """One pair of axes with curves, or with a ground beneath them; the labels say the units.

    Attributes
    ----------
    title, x_label, y_label : str
        Images and diagrams have no axes, and need no labels.
    curves : sequence of Curve
    ground : Regions, Landscape, Bars, Images, Matrix or Diagram, optional
        What lies beneath the curves. Regions and a landscape may have curves on them.
    log_x, log_y, from_zero : bool
        Whether an axis is logarithmic, and whether the y axis begins at 0.
    zeros : bool
        Whether thin lines mark where x and y are 0, and cross at the origin.
    x_limits, y_limits : (low, high), optional
        The ends of the axes; by default those of what is drawn. Frames of a film have the same.

    Examples
    --------
    >>> from fuseprop.plots import Curve, Panel
    >>> panel = Panel("training", "epoch", "loss", [Curve("train", [1, 2, 3], [0.9, 0.4, 0.3])])
    """

    title: str
    x_label: str = ""
    y_label: str = ""
    curves: Sequence[Curve] = ()
    ground: Ground | None = None
    log_x: bool = False
    log_y: bool = False
    from_zero: bool = False
    zeros: bool = False
    x_limits: Limits | None = None
    y_limits: Limits | None = None


@dataclass(frozen=True)
class Figure:
    """Panels side by side under one title.

    Examples
    --------
    >>> from fuseprop.plots import Curve, Figure, Panel
    >>> panel = Panel("training", "epoch", "loss", [Curve("train", [1, 2, 3], [0.9, 0.4, 0.3])])
    >>> Figure("losses", [panel]).panels[0].y_label
    'loss'
    """

    title: str
    panels: Sequence[Panel] = field(default_factory=list)


@dataclass(frozen=True)
class Film:
    """A figure that moves: frame(0), ..., frame(count - 1), each made when it is drawn.

    `seconds` is how long a frame is shown; the last one is shown ten times as long. All have the same panels.

    Examples
    --------
    >>> from fuseprop.plots import Curve, Figure, Film, Panel
    >>> def frame(number):
    ...     return Figure("a point moves", [Panel("", "x", "y", [Curve("point", [number], [number])])])
    >>> film = Film(frame, count=5)
    """

    frame: Callable[[int], Figure]
    count: int
    seconds: float = 0.12

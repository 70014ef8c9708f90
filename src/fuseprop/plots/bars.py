"""Horizontal bars with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Bars:
    """Horizontal bars from 0, the first at the top, each with a name and an interval (nan: none).

    Examples
    --------
    >>> from fuseprop.plots import Bars, Figure, Panel
    >>> bars = Bars(["age", "income"], [0.4, 0.1], low=[0.3, 0.0], high=[0.5, 0.2])
    >>> figure = Figure("importance", [Panel("columns", "rise of the loss", "", [], ground=bars)])
    """

    names: Sequence[str]
    values: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]

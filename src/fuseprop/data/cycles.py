"""Cycles: where a date stands in its year, its week and its day, as an angle.

A network that is given the month as 12 and 1 sees the two far apart. As the point (sin a, cos a) of a circle,
with the angle a = 2 pi position / period, December lies beside January: how circular data are represented
(N. I. Fisher, Statistical Analysis of Circular Data, 1993), and hours and months in scikit-learn's example of
time-related features. Positions count from 0: January, Monday, midnight.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..world import ALONE, Processes

Float = NDArray[np.float64]

CYCLES = ("month", "weekday", "hour")
"""The cycles by name: 12 months of a year, 7 days of a week, 24 hours of a day."""

FARTHEST = 1e12
"""Days from 1970 behind which no date is written: the calendar's integers end."""

APART = 1e-6
"""Places in a cycle that differ by more are different: a tenth of a second in a day. 9:20 is no float64."""


def places_in(cycles: Sequence[str], days: Float) -> list[Float]:
    """Return where days (n,) since 1970-01-01 stand in each cycle: (n,) float64, at least 0 and below 1.

    Months and weekdays are whole, hours have their fractions. nan, and what is beyond any calendar, may stand
    anywhere.
    """
    day = np.floor(days)
    return [_place(cycle, days, day) for cycle in cycles]


def _place(cycle: str, days: Float, day: Float) -> Float:
    if cycle == "hour":
        place: Float = days - day
    elif cycle == "weekday":
        place = (day + 3) % 7 / 7  # 1970-01-01 was a Thursday
    else:
        months = day.astype(np.int64).view("datetime64[D]").astype("datetime64[M]").view(np.int64)
        place = months % 12 / 12
    return place


def cycles_that_vary(days: Float, world: Processes = ALONE) -> tuple[str, ...]:
    """Return the cycles in which all processes' days (n,), none of them nan, stand in different places."""
    with np.errstate(invalid="ignore"):
        places = np.array(places_in(CYCLES, days))
    low, high = places.min(axis=1, initial=np.inf), places.max(axis=1, initial=-np.inf)
    apart = world.greatest(high) - world.least(low)
    return tuple(cycle for cycle, width in zip(CYCLES, apart, strict=True) if width > APART)


def as_date(days: float) -> str:
    """Return days since 1970-01-01 as a date such as 2024-02-29, of which the time of day is left out."""
    return str(np.datetime64(int(np.clip(np.floor(days), -FARTHEST, FARTHEST)), "D"))

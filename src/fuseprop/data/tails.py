"""Heavy tails: quantities with values far from most others, which are clipped smoothly.

One value of a thousand deviations moves a network's weights as a thousand usual ones do. Such a column is
scaled by what most of its values are, z = (x - median) / (IQR / 1.349), where IQR is the distance of its
quartiles, and clipped smoothly, s(z) = z / sqrt(1 + (z / 3)^2): about z near 0, never beyond 3, and
increasing, so that the order of values stays. From D. Holzmüller, L. Grinsztajn, I. Steinwart, Better by
Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data, NeurIPS 2024; they clip every column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..world import ALONE, Processes
from ..world.quantiles import quantiles
from .blocks import Float, Index, ranges
from .scaling import Standardizer

HEAVY = 6.0
"""A column has heavy tails if a value that is learned from is more deviations than this from the mean. Of a
million values of a bell curve none is beyond 5; of a thousand that decay exponentially, one is beyond 6. In
the tables of ISLP these are a crime rate, numbers of applications and of students, budgets, weekly returns,
and counts that are nearly always 0: 45 of Caravan's 85 columns, and none of Hitters' 17 or of OJ's 15."""

BOUND = 3.0
"""No feature that is clipped smoothly is farther from 0."""

NORMAL_IQR = 1.349
"""The distance of the quartiles of a bell curve, in deviations."""

SATURATED = BOUND * 2.0**27
"""From here on s(z) is `BOUND` in float64; squares of larger numbers could overflow."""


@dataclass(frozen=True)
class Tails:
    """The scaling of a column with heavy tails: z = (x - center) / spread, before it is clipped smoothly.

    Attributes
    ----------
    center : float
        The median.
    spread : float
        The distance of the quartiles, divided by 1.349, or the standard deviation where that is 0 but for
        rounding; above 0.
    """

    center: float
    spread: float

    @classmethod
    def of(cls, values: Float, deviation: float, world: Processes = ALONE) -> Tails:
        """Return the scaling of all processes' values (n,), none of them nan, with this deviation."""
        first, center, third = quantiles(world, values, (0.25, 0.5, 0.75)).tolist()
        spread = (third - first) / NORMAL_IQR
        is_constant = spread <= 10 * np.finfo(np.float64).eps * abs(center)
        return cls(center, deviation if is_constant else spread)


def heavy_tailed(
    X: Float,
    rows: Index | None,
    scaling: Standardizer,
    columns: Sequence[int],
    world: Processes = ALONE,
) -> list[int]:
    """Return those of the columns of X (N, d) that have heavy tails in these rows, by default all.

    `scaling` has the mean and the deviation of the d columns in these rows of all processes.
    """
    low, high = ranges(X, rows, world)
    with np.errstate(over="ignore"):
        farthest = np.fmax(high - scaling.mean, scaling.mean - low) / scaling.scale
    return [j for j in columns if farthest[j] > HEAVY]


def clipped_smoothly(z: Float) -> Float:
    """Return s(z) = z / sqrt(1 + (z / 3)^2) for any z, inf too: at most 3 in size, and increasing with z."""
    part = np.clip(z, -SATURATED, SATURATED) / BOUND
    result: Float = BOUND * (part / np.sqrt(1.0 + part * part))
    return result

"""The mean of a score over folds, and how far it may be off: the corrected resampled t interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, frexp, inf, isfinite, ldexp, pi, sin, sqrt, tan

import numpy as np

LEVEL = 0.95
"""The share of intervals that are to hold the true mean."""


@dataclass(frozen=True)
class Mean:
    """A score over the trainings of a cross-validation.

    Attributes
    ----------
    value : float
        Its mean.
    deviation : float or None
        Its sample standard deviation; None for a single training.
    interval : (float, float) or None
        The interval of the mean, at the level 0.95, cut at the ends of the score's range; None for a single
        training, and where float64 cannot hold an end.
    """

    value: float
    deviation: float | None
    interval: tuple[float, float] | None

    @classmethod
    def of(cls, scores: Sequence[float], ratio: float, within: tuple[float, float] = (-inf, inf)) -> Mean:
        """Return the mean of the scores of J trainings, each on other test rows.

        The trainings share rows, so that their scores are not independent, and s^2 / J would be too small a
        variance of the mean. It is (1 / J + ratio) s^2, where `ratio` is the number of test rows for each row
        that was not tested, with Student's t of J - 1 degrees of freedom (Nadeau & Bengio, Machine Learning
        52, 2003; for repeated cross-validation Bouckaert & Frank, PAKDD 2004).

        `within` is the least and the largest value that the score can have: the t interval knows neither, and
        no mean lies beyond them.
        """
        # Divided by a power of 2, sums and squares of huge scores do not overflow, nor tiny ones underflow.
        power = frexp(max(map(abs, scores)))[1]
        scaled, count = np.ldexp(np.asarray(scores, np.float64), -power), len(scores)
        mean = float(scaled.mean())
        if count == 1:
            return cls(ldexp(mean, power), None, None)
        deviation = float(scaled.std(ddof=1))
        half = t_quantile(count - 1, LEVEL) * deviation * sqrt(1 / count + ratio)
        with np.errstate(over="ignore"):
            value, spread, *ends = np.ldexp([mean, deviation, mean - half, mean + half], power).tolist()
        low, high = max(ends[0], within[0]), min(ends[1], within[1])
        return cls(value, spread, (low, high) if isfinite(low) and isfinite(high) else None)


def t_quantile(degrees: int, level: float) -> float:
    """Return the t for which Student's distribution has the share `level` between -t and t.

    `degrees` of freedom are whole numbers of at least 1, for which the share is a finite sum of powers of
    cos(angle), where tan(angle) = t / sqrt(degrees) (Abramowitz & Stegun, 26.7.3 and 26.7.4).
    """
    low, high = 0.0, pi / 2
    while low < (middle := (low + high) / 2) < high:
        if _share_within(middle, degrees) < level:
            low = middle
        else:
            high = middle
    return tan(low) * sqrt(degrees)


def _share_within(angle: float, degrees: int) -> float:
    """Return P(|T| < sqrt(degrees) tan(angle))."""
    odd = degrees % 2
    if degrees == 1:
        return 2 * angle / pi
    term = cos(angle) if odd else 1.0
    total = term
    for j in range(3 if odd else 2, degrees - 1, 2):
        term *= (j - 1) / j * cos(angle) ** 2
        total += term
    return 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total

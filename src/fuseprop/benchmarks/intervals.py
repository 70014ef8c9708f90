"""Medians with intervals that assume nothing about the noise, and what may be said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median, quantiles

TIE = 0.05
"""Ratios closer to 1 than this say nothing about which one is faster."""

CONFIDENCE = 0.99
"""Of each interval. A comparison has over a hundred ratios, of which some miss by chance at 95%:
5 of 117 did not meet in two comparisons. At 99% all met."""

NOISY = 0.10
"""A relative width of the interval above which a row is marked."""


@dataclass(frozen=True)
class Interval:
    """A median and the bounds of its confidence interval.

    It is not `sure` where there were too few values for one: its bounds are the smallest and the largest.
    """

    low: float
    middle: float
    high: float
    sure: bool = True

    @property
    def noisy(self) -> bool:
        """Whether the interval is wider than a tenth of its median."""
        return self.high - self.low > NOISY * self.middle

    @property
    def tie(self) -> bool:
        """For a ratio: whether it is within 5% of 1."""
        return abs(self.middle - 1) <= TIE

    @property
    def order(self) -> int:
        """For a ratio: -1 below 1, 1 above it, 0 where the interval holds 1 or is not sure."""
        return (self.low > 1) - (self.high < 1) if self.sure else 0


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Return the median and its order-statistics interval.

    The k-th smallest and the k-th largest of n values miss the true median with probability
    2 P(B < k), B ~ Binomial(n, 1/2); k is the largest that keeps `confidence`. Where there is none, as under
    8 values at 99%, the interval is from the smallest to the largest, and not `sure`.
    """
    if not values:
        raise ValueError("an interval needs at least one value, got none.")
    ordered, n = sorted(values), len(values)
    k, missed = 1, 2 / 2**n
    sure = missed <= 1 - confidence
    while k <= n // 2 and missed + 2 * comb(n, k) / 2**n <= 1 - confidence:
        missed += 2 * comb(n, k) / 2**n
        k += 1
    return Interval(ordered[k - 1], median(ordered), ordered[n - k], sure)


def ratio(others: Sequence[float], ours: Sequence[float]) -> Interval:
    """Return the interval of other / ours, round by round: above 1 where ours is faster."""
    return interval([other / own for other, own in zip(others, ours, strict=True)])


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the first and the third quartile: how far apart single rounds lie."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return low, high

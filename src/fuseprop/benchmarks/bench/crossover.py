"""Where one device overtakes another as steps grow, by interpolation between networks that were measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log


@dataclass(frozen=True)
class Measured:
    """A network on two devices.

    Attributes
    ----------
    label : str
    size : float
        Rows x weights of a step.
    one, other : float
        Seconds of a step on either device.
    """

    label: str
    size: float
    one: float
    other: float

    @property
    def gain(self) -> float:
        """log(one / other): above 0 where the other device is faster."""
        return log(self.one / self.other)


@dataclass(frozen=True)
class Crossing:
    """A size from which on the faster device is another one, and the measured networks around it."""

    size: float
    below: str
    above: str
    to_other: bool

    @property
    def about(self) -> float:
        """The size in two digits: it was interpolated."""
        return float(f"{self.size:.1e}")


def crossings(networks: Sequence[Measured]) -> list[Crossing]:
    """Return where the faster device changes, from small to large.

    Between neighbours log(one / other) is taken as a straight line over log(size): times that are powers of
    the size are met exactly. Where both devices are equally fast, the next one that is not decides.

    Examples
    --------
    >>> cpu = [1e-5, 1e-4, 1e-3]
    >>> gpu = [4e-5, 4e-5, 4e-5]
    >>> networks = [Measured(f"{n:g}", n, *times) for n, times in zip([1e4, 1e5, 1e6], zip(cpu, gpu))]
    >>> [(round(c.size), c.to_other) for c in crossings(networks)]
    [(40000, True)]
    """
    ordered = [m for m in sorted(networks, key=lambda m: m.size) if m.gain]
    return [
        Crossing(_zero(below, above), below.label, above.label, above.gain > 0)
        for below, above in pairwise(ordered)
        if below.gain * above.gain < 0
    ]


def said(networks: Sequence[Measured], one: str, other: str) -> list[str]:
    """Say which of two devices is the faster one from which size on: a sentence for each crossing.

    Without any there is one sentence. Raises IndexError without networks.
    """
    found = crossings(networks)
    if found:
        return [_crossing(crossing, one, other) for crossing in found]
    faster, slower = (other, one) if networks[0].gain + networks[-1].gain > 0 else (one, other)
    which = f"all {len(networks)} sizes" if len(networks) > 1 else "the one size"
    return [f"{faster} is faster than {slower} at {which} measured."]


def _crossing(crossing: Crossing, one: str, other: str) -> str:
    faster, slower = (other, one) if crossing.to_other else (one, other)
    return (
        f"From about {crossing.about:,.0f} rows x weights a step on, {faster} is faster than {slower}: "
        f"interpolated between {crossing.below} and {crossing.above}."
    )


def _zero(below: Measured, above: Measured) -> float:
    share = below.gain / (below.gain - above.gain)
    return exp(log(below.size) + share * (log(above.size) - log(below.size)))

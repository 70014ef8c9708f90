"""Where one device overtakes another as steps grow, by interpolation between networks that were measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
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
    level : bool
        Whether the noise of both times is larger than what is between them.
    """

    label: str
    size: float
    one: float
    other: float
    level: bool = False

    @property
    def gain(self) -> float:
        """log(one / other): above 0 where the other device is faster, 0 where both are level."""
        return 0.0 if self.level else log(self.one / self.other)


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
    the size are met exactly. Where both devices are level, the next network where they are not decides.
    Networks of one size that contradict each other decide nothing.

    Examples
    --------
    >>> cpu = [1e-5, 1e-4, 1e-3]
    >>> gpu = [4e-5, 4e-5, 4e-5]
    >>> networks = [Measured(f"{n:g}", n, *times) for n, times in zip([1e4, 1e5, 1e6], zip(cpu, gpu))]
    >>> [(round(c.size), c.to_other) for c in crossings(networks)]
    [(40000, True)]
    """
    decided = [m for some in _by_size(networks) if not _contradict(some) for m in some if m.gain]
    return [
        Crossing(_zero(below, above), below.label, above.label, above.gain > 0)
        for below, above in pairwise(decided)
        if below.gain * above.gain < 0
    ]


def said(
    networks: Sequence[Measured], one: str, other: str, about: Callable[[Crossing], str] = lambda _: ""
) -> list[str]:
    """Say which of two devices is the faster one from which size on: a sentence for each crossing.

    Without any there is one sentence; further ones name networks on which both are level, and those of one
    size that contradict each other. `about` returns what is to be added to the sentence of a crossing.
    """
    found = crossings(networks)
    against = [some for some in _by_size(networks) if _contradict(some)]
    level = [m for m in networks if not m.gain]
    rest = [m for m in networks if m.gain and not any(m in some for some in against)]
    lines = [f"{_crossing(crossing, one, other)} {about(crossing)}".rstrip() for crossing in found]
    if rest and not found:
        faster, slower = _names(rest[0], one, other)
        everywhere = f"all {len(networks)} sizes" if len(networks) > 1 else "the one size"
        some = ", ".join(m.label for m in rest)
        lines.append(
            f"{faster} is faster than {slower} at {everywhere if len(rest) == len(networks) else some}"
            f"{' measured' * (len(rest) == len(networks))}."
        )
    if level:
        where = ", ".join(m.label for m in level)
        lines.append(f"{one} and {other} are level at {where}: they differ by less than the noise.")
    for same in against:
        each = ", ".join(f"{_names(m, one, other)[0]} is faster at {m.label}" for m in same if m.gain)
        lines.append(f"At {same[0].size:,.0f} rows x weights it depends on the network: {each}.")
    return lines


def _by_size(networks: Sequence[Measured]) -> list[list[Measured]]:
    ordered = sorted(networks, key=lambda m: m.size)
    return [list(some) for _, some in groupby(ordered, key=lambda m: m.size)]


def _contradict(networks: Sequence[Measured]) -> bool:
    """Whether one device is faster on one of these, and the other device on another."""
    return min(m.gain for m in networks) < 0 < max(m.gain for m in networks)


def _names(measured: Measured, one: str, other: str) -> tuple[str, str]:
    """Return the faster and the slower device."""
    return (other, one) if measured.gain > 0 else (one, other)


def _crossing(crossing: Crossing, one: str, other: str) -> str:
    faster, slower = (other, one) if crossing.to_other else (one, other)
    return (
        f"From about {crossing.about:,.0f} rows x weights a step on, {faster} is faster than {slower}: "
        f"interpolated between {crossing.below} and {crossing.above}."
    )


def _zero(below: Measured, above: Measured) -> float:
    share = below.gain / (below.gain - above.gain)
    return exp(log(below.size) + share * (log(above.size) - log(below.size)))

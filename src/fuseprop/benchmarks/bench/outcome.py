"""Raw figures as rows: who took how long on which network, by how much others differ, and who is fastest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..intervals import Interval, interval, ratio
from ..turns import why_not
from .crossover import Crossing, Measured, crossings

OURS = "fuseprop"
FIRST = "cpu"
"""The device whose row of ours all others are divided by, where it was measured."""

GPU = "cuda"

FEW = 8
"""Rounds below which there is no interval of 99%."""


@dataclass(frozen=True)
class Row:
    """One library in one form on one device, with one time a round.

    Attributes
    ----------
    who, device, note : str
    ours : bool
        Whether it is a backend of fuseprop.
    times : sequence of float
        Seconds a step; none where the row does not count.
    why_not : str or None
        Why it does not count: refused by the gate, failed, or not measured.
    refused : bool
        Whether it was refused: its training did not arrive where float64 does.
    """

    who: str
    device: str
    note: str
    ours: bool
    times: Sequence[float]
    why_not: str | None
    refused: bool

    @property
    def name(self) -> str:
        """Such as "fuseprop on cpu"."""
        return f"{self.who} on {self.device}"

    @cached_property
    def time(self) -> Interval | None:
        """Seconds a step."""
        return interval(self.times) if self.times else None

    def over(self, other: Row | None) -> Interval | None:
        """Return the time of this row over that of another, round by round: below 1 where this is faster."""
        if other is None or not self.times or not other.times:
            return None
        rounds = min(len(self.times), len(other.times))  # one that was broken off counts for neither
        return ratio(self.times[:rounds], other.times[:rounds])


@dataclass(frozen=True)
class Network:
    """One network and its rows.

    Attributes
    ----------
    label : str
        Such as "64-32-10, batch 32".
    batch, weights, flops : int
        Rows of a step; weights without biases; operations in the products of a step.
    rows : list of Row
    """

    label: str
    batch: int
    weights: int
    flops: int
    rows: list[Row]

    @property
    def size(self) -> int:
        """Rows x weights of a step."""
        return self.batch * self.weights

    @property
    def ours(self) -> list[Row]:
        """What was measured of our backends."""
        return [row for row in self.rows if row.ours and row.times]

    @property
    def reference(self) -> Row | None:
        """Our row on the CPU, or else our first one that was measured."""
        ours = self.ours
        return next((row for row in ours if row.device == FIRST), ours[0] if ours else None)

    @property
    def best(self) -> Row | None:
        """Our fastest row."""
        return min(self.ours, key=lambda row: _middle(row.time), default=None)

    def apart(self) -> Iterator[tuple[str, Row, Interval]]:
        """Yield for each row of others "faster", "level" or "slower" than our best, and its time over ours.

        It is level where the interval holds 1. Too few rounds say nothing: those rows are left out.
        """
        for row in self.rows:
            over = None if row.ours else row.over(self.best)
            if over is not None and over.sure:
                yield ("level", "slower", "faster")[over.order], row, over


@dataclass(frozen=True)
class Outcome:
    """All that was measured, of the plain data of a result.

    Raises KeyError for data that are no result.
    """

    raw: Mapping[str, Any]

    @cached_property
    def networks(self) -> list[Network]:
        """Networks, as they were asked for."""
        return [_network(one) for one in self.raw["networks"]]

    @property
    def rows(self) -> list[Row]:
        """The rows of all networks."""
        return [row for network in self.networks for row in network.rows]

    @property
    def refused(self) -> list[str]:
        """Who was refused by the gate, on which network."""
        return [f"{row.name}, {n.label}" for n in self.networks for row in n.rows if row.refused]

    @property
    def devices(self) -> list[str]:
        """The devices of our backends of which something was measured, the CPU first."""
        found = dict.fromkeys(row.device for network in self.networks for row in network.ours)
        return sorted(found, key=lambda device: device != FIRST)

    def between(self, one: str, other: str) -> list[Measured]:
        """Return the networks that both devices took in rounds enough to say which is faster, by size.

        They are level where the interval of the ratio within rounds holds 1.
        """
        found = []
        for network in sorted(self.networks, key=lambda network: network.size):
            rows = {row.device: row for row in network.ours}
            if one in rows and other in rows:
                over = rows[one].over(rows[other])
                assert over is not None
                if over.sure:
                    gain = (over.middle, 1.0)  # what is compared: the ratio within rounds, not two medians
                    found.append(Measured(network.label, network.size, *gain, level=not over.order))
        return found

    def alone(self, one: str, other: str) -> list[tuple[str, str]]:
        """Return the networks that only one of these devices took, each with that device."""
        found = []
        for network in self.networks:
            took = {row.device for row in network.ours} & {one, other}
            if len(took) == 1:
                found.append((network.label, took.pop()))
        return found

    @property
    def unsure(self) -> list[Row]:
        """The rows of too few rounds for an interval."""
        return [row for row in self.rows if row.time is not None and not row.time.sure]

    def crossings(self, one: str, other: str) -> list[Crossing]:
        """Return where the faster one of two devices changes."""
        return crossings(self.between(one, other))

    @property
    def noisy(self) -> list[Row]:
        """The rows whose interval is wider than a tenth of their median."""
        return [row for row in self.rows if row.time is not None and row.time.noisy]


def _network(raw: Mapping[str, Any]) -> Network:
    rows = [_row(row) for row in raw["rows"]]
    return Network(raw["label"], raw["batch"], raw["weights"], raw["flops"], rows)


def _row(raw: Mapping[str, Any]) -> Row:
    reason = why_not(raw)
    return Row(
        raw["name"],
        raw["device"],
        raw["note"],
        raw["peer"] == OURS,
        [] if reason else raw["times"],
        reason,
        "refused" in raw,
    )


def _middle(time: Interval | None) -> float:
    assert time is not None
    return time.middle

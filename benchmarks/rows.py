"""Raw figures, asked questions: who is ours, what is the floor, which ratio, which rows say nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

from fuseprop.benchmarks.intervals import Interval, interval, ratio
from fuseprop.benchmarks.networks import ALL_CASES, Case
from fuseprop.benchmarks.turns import why_not

OURS = "fuseprop"


@dataclass(frozen=True)
class Network:
    """One network of one result file: a row a form, every row with one time a round."""

    raw: dict[str, Any]

    @property
    def case(self) -> Case:
        """Sizes and batch."""
        return ALL_CASES[self.raw["network"]]

    @property
    def label(self) -> str:
        """Such as "784-128-10, 128"."""
        sizes, _, batch = self.raw["network"].rpartition("-b")
        return f"{sizes}, {batch}"

    def row(self, name: str, table: str) -> dict[str, Any] | None:
        """Return one form's row, measured or not."""
        return next((r for r in self.raw["rows"] if r["name"] == name and r["table"] == table), None)

    def peers(self, table: str) -> list[str]:
        """Return the forms of a table that are not ours in any way."""
        return [r["name"] for r in self.raw["rows"] if r["table"] == table and r.get("peer") != OURS]

    def best_peer(self, table: str) -> str | None:
        """Return the peer's form that is the fastest beside ours; None where nobody's counts, or ours not."""
        ratios = {name: self.against_ours(name, table) for name in self.peers(table)}
        found = {name: ratio.middle for name, ratio in ratios.items() if ratio is not None}
        return min(found, key=lambda name: found[name], default=None)

    def names(self, table: str) -> list[str]:
        """Return the forms of a table, ours first."""
        names = [row["name"] for row in self.raw["rows"] if row["table"] == table]
        return sorted(names, key=lambda name: name != OURS)

    def times(self, name: str, table: str) -> list[float]:
        """Return seconds a step, one a round; none where the row does not count."""
        row = self.row(name, table)
        if row is None or why_not(row):
            return []
        return list(row["times"])

    def time(self, name: str, table: str) -> Interval | None:
        """Return seconds a step."""
        times = self.times(name, table)
        return interval(times) if times else None

    def against_ours(self, name: str, table: str) -> Interval | None:
        """Return that form's time over ours, round by round."""
        theirs, ours = self.times(name, table), self.times(OURS, table)
        return ratio(theirs, ours) if theirs and ours else None

    def fit_over_step(self, name: str) -> Interval | None:
        """Return a step's time in a form of `fit`, over that of our bare step, round by round."""
        fitted, step = self.times(name, "fit"), self.times(OURS, "step")
        return ratio(fitted, step) if fitted and step else None

    @cached_property
    def floor_parts(self) -> dict[str, dict[str, Any]]:
        """The fastest row of each kind that a floor is made of."""
        parts = {}
        for table in ("products", "copy", "launch"):
            rows = [row for row in self.raw["rows"] if row["table"] == table and not why_not(row)]
            if rows:
                parts[table] = min(rows, key=lambda row: median(row["times"]))
        return parts

    @property
    def floor(self) -> list[float]:
        """Seconds that no step can undercut, one a round; see `floors.py`."""
        return [sum(times) for times in zip(*(r["times"] for r in self.floor_parts.values()), strict=True)]

    def of_floor(self, name: str) -> Interval | None:
        """Return a bare step's time over the floor, round by round."""
        times = self.times(name, "step")
        return ratio(times, self.floor) if times and self.floor else None

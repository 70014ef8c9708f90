"""Calls that go by the position in the epoch, the one thing that differs from step to step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fuseprop.backend import Call, HostArray

CURSOR = {"take_rows": 2, "put_rows": 1, "advance": 0}
"""The operations that go by a cursor, and its place among their operands."""


@dataclass
class Visit:
    """Neighbouring calls that read the position once: they gather rows, put rows and move the position on."""

    cursor: HostArray
    rows: int
    calls: list[Call] = field(default_factory=list)
    order: HostArray | None = None
    gathers: list[tuple[HostArray, HostArray]] = field(default_factory=list)
    puts: list[tuple[HostArray, HostArray]] = field(default_factory=list)
    by: int = 0

    def takes(self, call: Call) -> bool:
        """Add a call if it fits in; return whether it did."""
        cursor, rows = call.operands[CURSOR[call.operation]], rows_of(call)
        if self.by or cursor is not self.cursor or rows not in (self.rows, None):
            return False
        match call.operation, call.operands:
            case "take_rows", (source, order, _):
                if self.puts or not (self.order is None or self.order is order):
                    return False
                self.order = order
                self.gathers.append((source, call.options["out"]))
            case "put_rows", (values, _):
                self.puts.append((call.options["out"], values))
            case _, (_, by):
                self.by = by
        self.calls.append(call)
        return True

    def step(self, instead: Mapping[int, HostArray]) -> Callable[[], None]:
        """Return a function that makes these calls; where `instead` has id(values), it puts that array."""
        position: Callable[[], int] = self.cursor.item
        cursor, rows, order, by = self.cursor, self.rows, self.order, self.by
        gathers = tuple((source.take, out) for source, out in self.gathers)
        puts = tuple((out, instead.get(id(values), values)) for out, values in self.puts)

        def at_position() -> None:
            start = position()
            stop = start + rows
            if order is not None:
                batch = order[start:stop]
                for take, out in gathers:
                    take(batch, 0, out, "clip")
            for out, values in puts:
                out[start:stop] = values
            if by:
                cursor[0] = start + by

        return at_position


def with_visits(calls: Sequence[Call]) -> list[Call | Visit]:
    """Return calls in their order, those that go by a cursor as visits."""
    made: list[Call | Visit] = []
    for call in calls:
        if call.operation not in CURSOR:
            made.append(call)
        elif not made or not isinstance(last := made[-1], Visit) or not last.takes(call):
            visit = Visit(call.operands[CURSOR[call.operation]], rows_of(call) or 0)
            visit.takes(call)
            made.append(visit)
    return made


def rows_of(call: Call) -> int | None:
    """Return how many rows a call gathers or puts, None for one that does neither."""
    match call.operation:
        case "take_rows":
            return len(call.options["out"])
        case "put_rows":
            return len(call.operands[0])
    return None

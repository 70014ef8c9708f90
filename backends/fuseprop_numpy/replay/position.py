"""Calls that go by the position in the epoch, the one thing that differs from step to step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fuseprop.backend import Call, HostArray


def cursor_of(call: Call) -> HostArray | None:
    """Return the cursor that a call goes by, None for calls without one."""
    place = {"take_rows": 2, "put_rows": 1, "advance": 0}.get(call.operation)
    cursor: HostArray | None = None if place is None else call.operands[place]
    return cursor


@dataclass
class Visit:
    """Calls that read the position once: they gather rows, put rows and move the position on."""

    cursor: HostArray
    rows: int
    order: HostArray | None = None
    gathers: list[tuple[Callable[..., object], HostArray]] = field(default_factory=list)
    puts: list[tuple[HostArray, HostArray]] = field(default_factory=list)
    by: int = 0

    def takes(self, call: Call) -> bool:
        """Add a call if it fits in; return whether it did."""
        rows = rows_of(call)
        if self.by or rows not in (self.rows, None):
            return False
        match call.operation, call.operands:
            case "take_rows", (source, order, _):
                if self.puts or not (self.order is None or self.order is order):
                    return False
                self.order = order
                self.gathers.append((source.take, call.options["out"]))
            case "put_rows", (values, _):
                self.puts.append((call.options["out"], values))
            case _, (_, by):
                self.by = by
        return True

    def step(self) -> Callable[[], None]:
        """Return a function that makes these calls."""
        position: Callable[[], int] = self.cursor.item
        cursor, rows, order, by = self.cursor, self.rows, self.order, self.by
        gathers, puts = tuple(self.gathers), tuple(self.puts)

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


def visits(cursor: HostArray, calls: Sequence[Call]) -> list[Visit]:
    """Return the visits that make neighbouring calls at one cursor, in their order."""
    made: list[Visit] = []
    for call in calls:
        if not made or not made[-1].takes(call):
            made.append(Visit(cursor, rows_of(call) or 0))
            made[-1].takes(call)
    return made


def rows_of(call: Call) -> int | None:
    """Return how many rows a call gathers or puts, None for one that does neither."""
    match call.operation:
        case "take_rows":
            return len(call.options["out"])
        case "put_rows":
            return len(call.operands[0])
    return None

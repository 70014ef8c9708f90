"""Calls that go by the position in the epoch: the one thing that differs from replay to replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fuseprop.backend import Call, HostArray


def cursor_of(call: Call) -> HostArray | None:
    """Return the cursor that a call goes by, None for calls without one."""
    place = {"take_rows": 2, "put_rows": 1, "advance": 0}.get(call.operation)
    cursor: HostArray | None = None if place is None else call.operands[place]
    return cursor


def at_cursor(cursor: HostArray, calls: Sequence[Call]) -> Callable[[], None]:
    """Return what does neighbouring calls at one cursor, in their order, with one look at it."""
    position: Callable[[], int] = cursor.item
    actions = [_at_position(call) for call in calls]

    def run() -> None:
        start = position()
        for action in actions:
            start = action(start)

    return run


def _at_position(call: Call) -> Callable[[int], int]:
    """Return what does one call at a position, and returns the position after it."""
    if call.operation == "take_rows":
        source, order, _ = call.operands
        take, out = source.take, call.options["out"]
        rows = len(out)

        def gather(start: int) -> int:
            take(order[start : start + rows], 0, out, "clip")
            return start

        return gather
    if call.operation == "put_rows":
        values, out = call.operands[0], call.options["out"]
        rows = len(values)

        def put(start: int) -> int:
            out[start : start + rows] = values
            return start

        return put
    cursor: HostArray = call.operands[0]
    by: int = call.operands[1]

    def advance(start: int) -> int:
        cursor[0] = start + by
        return start + by

    return advance

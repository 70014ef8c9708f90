"""Calls that go by the position in the epoch: the one thing that differs from replay to replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from fuseprop.backend import Call, HostArray


def cursor_of(call: Call) -> HostArray | None:
    """Return the cursor that a call goes by, None for calls without one."""
    place = {"take_rows": 2, "put_rows": 1, "advance": 0}.get(call.operation)
    cursor: HostArray | None = None if place is None else call.operands[place]
    return cursor


def at_cursor(cursor: HostArray, calls: Sequence[Call]) -> Callable[[], None]:
    """Return what does neighbouring calls at one cursor, in their order, with one look at it."""
    position: Callable[[], int] = cursor.item
    actions = [_at_position(list(group)) for _, group in groupby(calls, _alike)]

    def at_position() -> None:
        start = position()
        for action in actions:
            start = action(start)

    return at_position


def _alike(call: Call) -> tuple[object, ...]:
    """Return what neighbours that gather the same rows have in common; nothing else has a neighbour."""
    if call.operation == "take_rows":
        return call.operation, id(call.operands[1]), len(call.options["out"])
    return call.operation, id(call)


def _at_position(calls: Sequence[Call]) -> Callable[[int], int]:
    """Return what does calls that are alike at a position, and returns the position after them."""
    first = calls[0]
    if first.operation == "take_rows":
        order, rows = first.operands[1], len(first.options["out"])
        gathers = [(call.operands[0].take, call.options["out"]) for call in calls]

        def gather(start: int) -> int:
            batch = order[start : start + rows]
            for take, out in gathers:
                take(batch, 0, out, "clip")
            return start

        return gather
    if first.operation == "put_rows":
        values, out = first.operands[0], first.options["out"]
        rows = len(values)

        def put(start: int) -> int:
            out[start : start + rows] = values
            return start

        return put
    cursor: HostArray = first.operands[0]
    by: int = first.operands[1]

    def advance(start: int) -> int:
        cursor[0] = start + by
        return start + by

    return advance

"""Whether a replay stays within its arrays: the library looks at no bounds."""

from __future__ import annotations

from collections.abc import Iterator

from fuseprop.backend import HostArray, span

from .step import Gathered, TrainingStep


class Positions:
    """The positions that a step reads and writes at, and how far each of them may go."""

    def __init__(self, step: TrainingStep) -> None:
        self._strides: dict[int, int] = {}
        self._cursors: dict[int, HostArray] = {}
        rooms: dict[int, list[tuple[int, int]]] = {}
        for cursor, rows, limit in _moves(step):
            key = span(cursor).start
            self._cursors.setdefault(key, cursor)
            moved = self._strides.setdefault(key, 0)
            if limit is None:
                self._strides[key] = moved + rows
            else:
                rooms.setdefault(key, []).append((moved, limit - rows - moved))
        self._bounds = [
            (
                self._cursors[key],
                self._strides[key],
                max(-moved for moved, _ in room),
                min(most for _, most in room),
            )
            for key, room in rooms.items()
        ]

    def check(self, times: int) -> None:
        """Raise IndexError where one of so many steps would read or write beyond the end of an array."""
        for cursor, stride, least, most in self._bounds:
            first = int(cursor[0])
            last = first + stride * (times - 1)
            if not (least <= first <= most and least <= last <= most):
                raise IndexError(
                    f"{times} steps from position {first} on, of {stride} rows each, go beyond the rows that "
                    f"there are."
                )


def _moves(step: TrainingStep) -> Iterator[tuple[HostArray, int, int | None]]:
    """Yield (position, rows, rows that there are) of each use, and (position, by, None) of each move.

    In the order in which that comes.
    """
    yield from _of_tasks(step, after=False)
    for gathered in (step.x, step.target, step.labels, step.row_weights):
        if isinstance(gathered, Gathered) and gathered.cursor is not None and gathered.order is not None:
            yield gathered.cursor, step.rows, len(gathered.order)
    yield from _of_tasks(step, after=True)


def _of_tasks(step: TrainingStep, *, after: bool) -> Iterator[tuple[HostArray, int, int | None]]:
    for task in step.after if after else step.before:
        of = task.arguments
        match task.operation:
            case "take_rows":
                yield of["cursor"], len(of["out"]), len(of["order"])
            case "put_rows":
                yield of["cursor"], len(of["values"]), len(of["out"])
            case "advance":
                yield of["cursor"], int(of["by"]), None

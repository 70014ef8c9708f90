"""The proof that a step may be taken as a whole, and where the tasks beside it go.

A step is taken in the order gathering, forward, loss, backward, update. Two calls of which one sees what the
other writes must come in that order in the program too: then the program's calls, put in the step's order,
compute what they compute in their own. Beyond that

* whatever the step writes has memory of its own, so that it does not matter in which order it is written;
* what the step reads from outside is not written by it;
* what it does not write, though its calls do, is scratch, and no task reads it;
* tasks write nothing that the step writes.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fuseprop.backend import HostArray

from .calls import TASKS, Calls, Found, rows_of
from .step import Gathered, Task, UnknownStepError


@dataclass
class Parts:
    """The memory that a step computes with.

    Attributes
    ----------
    written : list of (what, memory)
        What a step writes.
    inside : list of (what, memory)
        What it computes and does not write.
    read : list of (what, memory)
        What it reads from outside.
    gathered : list of (array, Gathered)
        From where each array of rows comes.
    """

    written: list[tuple[str, int]] = field(default_factory=list)
    inside: list[tuple[str, int]] = field(default_factory=list)
    outside: list[tuple[str, int]] = field(default_factory=list)
    gathered: list[tuple[HostArray, Gathered]] = field(default_factory=list)

    def write(self, what: str, memory: int) -> None:
        """Add what a step writes."""
        self.written.append((what, memory))

    def intermediate(self, what: str, memory: int) -> None:
        """Add what a step computes and does not write."""
        self.inside.append((what, memory))

    def read(self, what: str, memory: int) -> None:
        """Add what a step reads from outside."""
        self.outside.append((what, memory))


@dataclass(frozen=True)
class Placed:
    """The tasks before and after a step, and which results of the step must be there for others."""

    before: Sequence[Task]
    after: Sequence[Task]
    reads_values: bool
    reads_gradients: bool


def place(
    calls: Calls,
    core: Sequence[Found],
    parts: Parts,
    *,
    values: int,
    gradients: int,
    moments: int,
) -> Placed:
    """Return where the calls go that are not the step's own, `core`, given in the step's order.

    Raises UnknownStepError where one of them can be done neither before nor after the step, or the step as a
    whole would leave other numbers than its calls.
    """
    tasks = list(calls.left)
    _check_memory(calls, parts)
    for each in tasks:
        _check_task(calls, each, parts, moments)
    before, after = _sides(calls, tasks)
    _check_order(calls.all, [*before, *core, *after])
    seen = 0
    for each in tasks:
        seen |= each.reads
    return Placed(
        [Task(each.operation, dict(each.arguments)) for each in before],
        [Task(each.operation, dict(each.arguments)) for each in after],
        reads_values=bool(seen & values),
        reads_gradients=bool(seen & gradients),
    )


def _check_memory(calls: Calls, parts: Parts) -> None:
    """Raise UnknownStepError where parts of the step share memory, or something is lost."""
    taken = 0
    for what, memory in (*parts.written, *parts.inside):
        if taken & memory:
            raise UnknownStepError(f"{what} share memory with something else that the step computes.")
        taken |= memory
    for what, memory in parts.inside:
        if memory & ~calls.scratch:
            raise UnknownStepError(f"{what} are to be kept.")
    for what, memory in parts.outside:
        if taken & memory:
            raise UnknownStepError(f"the step overwrites {what}.")


def _check_task(calls: Calls, task: Found, parts: Parts, moments: int) -> None:
    """Raise UnknownStepError for what is no task, reads what is not kept, or writes what the step does."""
    if task.operation not in TASKS:
        raise UnknownStepError(f"{task.operation} is there once more than the step needs it.")
    for what, memory in parts.inside:
        if task.reads & memory:
            raise UnknownStepError(f"{task.operation} reads {what}.")
        if task.writes & memory:
            raise UnknownStepError(f"{task.operation} writes to {what}.")
    for what, memory in parts.written:
        if task.writes & memory:
            raise UnknownStepError(f"{task.operation} writes to {what}.")
    if task.reads & moments:
        raise UnknownStepError(f"{task.operation} reads the moments.")
    _check_arrays(calls, task)


def _check_arrays(calls: Calls, task: Found) -> None:
    of, name = task.arguments, task.operation
    if name == "advance":
        calls.integers(of["cursor"], (1,), "a position")
        return
    if task.reads & task.writes:
        raise UnknownStepError(f"{name} writes what it reads.")
    if name == "sum_squares":
        source = rows_of(of["array"], "what is squared")
        calls.numbers(source, (source.size,), "what is squared")
        calls.numbers(of["out"], (1,), "a sum of squares")
        return
    source, out = (
        rows_of(of["values" if name == "put_rows" else "source"], "a source"),
        rows_of(of["out"], "a copy"),
    )
    alike = source.shape == out.shape if name == "copy" else source.shape[1:] == out.shape[1:]
    if source.dtype != out.dtype or not alike:
        raise UnknownStepError(f"{name} is asked for rows of another kind than it has.")
    if name != "copy":
        calls.integers(of["cursor"], (1,), "a position")
    if name == "take_rows":
        order = rows_of(of["order"], "an order")
        calls.integers(order, (order.size,), "an order")


def _sides(calls: Calls, tasks: Sequence[Found]) -> tuple[list[Found], list[Found]]:
    """Return the tasks before the step and those after it, in the program's order.

    Before are those whose results the step sees, or that see what it overwrites; the same through other
    tasks. All others are after.
    """
    before, after = _tied(tasks, reversed(calls.all)), _tied(tasks, calls.all)
    between = before & after
    if between:
        task = next(call for call in tasks if call in between)
        raise UnknownStepError(f"{task.operation} must be done in the midst of the step.")
    return [call for call in tasks if call in before], [call for call in tasks if call not in before]


def _tied(tasks: Iterable[Found], program: Iterable[Found]) -> set[Found]:
    """Return the tasks that are tied to calls of the step which they follow, by themselves or through others.

    Followed backwards, a program says which tasks are tied to what comes after them.
    """
    own, tied = set(tasks), set[Found]()
    reads = writes = 0  # of the step's calls so far, and of the tasks that are tied to them
    for call in program:
        if call in own:
            if not (call.writes & (reads | writes) or call.reads & writes):
                continue
            tied.add(call)
        reads, writes = reads | call.reads, writes | call.writes
    return tied


def _check_order(program: Sequence[Found], taken: Sequence[Found]) -> None:
    """Raise UnknownStepError unless the calls, in the order in which they are taken, see the same numbers."""
    positions = {call: position for position, call in enumerate(taken)}
    if len(positions) != len(program) or len(taken) != len(program):
        raise UnknownStepError("not every call is taken once.")
    passed: list[int] = []  # the positions of the calls so far, in ascending order
    for later in program:
        place = bisect(passed, positions[later])
        for position in passed[place:]:
            earlier = taken[position]
            if earlier.conflicts(later):
                raise UnknownStepError(
                    f"{later.operation} comes after {earlier.operation}, whose numbers it changes."
                )
        passed.insert(place, positions[later])

"""A program replayed on NumPy: the calls of its operations, bound once, in one flat list.

A replay makes no view and looks no attribute up, but where it goes by the position in the epoch or by numbers
that a step has; temporary arrays are allocated when the program is compiled.
"""

from __future__ import annotations

from fuseprop.backend import Program, Runner

from .operations import NumpyOperations
from .operations.calls import bound
from .plans import BoundCall


def bound_calls(backend: NumpyOperations, program: Program) -> list[BoundCall]:
    """Return the calls of a program, with temporary arrays of its own: threads replay side by side.

    What a subclass computes in its own way is a call of that.
    """
    operations = NumpyOperations(backend.dtype)
    calls: list[BoundCall] = []
    for call in program.calls:
        ours = getattr(NumpyOperations, call.operation, None)
        calls += bound(operations if getattr(type(backend), call.operation) is ours else backend, call)
    return calls


def replay_calls(backend: NumpyOperations, program: Program) -> Runner:
    """Return what makes a program's calls, in order, so many times."""
    calls = tuple(bound_calls(backend, program))

    def replay(times: int) -> None:
        for _ in range(times):
            for function, arguments in calls:
                function(*arguments)

    return replay

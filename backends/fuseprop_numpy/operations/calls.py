"""What an operation is: calls of NumPy, which it makes, and which a replay binds to be made again.

Arguments are positional, which is the cheapest call in Python, and numbers that meet an array are arrays of
no dimensions: a ufunc takes 438 ns with one and 616 ns with a NumPy scalar (measured, 32 x 32 float32).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from fuseprop.backend import Call, HostArray

from ..plans import BoundCall
from .scratch import Operations

Family = TypeVar("Family", bound=Operations)
P = ParamSpec("P")


def operation(
    calls: Callable[Concatenate[Family, P], Iterable[BoundCall]],
) -> Callable[Concatenate[Family, P], None]:
    """Turn a method that gives calls into one that makes them, in order.

    Which calls it gives must not depend on what arrays hold: a replay makes those of the first time.
    """

    @wraps(calls)
    def perform(self: Family, /, *operands: P.args, **options: P.kwargs) -> None:
        make(calls(self, *operands, **options))

    return perform


def make(calls: Iterable[BoundCall]) -> None:
    """Make calls, in order."""
    for function, arguments in calls:
        function(*arguments)


def either(number: HostArray, calls: Iterable[BoundCall], others: Iterable[BoundCall]) -> None:
    """Make calls unless a number is 0, and others where it is."""
    make(calls if number else others)


def bound(operations: Operations, call: Call) -> list[BoundCall]:
    """Return the calls of an operation; a method that is no `operation` is one call of itself."""
    method = getattr(operations, call.operation)
    calls = getattr(method, "__wrapped__", None)
    if calls is None:
        return [(partial(method, *call.operands, **call.options), ())]
    made: Iterable[BoundCall] = calls(operations, *call.operands, **call.options)
    return [(function, tuple(map(_lasting, arguments))) for function, arguments in made]


def _lasting(argument: Any) -> Any:
    """Return an argument, with calls among them as a list that can be gone through again."""
    return list(argument) if isinstance(argument, Iterator) else argument

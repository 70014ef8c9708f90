"""Expressions as plain data, which a file keeps as JSON, and back: nothing is ever executed.

An expression is a list with one entry for each of its parts, operands before what has them: a number, the
name of a variable, or a list [operation, place, ...] of an operation and the places of its operands in the
list. ``z * z + 1`` is ``["z", ["multiply", 0, 0], 1.0, ["add", 1, 2]]``.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Any, TypeAlias

from .expression import (
    COMPARISONS,
    MAX_OPERATIONS,
    OPERATIONS,
    Expression,
    apply,
    in_order,
    number,
    tiny,
    variable,
)

Data: TypeAlias = list[Any]


def to_data(expression: Expression) -> Data:
    """Return an expression as plain data."""
    order = in_order([expression])
    place = {node: i for i, node in enumerate(order)}
    made: Data = []
    for node in order:
        if node.op in ("number", "variable"):
            made.append(node.value)
        else:
            made.append([node.op, *(place[operand] for operand in node.args)])
    return made


def from_data(data: object, names: Collection[str], most: int = MAX_OPERATIONS) -> Expression:
    """Return the expression in plain data whose variables are among `names`.

    Raises ValueError for anything else than `to_data` returns, and for more than `most` parts.
    """
    if not isinstance(data, list) or not 0 < len(data) <= most:
        raise ValueError(
            f"a formula is a list of 1 to {most} entries, got "
            f"{f'{len(data)} of them' if isinstance(data, list) else type(data).__name__}."
        )
    made: list[Expression] = []
    for i, entry in enumerate(data):
        made.append(_part(i, entry, names, made))
    return made[-1]


def _part(i: int, entry: object, names: Collection[str], made: list[Expression]) -> Expression:
    if isinstance(entry, str) and entry in names:
        return variable(entry)
    if type(entry) in (int, float):
        with suppress(ValueError):  # infinite, or a whole number beyond float64
            return number(entry)  # type: ignore[arg-type]
    if isinstance(entry, list) and entry and isinstance(entry[0], str):
        op, *places = entry
        if op == "tiny" and not places:
            return tiny()
        fits = op in OPERATIONS and len(places) == OPERATIONS[op].arity
        if fits and all(type(place) is int and 0 <= place < i for place in places):
            operands = [made[place] for place in places]
            if op != "where" or operands[0].op in COMPARISONS:
                return apply(op, *operands)
    raise ValueError(
        f"entry {i} of a formula is {_shown(entry)}, which is no number, none of the variables "
        f"{', '.join(sorted(names))}, and no operation on entries before it."
    )


def _shown(entry: object) -> str:
    """Return what an entry is in 60 characters; `repr` of what is nested or long may fail, or take long."""
    if isinstance(entry, list):
        inside = ("[...]" if isinstance(each, list) else _shown(each) for each in entry[:5])
        return f"[{', '.join(inside)}]"[:60]
    if isinstance(entry, int) and entry.bit_length() > 200:
        return "a whole number too large"
    return f"{entry!r:.60}" if isinstance(entry, str | int | float | None) else type(entry).__name__

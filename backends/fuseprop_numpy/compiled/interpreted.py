"""Formulas as code for the library's interpreter; native/interpreter.hpp says what that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from fuseprop.backend import Expression, HostArray, in_order, variable

from .shapes import in_dtype

MOST_GIVEN, MOST_NUMBERS, MOST_REGISTERS = 8, 128, 32
"""The interpreter's limits: arrays that are given, settings and constants together, and registers."""


class CannotCompute(Exception):
    """The library cannot compute a formula; the text says why."""


class Program(NamedTuple):
    """The numbers of a formula, and what the interpreter does with them."""

    constants: HostArray
    code: HostArray


def assembled(
    results: Mapping[str, Expression],
    dtype: np.dtype[np.floating],
    operations: Mapping[str, int],
    *,
    given: Sequence[str],
    settings: Sequence[str] = (),
) -> Program:
    """Return code that computes formulas. Raises CannotCompute where the interpreter does not.

    Parameters
    ----------
    results : mapping
        By the name of an array that is given, the formula of what is written into it.
    dtype : numpy.dtype
    operations : mapping
        The numbers of the interpreter's operations.
    given : sequence of str
        The names of the arrays, read or written or both, in their order.
    settings : sequence of str
        The names of variables that are one number for all.
    """
    order = _computed(results.values())
    numeric = _of_numbers_alone(order, settings)
    todo = _paired([node for node in order if node not in numeric], results, operations)
    place = {node: i for i, node in enumerate(todo)}
    last = {operand: i for i, (_, operands) in enumerate(todo.values()) for operand in operands}
    straight = _written_straight(results, place, last)
    late = {name: node for name, node in results.items() if straight.get(node) != name}
    late = {name: node for name, node in late.items() if node is not variable(name)}
    last |= dict.fromkeys(late.values(), len(todo))

    constants = _Constants(dtype)
    at: dict[Expression, int] = {variable(name): i for i, name in enumerate([*given, *settings])}
    read = (*(each for node in numeric for each in _operands(node)), *last)
    for leaf in read:
        if leaf.op in ("number", "tiny"):
            at[leaf] = len(given) + len(settings) + constants.place(leaf)
    first_made = len(given) + len(settings) + len(constants.values)
    at |= {node: first_made + i for i, node in enumerate(numeric)}
    registers = _Registers(first_made + len(numeric))
    code: list[int] = []

    def emit(name: str, to: int, *operands: int) -> None:
        if name not in operations:
            raise CannotCompute(f"the library has no {name}")
        code.extend((operations[name], to, *operands))

    for node in numeric:
        emit(_name(node), at[node], *(at[each] for each in _operands(node)))
    length = len(code)
    for i, (node, (name, operands)) in enumerate(todo.items()):
        places = [at[each] for each in operands]
        for each in {*operands}:
            if last[each] == i:
                registers.release(at[each])
        at[node] = at[variable(straight[node])] if node in straight else registers.take()
        emit(name, at[node], *places)
    for name, node in late.items():  # all that is read, before anything is written over it
        if node.op == "variable":
            at[_at_the_end(name)] = registers.take()
            emit("copy", at[_at_the_end(name)], at[node])
    for name, node in late.items():
        emit("copy", at[variable(name)], at[_at_the_end(name) if node.op == "variable" else node])

    numbers = len(settings) + len(constants.values) + len(numeric)
    for what, needed, most in (
        ("moments", len(given), MOST_GIVEN),
        ("numbers", numbers, MOST_NUMBERS),
        ("numbers at a time to remember", registers.most, MOST_REGISTERS),
    ):
        if needed > most:
            raise CannotCompute(f"it has {needed} {what}; the library's interpreter has room for {most}")
    header = len(given), len(settings), registers.most, len(numeric), length
    return Program(np.array(constants.values, dtype), np.array([*header, *code], np.int32))


class _Registers:
    """Which registers are free; they are numbered from `first` on."""

    def __init__(self, first: int) -> None:
        self._first, self._free, self.most = first, list[int](), 0

    def take(self) -> int:
        if self._free:
            return heappop(self._free)
        self.most += 1
        return self._first + self.most - 1

    def release(self, operand: int) -> None:
        if operand >= self._first:
            heappush(self._free, operand)


class _Constants:
    """The numbers of a formula, those of equal bits once."""

    def __init__(self, dtype: np.dtype[np.floating]) -> None:
        self._dtype, self._places = dtype, dict[bytes, int]()
        self.values: list[np.floating] = []

    def place(self, node: Expression) -> int:
        assert not isinstance(node.value, str)
        value = in_dtype([node.value], self._dtype)[0]
        place = self._places.setdefault(value.tobytes(), len(self.values))
        if place == len(self.values):
            self.values.append(value)
        return place


def _at_the_end(name: str) -> Expression:
    """Return what stands for the value that is written to an array at the end."""
    return variable(f"{name} at the end")


def _operands(node: Expression) -> tuple[Expression, ...]:
    """Return what an operation reads; a comparison that only chooses is none of its own."""
    return (*node.args[0].args, *node.args[1:]) if node.op == "where" else node.args


def _name(node: Expression) -> str:
    return f"where_{node.args[0].op}" if node.op == "where" else node.op


def _computed(results: Iterable[Expression]) -> list[Expression]:
    """Return the operations that the interpreter does, operands before what has them."""
    order = in_order(results)
    needed = set(results)
    for node in reversed(order):
        if node in needed:
            needed.update(_operands(node))
    return [node for node in order if node in needed and node.args]


def _of_numbers_alone(order: Sequence[Expression], settings: Sequence[str]) -> dict[Expression, None]:
    """Return the operations on numbers and settings, such as 1 - b1: they are done once for all elements."""
    known = {variable(name) for name in settings}
    found: dict[Expression, None] = {}
    for node in order:
        if all(each in known or each in found or each.op in ("number", "tiny") for each in _operands(node)):
            found[node] = None
    return found


AFTER = {
    "add": ("add", "add"),
    "subtract": ("subtract", "from"),
    "multiply": ("multiply", "multiply"),
    "divide": ("divide", "into"),
}
"""How the interpreter calls the second operation of a pair whose first one is left, and right, of it."""


def _paired(
    order: Sequence[Expression], results: Mapping[str, Expression], operations: Container[str]
) -> dict[Expression, tuple[str, tuple[Expression, ...]]]:
    """Return by operation how the interpreter calls it, and what it reads.

    One whose result is the operand of one other alone is done together with that.
    """
    uses = Counter([*results.values(), *(each for node in order for each in _operands(node))])
    todo = {node: (_name(node), _operands(node)) for node in order}
    for node in reversed(order):
        if node not in todo or node.op not in AFTER:
            continue
        for side in (0, 1):
            first, other = node.args[side], node.args[1 - side]
            name = f"{first.op}_{AFTER[node.op][side]}"
            if first in todo and uses[first] == 1 and name in operations:
                todo[node] = name, (*first.args, other)
                del todo[first]
                break
    return todo


def _written_straight(
    results: Mapping[str, Expression], place: Mapping[Expression, int], last: Mapping[Expression, int]
) -> dict[Expression, str]:
    """Return by operation into which array it writes: one whose old contents nobody reads later."""
    straight: dict[Expression, str] = {}
    for name, node in results.items():
        old = variable(name)
        is_read_later = last.get(old, -1) > place.get(node, -1) or old in set(results.values())
        if node in place and node not in straight and not is_read_later:
            straight[node] = name
    return straight

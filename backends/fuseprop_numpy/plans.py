"""A formula as a plan: NumPy calls over numbered slots, in place, and which arrays the slots are.

`Instructions` collects the calls of a formula, each with the values that it computes with, and gives every
value a slot: an output's own, or that of a temporary array, which is free again after the value's last use.
A `Plan` gives the calls on arrays that it is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from operator import itemgetter
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

from fuseprop.backend import HostArray, Shape

BoundCall: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function and its arguments, all positional: that is the cheapest call in Python."""

Slots: TypeAlias = list[HostArray]

Step: TypeAlias = tuple[Callable[..., Any], Callable[[Slots], tuple[HostArray, ...]]]
"""A function, and what picks its arguments from the slots."""

Kind: TypeAlias = Literal["float", "mask", "bits"]
"""Of an array: floats, truth values, or unsigned integers as wide as a float."""

FIRST = "float 0"
"""The name of the temporary array that a plan takes first, and in which a bias or row weights are spread."""

APART = frozenset({np.sign})
"""What is slow in place: 30 us against 15 at 128 x 128 (measured)."""


class Room(Protocol):
    """Where temporary arrays come from: by name, shape and dtype, of which the backend's is the default."""

    def __call__(self, name: str, shape: Shape, dtype: Any = None) -> HostArray: ...


@dataclass(frozen=True)
class Plan:
    """Calls over slots: numbers of no dimensions first, then what is given, temporary arrays, views.

    Attributes
    ----------
    constants : list of array ()
        The first of the numbers; those that are given come next.
    scalars : list of (name, dtype)
        The last of the numbers, which the plan computes.
    temporaries : list of (name, dtype)
    viewed : list of int
        Slots of which a view as unsigned integers follows.
    bits : numpy.dtype
        Those integers.
    steps : list of Step
    """

    constants: Slots
    scalars: list[tuple[str, Any]]
    temporaries: list[tuple[str, Any]]
    viewed: list[int]
    bits: np.dtype[Any]
    steps: list[Step]

    def calls(
        self, given: Iterable[HostArray], shape: Shape, room: Room, numbers: Iterable[HostArray] = ()
    ) -> Iterator[BoundCall]:
        """Give the calls on these arrays of a shape and these numbers of none."""
        slots = [*self.constants, *numbers]
        slots += [room(name, (), dtype) for name, dtype in self.scalars]
        slots += given
        slots += [room(name, shape, dtype) for name, dtype in self.temporaries]
        slots += [slots[slot].view(self.bits) for slot in self.viewed]
        for function, pick in self.steps:
            yield function, pick(slots)


@dataclass(eq=False)
class Value:
    """What a call computes, or an array or a number that is given.

    Attributes
    ----------
    kind : "float" | "mask" | "bits"
    is_number : bool
        Whether it has no dimensions.
    name : str, optional
        Of what is given.
    constant : array (), optional
        Of a number that is known.
    """

    kind: Kind = "float"
    is_number: bool = False
    name: str | None = None
    constant: HostArray | None = None


@dataclass
class Instruction:
    """One call.

    Attributes
    ----------
    result : Value
    function : callable
    operands : tuple of Value
    order : str
        Where what it writes stands among its arguments: "last", "first", or "in place" of the first operand.
    as_bits : bool
        Whether floats are taken as unsigned integers.
    """

    result: Value
    function: Callable[..., Any]
    operands: tuple[Value, ...]
    order: Literal["last", "first", "in place"] = "last"
    as_bits: bool = False


@dataclass
class Instructions:
    """The calls of a formula, in order, before it is settled which array holds which value.

    Parameters
    ----------
    dtype : numpy.dtype
    numbers, given : sequence of str
        The names of what is given: numbers of no dimensions, and arrays.
    aliases : mapping
        By the name of an array that is written, those of the given arrays that it may be the same as. An
        array that is both read and written is its own.
    """

    dtype: np.dtype[Any]
    numbers: Sequence[str]
    given: Sequence[str]
    aliases: Mapping[str, Collection[str]]
    calls: list[Instruction] = field(default_factory=list)

    def add(
        self,
        function: Callable[..., Any],
        *operands: Value,
        kind: Kind = "float",
        is_number: bool | None = None,
        **options: Any,
    ) -> Value:
        """Append a call and return its result, which is a number if all operands are."""
        if is_number is None:
            is_number = all(operand.is_number for operand in operands)
        result = operands[0] if options.get("order") == "in place" else None
        made = Value(result.kind if result else kind, is_number)
        self.calls.append(Instruction(made, function, operands, **options))
        return made

    def copy(self, value: Value, kind: Kind = "float", *, is_number: bool = False) -> Value:
        """Append a copy to an array, or to a number."""
        return self.add(np.copyto, value, kind=kind, is_number=is_number, order="first")

    def plan(self, results: Mapping[str, Value]) -> Plan:
        """Return the plan that leaves each result in the array of that name."""
        return _Placing(self, results).plan()


class _Placing:
    """Gives every value its slot, going once through the calls."""

    def __init__(self, instructions: Instructions, results: Mapping[str, Value]) -> None:
        self._dtype, self._aliases = instructions.dtype, instructions.aliases
        self._bits = np.dtype(f"u{instructions.dtype.itemsize}")
        self._calls, goals = self._with_own_values(instructions, results)
        self._results = {output: value for value, output in goals.items()}
        self._last: dict[
            Any, float
        ] = {}  # by value, and by name of what is given: the last call that reads it
        for at, call in enumerate(self._calls):
            for operand in call.operands:
                self._last[operand] = self._last[operand.name] = at
        self._due: dict[str, int] = {}  # by output, the call that computes it
        for at, call in enumerate(self._calls):
            if call.result in goals:
                self._due[goals[call.result]] = at
        for call in reversed(self._calls):  # what is written over becomes the result where it stands
            if call.order == "in place" and call.result in goals:
                goals[call.operands[0]] = goals[call.result]
        self._goals = goals
        self._last |= dict.fromkeys(self._results.values(), inf)

        constants = [
            operand
            for operand in dict.fromkeys(each for call in self._calls for each in call.operands)
            if operand.constant is not None
        ]
        scalars = [call.result for call in self._calls if call.result.is_number and call.order != "in place"]
        self._constants, self._scalars = constants, scalars
        names = [*instructions.numbers, *(f"number {i}" for i in range(len(scalars))), *instructions.given]
        self._slots: dict[str, int] = {name: len(constants) + i for i, name in enumerate(names)}
        self._places: dict[Value, int] = {value: i for i, value in enumerate(constants)}
        for i, value in enumerate(scalars):
            self._places[value] = self._slots[f"number {i}"]
        self._first = len(constants) + len(names)  # of the temporary arrays
        self._kinds: list[Kind] = []  # of those
        self._held: dict[int, Value] = {}  # by slot, the value that was put there last

    @staticmethod
    def _with_own_values(
        instructions: Instructions, results: Mapping[str, Value]
    ) -> tuple[list[Instruction], dict[Value, str]]:
        """Return the calls and each result's output; what is given, or is two results, is copied."""
        copies = Instructions(instructions.dtype, (), (), {}, list(instructions.calls))
        goals: dict[Value, str] = {}
        for output, value in results.items():
            computed = value.name is None and value.constant is None and not value.is_number
            goals[value if computed and value not in goals else copies.copy(value)] = output
        return copies.calls, goals

    def plan(self) -> Plan:
        steps: list[Step] = []
        views: dict[int, int] = {}  # by position among the views, once all temporary arrays are known
        made: list[tuple[Instruction, list[int]]] = []
        for at, call in enumerate(self._calls):
            places = [self._place(operand) for operand in call.operands]
            if call.order == "in place":
                out = places.pop(0)
                self._places[call.result] = out
                self._held[out] = call.result
            else:
                out = self._room(call, at)
            made.append((call, [*places, out] if call.order == "last" else [out, *places]))
        moves = [
            [self._slots[output], self._places[value]]
            for output, value in self._results.items()
            if self._places[value] != self._slots[output]
        ]
        beyond = self._first + len(self._kinds)
        for call, places in made:
            if call.as_bits:
                places = [self._viewed(place, views, beyond) for place in places]
            steps.append((call.function, itemgetter(*places)))
        steps += [(np.copyto, itemgetter(*places)) for places in moves]
        counts: Counter[Kind] = Counter()
        temporaries: list[tuple[str, Any]] = []
        for kind in self._kinds:
            temporaries.append((f"{kind} {counts[kind]}", self._dtype_of(kind)))
            counts[kind] += 1
        dtypes = [self._dtype_of(each.kind) for each in self._scalars]
        scalars: list[tuple[str, Any]] = [(f"number {i} {dtype}", dtype) for i, dtype in enumerate(dtypes)]
        constants = [each.constant for each in self._constants if each.constant is not None]
        return Plan(constants, scalars, temporaries, list(views), self._bits, steps)

    def _dtype_of(self, kind: Kind) -> np.dtype[Any]:
        return {"float": self._dtype, "mask": np.dtype(np.bool_), "bits": self._bits}[kind]

    def _place(self, value: Value) -> int:
        return self._places[value] if value.name is None else self._slots[value.name]

    def _viewed(self, place: int, views: dict[int, int], beyond: int) -> int:
        """Return the slot of a view as unsigned integers; numbers and arrays that are such have none."""
        if place >= self._first and self._kinds[place - self._first] == "bits":
            return place
        return views.setdefault(place, beyond + len(views))

    def _room(self, call: Instruction, at: int) -> int:
        """Return the slot for what a call computes."""
        value = call.result
        if value in self._places:
            return self._places[value]
        slot = self._free(call, at)
        self._places[value], self._held[slot] = slot, value
        return slot

    def _free(self, call: Instruction, at: int) -> int:
        """Return a slot: the output's own, another output's, that of a temporary array, or a new one.

        An operation may write over an operand that nothing reads later, but for those of `APART`.
        """
        value = call.result
        taken = {self._place(operand) for operand in call.operands} if call.function in APART else ()
        if value.kind == "float":
            own = self._goals.get(value)
            outputs = [name for name in self._results if name != own]
            for output in [own, *outputs] if own is not None else outputs:
                slot = self._slots[output]
                if slot not in taken and self._is_free(slot, at) and self._may_take(output, value, at):
                    return slot
        for slot, kind in enumerate(self._kinds, self._first):
            if kind == value.kind and slot not in taken and self._is_free(slot, at):
                return slot
        self._kinds.append(value.kind)
        return self._first + len(self._kinds) - 1

    def _is_free(self, slot: int, at: int) -> bool:
        return slot not in self._held or self._last.get(self._held[slot], at) <= at

    def _may_take(self, output: str, value: Value, at: int) -> bool:
        """Whether an output's array may hold a value: its aliases are read, and it is free when due."""
        if any(self._last.get(name, -1) > at for name in self._aliases.get(output, ())):
            return False
        due = self._due[output] - (self._calls[self._due[output]].function in APART)
        return self._goals.get(value) == output or self._last.get(value, at) <= due

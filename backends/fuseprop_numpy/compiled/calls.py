"""The calls of a program with their arguments by name; found by operation and by where their arrays are."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from fuseprop.backend import INTEGER, BackendForProcesses, Call, HostArray, Place, Program, Shape

from .step import UnknownStepError

TASKS = ("take_rows", "put_rows", "advance", "sum_squares", "copy")
"""What may be done before and after a step."""

LOSSES = ("loss_of_rows", "softmax_cross_entropy")

HITS = ("argmax_equals", "threshold_equals")

KNOWN = frozenset(
    (
        "matmul",
        "bias_activation",
        "activation_backward",
        "dropout",
        "all_reduce",
        "clip_norm",
        "update",
        "softmax",
        *LOSSES,
        *HITS,
        *TASKS,
    )
)
"""The operations that a step or a forward pass may be made of."""


@dataclass(eq=False)
class Found:
    """A call of a program.

    Attributes
    ----------
    operation : str
    arguments : mapping
        By the names of the protocol; without those that have their defaults.
    reads, writes : int
        The memory that it reads and writes, as `Memory.regions`.
    """

    operation: str
    arguments: Mapping[str, Any]
    reads: int
    writes: int

    def conflicts(self, later: Found) -> bool:
        """Whether one of the two sees what the other writes, so that they must keep their order."""
        return bool(self.writes & (later.reads | later.writes) or self.reads & later.writes)


class Calls:
    """All calls of a program; a step takes each of them once.

    Attributes
    ----------
    all : list of Found
        In the program's order.
    left : list of Found
        Those that are not taken yet.
    scratch : int
        The memory that the program may leave as it likes.
    """

    def __init__(self, program: Program, dtype: np.dtype[Any]) -> None:
        memory = program.memory
        self._places, self._regions, self._dtype = memory.places, memory.regions, dtype
        for call in program.calls:
            for array in (*call.reads, *call.writes):
                if not isinstance(array, np.ndarray):
                    raise UnknownStepError(f"{call.operation} is given {type(array).__name__} as an array.")
        self.all = [
            Found(call.operation, _by_name(call), self.memory(*call.reads), self.memory(*call.writes))
            for call in program.calls
        ]
        self.left = list(self.all)
        self._left_of: dict[str, list[Found]] = defaultdict(list)  # by operation
        for found in self.all:
            self._left_of[found.operation].append(found)
        self.scratch = self.memory(*program.scratch)

    def memory(self, *arrays: Any) -> int:
        """Return the memory that these arrays span."""
        spanned = 0
        for array in arrays:
            spanned |= self._regions[id(array)]
        return spanned

    def place(self, array: Any) -> Place | None:
        """Return where an array is; None for what no call reads or writes."""
        return self._places.get(id(array))

    def same(self, array: Any, other: Any) -> bool:
        """Whether another array is the same as one that is contiguous."""
        if self._places[id(array)] != self._places.get(id(other)):
            return False
        return array.dtype == other.dtype and bool(other.flags.c_contiguous)

    def is_transposed(self, array: Any, of: HostArray) -> bool:
        """Whether an array is the transpose of another."""
        address, shape = self._places[id(of)]
        alike = self.place(array) == (address, shape[::-1])
        return alike and array.dtype == of.dtype and bool(array.flags.f_contiguous)

    def matching(self, operation: str, **arrays: HostArray) -> list[Found]:
        """Return the calls left of an operation that have these arrays as these arguments."""
        return [
            found
            for found in self._left_of[operation]
            if all(self.same(array, found.arguments.get(name)) for name, array in arrays.items())
        ]

    def take(self, what: str, found: list[Found]) -> Found:
        """Take the one call that was found. Raises UnknownStepError where there is none, or more."""
        if len(found) != 1:
            raise UnknownStepError(f"{what} is computed by {len(found) or 'no'} calls instead of one.")
        self.left.remove(found[0])
        self._left_of[found[0].operation].remove(found[0])
        return found[0]

    def numbers(self, array: Any, shape: Shape, what: str) -> HostArray:
        """Return an array of the backend's dtype; raise UnknownStepError for one of another kind or shape."""
        return _checked(array, self._dtype, shape, what)

    def integers(self, array: Any, shape: Shape, what: str) -> HostArray:
        """Return an array of whole numbers; raise UnknownStepError for one of another kind or shape."""
        return _checked(array, INTEGER, shape, what)


def rows_of(array: Any, what: str) -> HostArray:
    """Return an array with rows, of any dtype; raise UnknownStepError for one that is not contiguous."""
    if not isinstance(array, np.ndarray) or not array.ndim:
        raise UnknownStepError(f"{what} is no array of rows.")
    return _checked(array, array.dtype, array.shape, what)


def _checked(array: Any, dtype: np.dtype[Any], shape: Shape, what: str) -> HostArray:
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
        kind = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise UnknownStepError(f"{what} is {kind} instead of {dtype} {shape}.")
    flags = array.flags
    if not (flags.c_contiguous and flags.aligned) or dtype.hasobject:
        raise UnknownStepError(f"{what} does not lie in memory row after row.")
    return array


def _by_name(call: Call) -> dict[str, Any]:
    if call.operation not in KNOWN or call.access is not None:
        raise UnknownStepError(f"{call.operation} is no part of a training step.")
    names, required = _parameters(call.operation)
    given = {**dict(zip(names, call.operands, strict=False)), **call.options}
    if len(call.operands) > len(names) or not required <= given.keys() <= names.keys():
        raise UnknownStepError(f"{call.operation} has other arguments than the protocol's.")
    return given


@cache
def _parameters(operation: str) -> tuple[dict[str, None], frozenset[str]]:
    """Return the names of an operation's parameters in their order, and those that have no default."""
    _, *parameters = inspect.signature(getattr(BackendForProcesses, operation)).parameters.values()
    required = frozenset(each.name for each in parameters if each.default is each.empty)
    return {each.name: None for each in parameters}, required

"""Which memory a call or a launch touches: views of one flat buffer are told apart by their addresses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from fuseprop.backend import Call

from .shapes import Array

IN_PLACE = {"advance", "clip_norm", "momentum_sgd", "adam", "keep_losses", "update_and_advance"}
"""The operations that write arrays which they are given by position."""


class Span(NamedTuple):
    """The addresses [start, stop)."""

    start: int
    stop: int

    def meets(self, others: Iterable[Span]) -> bool:
        """Whether it shares memory with one of the others."""
        return any(self.start < other.stop and other.start < self.stop for other in others)


def span(array: Array) -> Span:
    """Return the memory of a contiguous array, or of its transposed view."""
    return Span(array.data.ptr, array.data.ptr + array.nbytes)


def spans(values: Iterable[Any]) -> list[Span]:
    """Return the memory of all arrays among these, in tuples and calls too."""
    found: list[Span] = []
    for value in values:
        if isinstance(value, Call):
            found += spans((*value.operands, *value.options.values()))
        elif isinstance(value, tuple):
            found += spans(value)
        elif hasattr(getattr(value, "data", None), "ptr"):
            found.append(span(value))
    return found


def reads(call: Call) -> list[Span]:
    """Return what a call reads: the arrays that it is given by position, but no outputs whose slope is 1."""
    if call.operation == "activation_backward" and call.operands[2] == "identity":
        return spans(call.operands[:1])
    return spans(call.operands)


def writes(call: Call) -> list[Span]:
    """Return what a call writes: arrays given by name, and by position if it works in place."""
    in_place = reads(call) if call.operation in IN_PLACE else []
    return [*spans(call.options.values()), *in_place]


def touches(call: Call, memory: Iterable[Span]) -> bool:
    """Whether a call reads or writes any of this memory."""
    places = list(memory)
    return any(each.meets(places) for each in (*reads(call), *writes(call)))

"""A training step cut into parts that threads run in parallel, in two stages.

First the rows of the batch: each part goes forward and backward with gradients of its own. Then the
parameters: each part is a range of them, over which the gradients are added up, in the order of the rows, and
updated.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fuseprop.backend import Call, HostArray, Program

UPDATE = "update"
METRICS = {"argmax_equals", "threshold_equals"}


class CannotCutError(Exception):
    """The program is not a step that treats each row of its batch apart."""


@dataclass(frozen=True)
class Parts:
    """The two stages.

    Attributes
    ----------
    rows : programs, one a part of the batch; the first also makes the calls that belong to no row
    gradients : flat gradients (P,) of each; the first are the network's own
    ranges : (start, stop) of each part of the parameters
    updates : programs, one a range; the first also advances the cursors
    """

    rows: list[Program]
    gradients: list[HostArray]
    ranges: list[tuple[int, int]]
    updates: list[Program]


def cut(program: Program, count: int) -> Parts:
    """Cut a step into `count` parts of its rows and of its parameters. Raises CannotCutError."""
    updates = [call for call in program.calls if call.operation == UPDATE]
    gathers = [call for call in program.calls if call.operation == "take_rows"]
    if len(updates) != 1 or not gathers:
        raise CannotCutError
    update, n = updates[0], len(gathers[0].options["out"])
    values, flat = update.operands[:2]
    gradients = [flat, *more_like(flat, count - 1)]
    rows = [RowsOfStep(program, n * i // count, n * (i + 1) // count, own) for i, own in enumerate(gradients)]
    ranges = [(len(values) * i // count, len(values) * (i + 1) // count) for i in range(count)]
    advances = [call for call in program.calls if call.operation == "advance"]
    return Parts(
        [Program(tuple(part.calls(program, once=part is rows[0])), program.scratch) for part in rows],
        gradients,
        ranges,
        [
            Program((_within(update, start, stop), *(() if start else advances)), program.scratch)
            for start, stop in ranges
        ],
    )


def more_like(flat: HostArray, count: int) -> list[HostArray]:
    """Return flat gradients beside a network's own: the same for all its steps, as long as it lives."""
    more = _MORE.setdefault(id(flat), [])
    if not more:
        weakref.finalize(flat, _MORE.pop, id(flat), None)
    while len(more) < count:
        more.append(np.zeros_like(flat))
    return more[:count]


_MORE: dict[int, list[HostArray]] = {}


class RowsOfStep:
    """Rows [start, stop) of a step, with flat gradients of their own."""

    def __init__(self, program: Program, start: int, stop: int, gradients: HostArray) -> None:
        self._start, self._stop, self._own = start, stop, gradients
        (update,) = (call for call in program.calls if call.operation == UPDATE)
        self._flat: HostArray = update.operands[1]
        first = next(call for call in program.calls if call.operation == "take_rows")
        self._cursor, self._n = first.operands[2], len(first.options["out"])
        self._places, self._regions = program.memory.places, program.memory.regions
        self._of_rows = self._regions[id(self._flat)]
        for array in program.scratch:
            self._of_rows |= self._regions[id(array)]
        self._scratch = {self._places[id(array)] for array in program.scratch}

    def calls(self, program: Program, *, once: bool) -> list[Call]:
        """Return these rows' part of every call and, with `once`, the calls that belong to no row."""
        made = []
        for call in program.calls:
            if call.operation == UPDATE or call.operation == "advance":
                continue
            if self._goes_by_rows(call):
                made.append(self._part(call))
            elif once:
                made.append(call)
        return made

    def _goes_by_rows(self, call: Call) -> bool:
        """Whether a call touches rows of the batch or goes by its cursor; others are made once."""
        at_cursor = any(operand is self._cursor for operand in call.operands)
        touched = (*call.reads, *call.writes)
        return at_cursor or any(self._of_rows & self._regions[id(array)] for array in touched)

    def _part(self, call: Call) -> Call:
        operands, options = call.operands, call.options
        rows, start = self._rows, self._start
        match call.operation:
            case "take_rows":
                source, order, cursor = operands
                return replace(call, operands=(source, order[start:], cursor), options=self._all(options))
            case "put_rows":
                values, cursor = operands
                return replace(call, operands=(rows(values), cursor), options={"out": options["out"][start:]})
            case "matmul" if self._places[id(options["out"])] in self._scratch:
                return replace(call, operands=(rows(operands[0]), operands[1]), options=self._all(options))
            case "matmul":
                x, delta = operands[0].T, operands[1]
                out = self._gradient(options["out"])
                return replace(call, operands=(rows(x).T, rows(delta)), options={"out": out})
            case "bias_activation":
                return replace(call, operands=(rows(operands[0]), *operands[1:]), options=self._all(options))
            case "activation_backward":
                gradient, point, activation = operands
                return replace(
                    call,
                    operands=(rows(gradient), rows(point), activation),
                    options={
                        "out": rows(options["out"]),
                        "bias_gradient": self._gradient(options["bias_gradient"]),
                    },
                )
        if "losses" in options or call.operation in METRICS:
            of_rows = tuple(rows(each) if isinstance(each, np.ndarray) else each for each in operands)
            return replace(call, operands=of_rows, options=self._all(options))
        raise CannotCutError

    def _rows(self, array: HostArray) -> HostArray:
        if len(array) != self._n:
            raise CannotCutError
        return array[self._start : self._stop]

    def _all(self, options: object) -> dict[str, HostArray]:
        assert isinstance(options, dict)
        return {name: self._rows(array) for name, array in options.items() if array is not None}

    def _gradient(self, view: HostArray) -> HostArray:
        """Return the view of `_own` at the place that a view of the network's gradients has there."""
        (start, _), (at, _) = self._places[id(self._flat)], self._places[id(view)]
        offset = (at - start) // self._flat.itemsize
        if not 0 <= offset <= len(self._flat) - view.size:
            raise CannotCutError
        return self._own[offset : offset + view.size].reshape(view.shape)


def _within(update: Call, start: int, stop: int) -> Call:
    """Return an update of the parameters [start, stop) alone."""
    values, gradients, moments, settings, formula = update.operands
    operands = values[start:stop], gradients[start:stop], moments[:, start:stop], settings, formula
    ranges: Sequence[tuple[int, int]] = update.options["decay_ranges"]
    inside = [(max(a, start) - start, min(b, stop) - start) for a, b in ranges if a < stop and b > start]
    return replace(update, operands=operands, options={**update.options, "decay_ranges": inside})

"""Replaying a program on NumPy: a flat list of prebound calls.

In a replay no view is made, no attribute looked up and no Python number computed with, but for the position
in the epoch, which changes from step to step; temporary space is allocated when the program is compiled.
Numbers that meet an array are arrays of no dimensions: a ufunc takes 438 ns with one and 616 ns with a NumPy
scalar (measured, 32 x 32 float32).

The arithmetic is that of `NumpyBackend`, but for what saves a pass: a hidden sigmoid goes through tanh, at
half the time and within 1 eps; softmax divides by its sum and multiplies by the row's weight at once; and
the learning rate may be folded into the row weights, see `folding`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np

from fuseprop.backend import Call, HostArray, Program, Shape, overlaps, place

from ..folding import Folding, folding
from ..operations.calls import runner
from ..operations.dense import DenseCalls
from ..operations.row_reductions import ReductionCalls
from ..operations.updates import UpdateCalls
from .position import cursor_of, visits


class CompiledProgram(DenseCalls, ReductionCalls, UpdateCalls):
    """The prebound calls of one program; `run` makes them in order.

    Parameters
    ----------
    backend : NumpyBackend
        It does the operations that have no prebound form, which is a method `_matmul`, `_adam`, ... here.
    program : Program
    fold : Folding, optional
        How the learning rate is folded; by default as the program allows.
    """

    def __init__(self, backend: Any, program: Program, fold: Folding | None = None) -> None:
        super().__init__(backend.dtype)
        self._backend = backend
        self.folding = fold or folding(program)
        self._program = program
        self._hits: dict[tuple[int, Shape], HostArray] = {}
        for _, group in groupby(program.calls, lambda call: id(cursor_of(call))):
            calls = list(group)
            cursor = cursor_of(calls[0])
            if cursor is not None:
                self._go_by(cursor, calls)
                continue
            for call in calls:
                self._compile(call)
        self.run = runner(self.bound)

    def _go_by(self, cursor: HostArray, calls: Sequence[Call]) -> None:
        for visit in visits(cursor, [self._with_hits(call) for call in calls]):
            self.add(visit.step())

    def _with_hits(self, call: Call) -> Call:
        if call.operation != "put_rows":
            return call
        values, cursor = call.operands
        return Call("put_rows", (self._hits.get(place(values), values), cursor), call.options)

    def keep(self, hits: HostArray, out: HostArray) -> None:
        """Append out = hits; or, if the program only puts `out` elsewhere, let it put the truth values."""
        if self._is_only_put(out):
            self._hits[place(out)] = hits
        else:
            super().keep(hits, out)

    def _is_only_put(self, array: HostArray) -> bool:
        if place(array) not in map(place, self._program.scratch):
            return False
        readers = [call for call in self._program.calls if call.operation != "put_rows"]
        return not any(overlaps(array, call.reads) for call in readers)

    def _compile(self, call: Call) -> None:
        operands = call.operands
        if self.folding is not None and "losses" in call.options:
            output, target, row_weights, *others = operands
            scaled = self.temporary("scaled", row_weights.shape)
            if self.folding.unfolds:
                self.add(self.folding.set_scale)
            self.add(np.multiply, row_weights, self.folding.scale, scaled)
            operands = output, target, scaled, *others
        shorter = getattr(self, f"_{call.operation}", None)
        if shorter is None:
            method = getattr(self._backend, call.operation)
            self.add(partial(method, *operands, **call.options))
        else:
            shorter(*operands, **call.options)

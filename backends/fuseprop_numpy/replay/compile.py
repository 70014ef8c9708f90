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

from functools import partial
from typing import Any

import numpy as np

from fuseprop.backend import Call, HostArray, Place, Program

from ..folding import Folding, folding
from ..operations.calls import BoundCall, runner
from ..operations.dense import DenseCalls
from ..operations.row_reductions import ReductionCalls
from ..operations.updates import UpdateCalls
from .position import Visit, with_visits


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
        self._hits: dict[Place, HostArray] = {}
        for part in with_visits(program.calls):
            if isinstance(part, Visit):
                self._go_by(part)
            else:
                self._compile(part)
        self.run = runner(self.bound)

    def _go_by(self, visit: Visit) -> None:
        places = self._program.memory.places
        visit.puts = [(out, self._hits.get(places[id(values)], values)) for out, values in visit.puts]
        self.bound.append((visit.step(), ()))

    def keep(self, hits: HostArray, out: HostArray) -> list[BoundCall]:
        """Return the call out = hits; or none, if the program only puts `out`: then it puts the hits."""
        if self._is_only_put(out):
            self._hits[self._program.memory.places[id(out)]] = hits
            return []
        return super().keep(hits, out)

    def _is_only_put(self, array: HostArray) -> bool:
        program, places, regions = self._program, self._program.memory.places, self._program.memory.regions
        if all(places[id(array)] != places[id(each)] for each in program.scratch):
            return False
        readers = [call for call in program.calls if call.operation != "put_rows"]
        read = [each for call in readers for each in call.reads]
        return all(regions[id(array)].isdisjoint(regions[id(each)]) for each in read)

    def _compile(self, call: Call) -> None:
        operands = call.operands
        if self.folding is not None and "losses" in call.options:
            output, target, row_weights, *others = operands
            scaled = self.temporary("scaled", row_weights.shape)
            if self.folding.unfolds:
                self.bound.append((self.folding.set_scale, ()))
            self.bound.append((np.multiply, (row_weights, self.folding.scale, scaled)))
            operands = output, target, scaled, *others
        prebound = getattr(self, f"_{call.operation}", None)
        if prebound is None:
            method = getattr(self._backend, call.operation)
            self.bound.append((partial(method, *operands, **call.options), ()))
        else:
            self.bound += prebound(*operands, **call.options)

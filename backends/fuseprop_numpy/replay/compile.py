"""Replaying a program on NumPy: a flat list of prebound calls.

In a replay no view is made, no attribute looked up and no Python number computed with, but for the position
in the epoch, which changes from step to step; temporary space is allocated when the program is compiled.
Numbers that meet an array are arrays of no dimensions: a ufunc takes 438 ns with one and 616 ns with a NumPy
scalar (measured, 32 x 32 float32).

The arithmetic is that of `NumpyBackend`, but for what saves a pass: an activation takes its fast form, such
as a sigmoid through tanh, at half the time and within 1 eps; the constant factor of a loss joins the row
weights; softmax divides by its sum and multiplies by the row's weight at once; and the learning rate may be
folded into the row weights, see `folding`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from fuseprop.backend import Call, HostArray, Program

from ..folding import Folding, folding
from ..operations.arrays import ArrayCalls
from ..operations.calls import runner
from ..operations.dense import DenseCalls
from ..operations.row_reductions import ReductionCalls
from ..operations.updates import UpdateCalls
from ..plans import BoundCall
from .position import Visit, with_visits


class CompiledProgram(ArrayCalls, DenseCalls, ReductionCalls, UpdateCalls):
    """The prebound calls of one program; `run` makes them in order.

    Parameters
    ----------
    backend : NumpyBackend
        It does the operations that have no prebound form, which is a method `_matmul`, `_update`, ... here.
    program : Program
    fold : Folding, optional
        How the learning rate is folded; by default as the program allows.
    """

    def __init__(self, backend: Any, program: Program, fold: Folding | None = None) -> None:
        super().__init__(backend.dtype)
        self.folding = fold or folding(program)
        self._program = program
        self._hits: dict[int, HostArray] = {}  # truth values to put, by `id` of what the program says to put
        for part in self.parts():
            if isinstance(part, Visit):
                self.bound.append((part.step(self._hits), ()))
                continue
            operands = part.operands
            if self.folding is not None and "losses" in part.options:
                operands = self._with_weights_scaled(operands, self.folding)
            prebound = getattr(self, f"_{part.operation}", None)
            if prebound is None:
                method = getattr(backend, part.operation)
                self.bound.append((partial(method, *operands, **part.options), ()))
            else:
                self.bound += prebound(*operands, **part.options)
        self.run = runner(self.bound)

    def parts(self) -> Sequence[Call | Visit]:
        """Return what is compiled, in order: the program's calls, those at its cursor as visits."""
        return with_visits(self._program.calls)

    def _with_weights_scaled(self, operands: Sequence[Any], fold: Folding) -> tuple[Any, ...]:
        """Return a loss's operands with the row weights that the learning rate scales."""
        output, target, row_weights, *others = operands
        scaled = self.temporary("scaled", row_weights.shape)
        if fold.unfolds:
            self.bound.append((fold.set_scale, ()))
        self.bound.append((np.multiply, (row_weights, fold.scale, scaled)))
        return output, target, scaled, *others

    def keep(self, hits: HostArray, out: HostArray) -> Sequence[BoundCall]:
        """Return the call out = hits; or none, if the program only puts `out`: then it puts the hits."""
        if not self._is_only_put(out):
            return super().keep(hits, out)
        calls, places = self._program.calls, self._program.memory.places
        put = [call.operands[0] for call in calls if call.operation == "put_rows"]
        self._hits |= {id(values): hits for values in put if places[id(values)] == places[id(out)]}
        return ()

    def _is_only_put(self, array: HostArray) -> bool:
        calls, memory = self._program.calls, self._program.memory
        place, own = memory.places[id(array)], memory.regions[id(array)]
        if all(memory.places[id(each)] != place for each in self._program.scratch):
            return False
        read = [each for call in calls if call.operation != "put_rows" for each in call.reads]
        return not any(own & memory.regions[id(each)] for each in read)

"""Replaying a program feature-major, with its examples along columns: the form for small networks.

Every activation and gradient (n, m) has a *twin* (m, n), which is computed in its place, with a row of ones
below. A layer's ((d + 1), m) block, weights and bias, then meets the twin and its ones in one product: no
bias to spread and add on the way forward, none to sum on the way back, and the largest logit of an example is
found along contiguous memory. This saves three calls a layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fuseprop.backend import Activation, Call, HostArray, Program, Shape, place

from .layout import Layout, block_of
from .replay.compile import CompiledProgram

ON_TWINS = {"matmul", "bias_activation", "activation_backward", "softmax_cross_entropy"}


class FeatureMajor(CompiledProgram):
    """The prebound calls of one program; whatever is not scratch ends as with `CompiledProgram`."""

    def __init__(self, backend: Any, program: Program, layout: Layout) -> None:
        self._layout = layout
        self._twins: dict[tuple[int, Shape], HostArray] = {}
        self._bordered: dict[tuple[int, Shape], HostArray] = {}  # the twins with the ones below
        super().__init__(backend, program)

    def _go_by(self, cursor: HostArray, calls: Sequence[Call]) -> None:
        self._copy_twins([array for call in calls for array in call.reads])
        super()._go_by(cursor, calls)
        for array in (array for call in calls for array in call.writes):
            if place(array) in self._layout.gathered & self._layout.multiplied:
                self.add(np.copyto, self._twin(array), array.T)

    def _compile(self, call: Call) -> None:
        """Compile a call: on twins, or on the arrays themselves, copied there and back."""
        self._folds = id(call) in self._layout.folding
        if call.operation in ON_TWINS:
            super()._compile(call)
            return
        self._copy_twins([*call.reads, *call.writes])
        super()._compile(call)
        for array in self._turned(call.writes):
            self.add(np.copyto, self._twin(array), array.T)

    def _copy_twins(self, arrays: Sequence[HostArray]) -> None:
        for array in self._turned(arrays):
            self.add(np.copyto, array, self._twin(array).T)

    def _turned(self, arrays: Sequence[HostArray]) -> list[HostArray]:
        """Return the computed arrays that these are views of, if their twins have memory of their own."""
        owners = (owner for array in arrays for owner in self._layout.owners(array))
        return [owner for owner in owners if not np.may_share_memory(owner, self._twin(owner))]

    def _twin(self, array: HostArray) -> HostArray:
        """Return the twin (m, n) of an array: the same object each time, which ufuncs recognise sooner."""
        key = place(array)
        if key not in self._twins:
            n, m = array.shape
            if key in self._layout.multiplied:
                if key in self._layout.gathered:  # its twin is a copy, made faster row by row
                    self._bordered[key] = np.ones((n, m + 1), self._dtype).T
                else:
                    self._bordered[key] = np.ones((m + 1, n), self._dtype)
                self._twins[key] = self._bordered[key][:-1]
            elif m == 1:
                self._twins[key] = array.reshape(1, n)
            elif key in self._layout.gathered:
                self._twins[key] = array.T
            else:
                self._twins[key] = np.empty((m, n), self._dtype)
        return self._twins[key]

    def _matmul(self, a: HostArray, b: HostArray, *, out: HostArray) -> None:
        gives_rows = place(out) in self._layout.computed
        x = a if gives_rows else a.T
        twin = self._twin(x)
        factor = self._bordered[place(x)] if self._folds else twin
        if not gives_rows:
            self.add(np.dot, factor, self._twin(b).T, block_of(out) if self._folds else out)
            return
        weights = block_of(b) if self._folds else b
        self.add(np.dot, weights.T, factor, self._twin(out))

    def _bias_activation(
        self, z: HostArray, bias: HostArray | None, activation: Activation, *, out: HostArray
    ) -> None:
        z, out = self._twin(z), self._twin(out)
        if bias is not None and not self._folds:
            spread = self.temporary("spread", z.shape)
            self.add(np.copyto, spread, bias[:, None])
            self.add(np.add, z, spread, out)
            z = out
        super()._bias_activation(z, None, activation, out=out)

    def _activation_backward(
        self,
        gradient: HostArray,
        output: HostArray,
        activation: Activation,
        *,
        out: HostArray,
        bias_gradient: HostArray,
    ) -> None:
        gradient, output, out = map(self._twin, (gradient, output, out))
        self._through(gradient, output, activation, out)
        if not self._folds:
            self.add(np.dot, out, self.ones(out.shape[1]), bias_gradient)

    def _softmax_cross_entropy(
        self,
        logits: HostArray,
        labels: HostArray,
        row_weights: HostArray,
        *,
        losses: HostArray,
        gradient: HostArray,
    ) -> None:
        n, k = logits.shape
        z, gradient = self._twin(logits), self._twin(gradient)
        total, picked = self.temporary("total", (n,)), self.temporary("picked", (n,))
        spread, flat = self.temporary("spread", (k, n)), gradient.reshape(-1)
        rows, per_class, at_label = np.arange(n), np.array(n), np.empty(n, np.int64)

        self.add(np.maximum.reduce, z, 0, None, total)
        self.add(np.copyto, spread, total)
        self.add(np.subtract, z, spread, gradient)
        self.add(np.multiply, labels, per_class, at_label)
        self.add(np.add, at_label, rows, at_label)
        self.add(flat.take, at_label, None, picked, "clip")
        self.add(np.exp, gradient, gradient)
        self.add(np.dot, self.ones(k), gradient, total)
        self.add(np.log, total, losses)
        self.add(np.subtract, losses, picked, losses)

        self.add(np.divide, row_weights, total, total)
        self.add(np.copyto, spread, total)
        self.add(np.multiply, gradient, spread, gradient)
        self.add(flat.take, at_label, None, picked, "clip")
        self.add(np.subtract, picked, row_weights, picked)
        self.add(flat.put, at_label, picked, "clip")


def prebound(backend: Any, program: Program) -> CompiledProgram:
    """Return a program as prebound calls, in the form that is cheaper for its shapes."""
    layout = Layout(program)
    return FeatureMajor(backend, program, layout) if layout.is_small() else CompiledProgram(backend, program)

"""Replaying a program feature-major, with its examples along columns: the form for small networks.

Every activation and gradient (n, m) has a *twin* (m, n), which is computed in its place, with a row of ones
below. A layer's ((d + 1), m) block, weights and bias, then meets the twin and its ones in one product: no
bias to spread and add on the way forward, none to sum on the way back, and the largest logit of an example is
found along contiguous memory. This saves three calls a layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from fuseprop.backend import Activation, Call, HostArray, Place, Program

from .layout import Layout
from .operations.calls import BoundCall
from .replay.compile import CompiledProgram
from .replay.position import Visit

ON_TWINS = {"matmul", "bias_activation", "activation_backward", "softmax_cross_entropy"}


class FeatureMajor(CompiledProgram):
    """The prebound calls of one program; whatever is not scratch ends as with `CompiledProgram`."""

    def __init__(self, backend: Any, program: Program, layout: Layout) -> None:
        self._layout = layout
        self._twins: dict[Place, HostArray] = {}
        self._bordered: dict[Place, HostArray] = {}  # the twins with the ones below
        super().__init__(backend, program)

    def _go_by(self, visit: Visit) -> None:
        self._copy_twins([array for call in visit.calls for array in call.reads])
        super()._go_by(visit)
        for array in (array for call in visit.calls for array in call.writes):
            place = self._layout.places[id(array)]
            if place in self._layout.gathered and place in self._layout.multiplied:
                self.bound.append((np.copyto, (self._twin(place), array.T)))

    def _compile(self, call: Call) -> None:
        """Compile a call: on twins, or on the arrays themselves, copied there and back."""
        self._folds = id(call) in self._layout.folding
        if call.operation in ON_TWINS:
            super()._compile(call)
            return
        self._copy_twins([*call.reads, *call.writes])
        super()._compile(call)
        for array, twin in self._turned(call.writes):
            self.bound.append((np.copyto, (twin, array.T)))

    def _copy_twins(self, arrays: Iterable[HostArray]) -> None:
        for array, twin in self._turned(arrays):
            self.bound.append((np.copyto, (array, twin.T)))

    def _turned(self, arrays: Iterable[HostArray]) -> Iterator[tuple[HostArray, HostArray]]:
        """Give the computed arrays that these are views of, each with its twin if that has its own memory."""
        for owner in (owner for array in arrays for owner in self._layout.owners[id(array)]):
            twin = self._twin_of(owner)
            if not np.may_share_memory(owner, twin):
                yield owner, twin

    def _twin_of(self, array: HostArray) -> HostArray:
        return self._twin(self._layout.places[id(array)])

    def _twin(self, place: Place) -> HostArray:
        """Return the twin (m, n) of that array: the same object each time, which ufuncs recognise sooner."""
        if place not in self._twins:
            layout, array = self._layout, self._layout.rows[place]
            n, m = array.shape
            if place in layout.multiplied:
                if place in layout.gathered:  # its twin is a copy, made faster row by row
                    self._bordered[place] = np.ones((n, m + 1), self._dtype).T
                else:
                    self._bordered[place] = np.ones((m + 1, n), self._dtype)
                self._twins[place] = self._bordered[place][:-1]
            elif m == 1:
                self._twins[place] = array.reshape(1, n)
            elif place in layout.gathered:
                self._twins[place] = array.T
            else:
                self._twins[place] = np.empty((m, n), self._dtype)
        return self._twins[place]

    def _matmul(self, a: HostArray, b: HostArray, *, out: HostArray) -> Iterable[BoundCall]:
        places = self._layout.places
        address, shape = places[id(a)]
        gives_rows = places[id(out)] in self._layout.computed
        x = address, shape if gives_rows else shape[::-1]
        twin = self._twin(x)
        factor = self._bordered[x] if self._folds else twin
        if gives_rows:
            weights = block_of(b) if self._folds else b
            yield np.dot, (weights.T, factor, self._twin_of(out))
        else:
            yield np.dot, (factor, self._twin_of(b).T, block_of(out) if self._folds else out)

    def _bias_activation(
        self, z: HostArray, bias: HostArray | None, activation: Activation, *, out: HostArray
    ) -> Iterable[BoundCall]:
        z, out = self._twin_of(z), self._twin_of(out)
        added: list[BoundCall] = []
        if bias is not None and not self._folds:
            spread = self.temporary("spread", z.shape)
            added = [(np.copyto, (spread, bias[:, None])), (np.add, (z, spread, out))]
            z = out
        return [*added, *super()._bias_activation(z, None, activation, out=out)]

    def _activation_backward(
        self,
        gradient: HostArray,
        output: HostArray,
        activation: Activation,
        *,
        out: HostArray,
        bias_gradient: HostArray,
    ) -> Iterable[BoundCall]:
        if activation != "identity":
            output = self._twin_of(output)
        gradient, out = self._twin_of(gradient), self._twin_of(out)
        calls = [*self._through(gradient, output, activation, out)]
        if not self._folds:
            calls.append((np.dot, (out, self.ones(out.shape[1]), bias_gradient)))
        return calls

    def _softmax_cross_entropy(
        self,
        logits: HostArray,
        labels: HostArray,
        row_weights: HostArray,
        *,
        losses: HostArray,
        gradient: HostArray,
    ) -> Iterable[BoundCall]:
        n, k = logits.shape
        z, gradient = self._twin_of(logits), self._twin_of(gradient)
        total, picked = self.temporary("total", (n,)), self.temporary("picked", (n,))
        spread, flat = self.temporary("spread", (k, n)), gradient.reshape(-1)
        rows, per_class, at_label = np.arange(n), np.array(n), np.empty(n, np.int64)

        yield np.maximum.reduce, (z, 0, None, total)
        yield np.copyto, (spread, total)
        yield np.subtract, (z, spread, gradient)
        yield np.multiply, (labels, per_class, at_label)
        yield np.add, (at_label, rows, at_label)
        yield flat.take, (at_label, None, picked, "clip")
        yield np.exp, (gradient, gradient)
        yield np.dot, (self.ones(k), gradient, total)
        yield np.log, (total, losses)
        yield np.subtract, (losses, picked, losses)

        yield np.divide, (row_weights, total, total)
        yield np.copyto, (spread, total)
        yield np.multiply, (gradient, spread, gradient)
        yield flat.take, (at_label, None, picked, "clip")
        yield np.subtract, (picked, row_weights, picked)
        yield flat.put, (at_label, picked, "clip")


def block_of(weights: HostArray) -> HostArray:
    """Return weights (d, m) together with the bias below them, (d + 1, m)."""
    d, m = weights.shape
    return np.lib.stride_tricks.as_strided(weights, (d + 1, m))


def prebound(backend: Any, program: Program) -> CompiledProgram:
    """Return a program as prebound calls, in the form that is cheaper for its shapes."""
    layout = Layout(program)
    return FeatureMajor(backend, program, layout) if layout.is_small() else CompiledProgram(backend, program)

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

from fuseprop.backend import ActivationFormula, Call, HostArray, Place, Program

from .layout import Layout
from .plans import FIRST, BoundCall
from .replay.compile import CompiledProgram
from .replay.position import Visit

ON_TWINS = {"matmul", "bias_activation", "activation_backward", "softmax_cross_entropy"}


class FeatureMajor(CompiledProgram):
    """The prebound calls of one program; whatever is not scratch ends as with `CompiledProgram`.

    The calls of `ON_TWINS` compute with twins. Around every other call, what it reads and writes is copied
    there and back.
    """

    def __init__(self, backend: Any, program: Program, layout: Layout) -> None:
        self._layout = layout
        self._multiplied = set(layout.pairs.values())  # places of what is multiplied by a whole block
        self._twins: dict[Place, HostArray] = {}
        self._bordered: dict[Place, HostArray] = {}  # the twins with the ones below
        super().__init__(backend, program)

    def parts(self) -> list[Call | Visit]:
        """Return the program's calls and visits, with the copies that they need."""
        gathered = self._layout.gathered.keys() & self._multiplied
        made: list[Call | Visit] = []
        for part in super().parts():
            if isinstance(part, Visit):
                made += self._copies([array for call in part.calls for array in call.reads])
                made.append(part)
                outs = [out for _, out in part.gathers if self._layout.places[id(out)] in gathered]
                made += [_copy(out.T, self._twin_of(out)) for out in outs]
            elif part.operation in ON_TWINS:
                made.append(self._with_block(part) if id(part) in self._layout.pairs else part)
            else:
                made += self._copies([*part.reads, *part.writes])
                made.append(part)
                made += [_copy(array.T, twin) for array, twin in self._turned(part.writes)]
        return made

    def _with_block(self, call: Call) -> Call:
        """Return one of a pair: the product is with a layer's whole block, the other leaves the bias out."""
        operation, operands, options = call.operation, call.operands, call.options
        match operation:
            case "matmul":
                options = {**options, "block": True}
            case "bias_activation":
                z, _, activation = operands
                operands = z, None, activation
            case "activation_backward":
                options = {**options, "bias_gradient": None}
        return Call(operation, operands, options)

    def _copies(self, arrays: Iterable[HostArray]) -> list[Call]:
        """Return the copies from twins to the computed arrays that these are views of."""
        return [_copy(twin.T, array) for array, twin in self._turned(arrays)]

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
            if place in self._multiplied:
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

    def _matmul(
        self, a: HostArray, b: HostArray, *, out: HostArray, block: bool = False
    ) -> Iterable[BoundCall]:
        """Multiply; with `block`, by weights and bias at once, or to the gradients of both."""
        places = self._layout.places
        forward = places[id(out)] in self._layout.computed
        address, shape = places[id(a)]
        x = address, shape if forward else shape[::-1]
        twin = self._twin(x)
        factor = self._bordered[x] if block else twin
        if forward:
            weights = block_of(b) if block else b
            yield np.dot, (weights.T, factor, self._twin_of(out))
        else:
            yield np.dot, (factor, self._twin_of(b).T, block_of(out) if block else out)

    def _bias_activation(
        self,
        z: HostArray,
        bias: HostArray | None,
        activation: ActivationFormula,
        *,
        out: HostArray,
        kept: HostArray | None = None,
    ) -> Iterable[BoundCall]:
        assert kept is None  # see `Layout`
        z, out = self._twin_of(z), self._twin_of(out)
        if bias is not None:
            spread = self.temporary(FIRST, z.shape)
            yield np.copyto, (spread, bias[:, None])
            yield np.add, (z, spread, out)
            z = out
        yield from self.activate(z, activation, out)

    def _activation_backward(
        self,
        gradient: HostArray,
        point: HostArray,
        activation: ActivationFormula,
        *,
        out: HostArray,
        bias_gradient: HostArray | None,
    ) -> Iterable[BoundCall]:
        if activation.slope_of is not None:
            point = self._twin_of(point)
        gradient, out = self._twin_of(gradient), self._twin_of(out)
        yield from self.through(gradient, point, activation, out)
        if bias_gradient is not None:
            yield np.dot, (out, self.ones(out.shape[1]), bias_gradient)

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
        ones, rows, per_class, at_label = self.ones(k), np.arange(n), np.array(n), np.empty(n, np.int64)

        yield np.maximum.reduce, (z, 0, None, total)
        yield np.copyto, (spread, total)
        yield np.subtract, (z, spread, gradient)
        yield np.multiply, (labels, per_class, at_label)
        yield np.add, (at_label, rows, at_label)
        yield flat.take, (at_label, None, picked, "clip")
        yield np.exp, (gradient, gradient)
        yield np.dot, (ones, gradient, total)
        yield np.log, (total, losses)
        yield np.subtract, (losses, picked, losses)

        yield np.divide, (row_weights, total, total)
        yield np.copyto, (spread, total)
        yield np.multiply, (gradient, spread, gradient)
        yield flat.take, (at_label, None, picked, "clip")
        yield np.subtract, (picked, row_weights, picked)
        yield flat.put, (at_label, picked, "clip")


def _copy(source: HostArray, out: HostArray) -> Call:
    return Call("copy", (source,), {"out": out})


def block_of(weights: HostArray) -> HostArray:
    """Return weights (d, m) together with the bias below them, (d + 1, m)."""
    d, m = weights.shape
    return np.lib.stride_tricks.as_strided(weights, (d + 1, m))


def prebound(backend: Any, program: Program) -> CompiledProgram:
    """Return a program as prebound calls, in the form that is cheaper for its shapes."""
    layout = Layout(program)
    return FeatureMajor(backend, program, layout) if layout.is_small() else CompiledProgram(backend, program)

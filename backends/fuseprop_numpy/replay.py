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

from fuseprop.backend import Activation, Call, HostArray, Program, Shape

from .dropout import bits_of, drop_steps, hash_steps, new_keys, set_keys
from .folding import Folding, folding
from .memory import inputs, overlaps, place
from .position import cursor_of, visits
from .replay_losses import LossSteps
from .replay_updates import UpdateSteps
from .steps import runner


class Replay(LossSteps, UpdateSteps):
    """The steps of one program; `run` does them in order.

    Parameters
    ----------
    backend : NumpyBackend
        What does the operations for which there is no shorter way: those without a method here.
    program : Program
    fold : Folding, optional
        How the learning rate is folded; by default as the program allows.
    """

    def __init__(self, backend: Any, program: Program, fold: Folding | None = None) -> None:
        super().__init__(backend.dtype)
        self._backend = backend
        self.folding = fold or folding(program)
        self._program = program
        self._truths: dict[tuple[int, Shape], HostArray] = {}
        for _, group in groupby(program.calls, lambda call: id(cursor_of(call))):
            calls = list(group)
            cursor = cursor_of(calls[0])
            if cursor is not None:
                self._go_by(cursor, calls)
                continue
            for call in calls:
                self._compile(call)
        self.run = runner(self.steps)

    def _go_by(self, cursor: HostArray, calls: Sequence[Call]) -> None:
        for visit in visits(cursor, [self._with_truths(call) for call in calls]):
            self.add(visit.step())

    def _with_truths(self, call: Call) -> Call:
        if call.operation != "put_rows":
            return call
        values, cursor = call.operands
        return Call("put_rows", (self._truths.get(place(values), values), cursor), call.options)

    def keep(self, truths: HostArray, out: HostArray) -> None:
        """Append out = truths; where `out` is only there to be put elsewhere, that puts the truths."""
        if self._is_only_put(out):
            self._truths[place(out)] = truths
        else:
            self.add(np.copyto, out, truths)

    def _is_only_put(self, array: HostArray) -> bool:
        if place(array) not in map(place, self._program.scratch):
            return False
        readers = [call for call in self._program.calls if call.operation != "put_rows"]
        return not any(overlaps(array, inputs(call)) for call in readers)

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

    # Dense algebra and the fused elementwise steps

    def _matmul(self, a: HostArray, b: HostArray, *, out: HostArray) -> None:
        self.add(np.dot, a, b, out)

    def _bias_activation(
        self, z: HostArray, bias: HostArray | None, activation: Activation, *, out: HostArray
    ) -> None:
        if bias is not None:
            spread = self.temporary("spread", z.shape)
            self.add(np.copyto, spread, bias)
            self.add(np.add, z, spread, out)
            z = out
        if activation == "sigmoid":
            self.add(np.multiply, z, self.half, out)
            self.add(np.tanh, out, out)
            self.add(np.multiply, out, self.half, out)
            self.add(np.add, out, self.half, out)
        elif activation == "tanh":
            self.add(np.tanh, z, out)
        elif activation == "relu":
            self.add(partial(np.maximum, z, self.zero, out=out))
        elif out is not z:
            self.add(np.copyto, out, z)

    def _activation_backward(
        self,
        gradient: HostArray,
        output: HostArray,
        activation: Activation,
        *,
        out: HostArray,
        bias_gradient: HostArray,
    ) -> None:
        self._through(gradient, output, activation, out)
        self.add(np.dot, self.ones(len(out)), out, bias_gradient)

    def _through(
        self, gradient: HostArray, output: HostArray, activation: Activation, out: HostArray
    ) -> None:
        """Append out = gradient * f'."""
        slope = self.temporary("spread", output.shape)
        if activation == "sigmoid":
            self.add(np.subtract, self.one, output, slope)
            self.add(np.multiply, output, slope, slope)
        elif activation == "tanh":
            self.add(np.multiply, output, output, slope)
            self.add(np.subtract, self.one, slope, slope)
        elif activation == "relu":
            positive = self.mask(output.shape)
            self.add(np.greater, output, self.zero, positive)
            self.add(np.copyto, slope, positive)
        if activation != "identity":
            self.add(np.multiply, gradient, slope, out)
        elif out is not gradient:
            self.add(np.copyto, out, gradient)

    def _dropout(self, values: HostArray, rate: float, seed: int, step: HostArray, *, out: HostArray) -> None:
        numbers = np.arange(values.size).astype(np.uint32)
        h, shifted = np.empty_like(numbers), np.empty_like(numbers)
        kept, bits = np.empty(values.shape, np.bool_), np.empty(values.shape, bits_of(values.dtype))
        keys, position = new_keys(), step.item
        self.add(lambda: set_keys(seed, position(), keys))
        self.steps += hash_steps(numbers, keys, h, shifted)
        self.steps += drop_steps(values, out, h, rate, kept, bits)

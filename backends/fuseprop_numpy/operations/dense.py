"""A dense layer on arrays: the product, the bias and activation fused, their derivatives, dropout.

`DenseOperations` are called one by one; `DenseCalls` are the same as prebound calls, which take the fast form
of an activation.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fuseprop.backend import ActivationFormula, HostArray

from ..formulas import ONE, Z, activation_plan, is_wide, slope_plan
from ..plans import FIRST, BoundCall
from .calls import BoundCalls
from .dropout import bits_of, drop_calls, hash_calls, new_keys, set_keys
from .scratch import Operations


class DenseOperations(Operations):
    """Dense algebra and the fused elementwise steps."""

    def matmul(self, a: HostArray, b: HostArray, *, out: HostArray) -> None:
        # np.dot costs 0.5 us less a call than np.matmul for the same BLAS product (measured).
        np.dot(a, b, out=out)

    def bias_activation(
        self,
        z: HostArray,
        bias: HostArray | None,
        activation: ActivationFormula,
        *,
        out: HostArray,
        kept: HostArray | None = None,
    ) -> None:
        if bias is not None:
            z = np.add(z, self._scratch.spread(bias, z.shape), out=out if kept is None else kept)
        elif kept is not None:
            np.copyto(kept, z)
        if activation.value is not Z:
            plan = activation_plan(activation.value, self.dtype, is_wide(z))
            plan.run((z, out), z.shape, self._scratch.array)
        elif out is not z:
            np.copyto(out, z)

    def activation_backward(
        self,
        gradient: HostArray,
        point: HostArray,
        activation: ActivationFormula,
        *,
        out: HostArray,
        bias_gradient: HostArray,
    ) -> None:
        if activation.slope is not ONE:
            plan = slope_plan(activation.slope, self.dtype, is_wide(out))
            plan.run((gradient, point, out), out.shape, self._scratch.array)
        elif out is not gradient:
            np.copyto(out, gradient)
        # A product with ones is the column sum at half the price of np.add.reduce (495 ns against 990).
        np.dot(self._scratch.ones(len(out)), out, out=bias_gradient)

    def dropout(self, values: HostArray, rate: float, seed: int, step: HostArray, *, out: HostArray) -> None:
        size, shape, array = values.size, values.shape, self._scratch.array
        h, shifted = array("hash", (size,), np.uint32), array("shifted", (size,), np.uint32)
        kept, bits = array("positive", shape, np.bool_), array("bits", shape, bits_of(self.dtype))
        keys = new_keys()
        set_keys(seed, int(step[0]), keys)
        for function, arguments in (
            *hash_calls(self._scratch.element_numbers(size), keys, h, shifted),
            *drop_calls(values, out, h, rate, kept, bits),
        ):
            function(*arguments)


class DenseCalls(BoundCalls):
    """The same as prebound calls; each method takes what the backend's method takes."""

    def _matmul(self, a: HostArray, b: HostArray, *, out: HostArray) -> Iterable[BoundCall]:
        yield np.dot, (a, b, out)

    def _bias_activation(
        self,
        z: HostArray,
        bias: HostArray | None,
        activation: ActivationFormula,
        *,
        out: HostArray,
        kept: HostArray | None = None,
    ) -> Iterable[BoundCall]:
        total = out if kept is None else kept
        if bias is not None:
            spread = self.temporary(FIRST, z.shape)
            yield np.copyto, (spread, bias)
            yield np.add, (z, spread, total)
            z = total
        elif kept is not None:
            yield np.copyto, (kept, z)
        yield from self.activate(z, activation, out)

    def activate(self, z: HostArray, activation: ActivationFormula, out: HostArray) -> Iterable[BoundCall]:
        """Give the calls out = f(z)."""
        value = activation.value if activation.fast is None else activation.fast
        if value is not Z:
            yield from activation_plan(value, self._dtype, is_wide(z)).calls(
                (z, out), z.shape, self.temporary
            )
        elif out is not z:
            yield np.copyto, (out, z)

    def _activation_backward(
        self,
        gradient: HostArray,
        point: HostArray,
        activation: ActivationFormula,
        *,
        out: HostArray,
        bias_gradient: HostArray,
    ) -> Iterable[BoundCall]:
        yield from self.through(gradient, point, activation, out)
        yield np.dot, (self.ones(len(out)), out, bias_gradient)

    def through(
        self, gradient: HostArray, point: HostArray, activation: ActivationFormula, out: HostArray
    ) -> Iterable[BoundCall]:
        """Give the calls out = gradient * f'."""
        if activation.slope is not ONE:
            plan = slope_plan(activation.slope, self._dtype, is_wide(out))
            yield from plan.calls((gradient, point, out), out.shape, self.temporary)
        elif out is not gradient:
            yield np.copyto, (out, gradient)

    def _dropout(
        self, values: HostArray, rate: float, seed: int, step: HostArray, *, out: HostArray
    ) -> Iterable[BoundCall]:
        numbers = np.arange(values.size).astype(np.uint32)
        h, shifted = np.empty_like(numbers), np.empty_like(numbers)
        kept, bits = np.empty(values.shape, np.bool_), np.empty(values.shape, bits_of(values.dtype))
        keys, position = new_keys(), step.item
        yield lambda: set_keys(seed, position(), keys), ()
        yield from hash_calls(numbers, keys, h, shifted)
        yield from drop_calls(values, out, h, rate, kept, bits)

"""A dense layer on arrays: the product, the bias and activation fused, their derivatives, dropout.

`DenseOperations` are called one by one; `DenseCalls` are the same formulas as prebound calls, but for what
saves a pass.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fuseprop.backend import ActivationFormula, HostArray, evaluate

from .calls import BoundCall, BoundCalls
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
        total = z if bias is None else z + bias
        if kept is not None:
            np.copyto(kept, total)
        np.copyto(out, evaluate(activation.value, {"z": total}))

    def activation_backward(
        self,
        gradient: HostArray,
        point: HostArray,
        activation: ActivationFormula,
        *,
        out: HostArray,
        bias_gradient: HostArray,
    ) -> None:
        np.multiply(gradient, evaluate(activation.slope, {"y": point, "z": point}), out=out)
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

"""A dense layer on arrays: the product, the bias and activation fused, their derivatives, dropout.

`DenseOperations` are called one by one; `DenseCalls` are the same formulas as prebound calls, but for what
saves a pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np

from fuseprop.backend import Activation, HostArray

from .calls import BoundCall, BoundCalls
from .dropout import bits_of, drop_calls, hash_calls, new_keys, set_keys
from .scratch import Operations


class DenseOperations(Operations):
    """Dense algebra and the fused elementwise steps."""

    def matmul(self, a: HostArray, b: HostArray, *, out: HostArray) -> None:
        # np.dot costs 0.5 us less a call than np.matmul for the same BLAS product (measured).
        np.dot(a, b, out=out)

    def bias_activation(
        self, z: HostArray, bias: HostArray | None, activation: Activation, *, out: HostArray
    ) -> None:
        if bias is not None:
            z = np.add(z, self._scratch.spread(bias, z.shape), out=out)
        if activation == "sigmoid":
            self._sigmoid(z, out)
        elif activation == "tanh":
            np.tanh(z, out=out)
        elif activation == "relu":
            np.maximum(z, 0, out=out)
        elif out is not z:
            np.copyto(out, z)

    def activation_backward(
        self,
        gradient: HostArray,
        output: HostArray,
        activation: Activation,
        *,
        out: HostArray,
        bias_gradient: HostArray,
    ) -> None:
        if activation == "identity":
            if out is not gradient:
                np.copyto(out, gradient)
        else:
            slope = self._scratch.array("slope", output.shape)
            if activation == "sigmoid":
                np.subtract(1, output, out=slope)
                np.multiply(output, slope, out=slope)
            elif activation == "tanh":
                np.multiply(output, output, out=slope)
                np.subtract(1, slope, out=slope)
            else:
                np.sign(output, out=slope)  # the output of relu is never negative
            np.multiply(gradient, slope, out=out)
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
        self, z: HostArray, bias: HostArray | None, activation: Activation, *, out: HostArray
    ) -> Iterable[BoundCall]:
        if bias is not None:
            spread = self.temporary("spread", z.shape)
            yield np.copyto, (spread, bias)
            yield np.add, (z, spread, out)
            z = out
        if activation == "sigmoid":
            yield np.multiply, (z, self.half, out)
            yield np.tanh, (out, out)
            yield np.multiply, (out, self.half, out)
            yield np.add, (out, self.half, out)
        elif activation == "tanh":
            yield np.tanh, (z, out)
        elif activation == "relu":
            yield partial(np.maximum, z, self.zero, out=out), ()
        elif out is not z:
            yield np.copyto, (out, z)

    def _activation_backward(
        self,
        gradient: HostArray,
        output: HostArray,
        activation: Activation,
        *,
        out: HostArray,
        bias_gradient: HostArray,
    ) -> Iterable[BoundCall]:
        yield from self._through(gradient, output, activation, out)
        yield np.dot, (self.ones(len(out)), out, bias_gradient)

    def _through(
        self, gradient: HostArray, output: HostArray, activation: Activation, out: HostArray
    ) -> Iterable[BoundCall]:
        """Give the calls out = gradient * f'."""
        if activation == "identity":
            if out is not gradient:
                yield np.copyto, (out, gradient)
            return
        slope = self.temporary("spread", output.shape)
        if activation == "sigmoid":
            yield np.subtract, (self.one, output, slope)
            yield np.multiply, (output, slope, slope)
        elif activation == "tanh":
            yield np.multiply, (output, output, slope)
            yield np.subtract, (self.one, slope, slope)
        else:
            positive = self.mask(output.shape)
            yield np.greater, (output, self.zero, positive)
            yield np.copyto, (slope, positive)
        yield np.multiply, (gradient, slope, out)

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

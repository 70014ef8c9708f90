"""A dense layer on arrays: the product, bias and activation in one launch, their derivatives, dropout."""

from __future__ import annotations

from itertools import chain
from math import prod

from fuseprop.backend import IDENTITY, ActivationFormula, span

from ..device.kernel_list import BLOCK
from ..device.launch import blocks_for, expect_factors, lanes_for
from ..device.shapes import Array, expect
from .launching import WARP, Operations

SLICE = 128
"""Rows that a block adds in a column sum; the sum of more rows than that takes two stages."""

MAX_SLICES = 512
"""The most partial sums of a column, which one thread then adds; for more rows, the slices get longer."""


TILE, MOST_TILES = 16, 400
"""Rows and columns of a tile of the kernel for small products; the most tiles for which it is taken, three
for each SM of an H100."""

DEEPEST = {"float32": 512, "float64": 64}
"""The longest sums for which it is taken: up to there it was faster than cuBLAS on an H100. The choice is by
shapes alone, so that each product always has the same bits."""


class DenseOperations(Operations):
    """Dense algebra and the fused elementwise steps."""

    def matmul(self, a: Array, b: Array, *, out: Array) -> None:
        if a.shape[1] != b.shape[0]:
            raise ValueError(f"matmul: {a.shape} does not fit {b.shape}; the inner lengths must be equal.")
        expect((a.shape[0], b.shape[1]), out=out)
        if out.shape == (1, 1):
            # One launch of ours; cuBLAS may take a second one to add partial sums.
            self._run(self._typed("inner_product"), 1, a, b, out, a.shape[1])
            return
        expect_factors(a, b, out, self.dtype, self._device)
        (n, d), m = a.shape, b.shape[1]
        tiles = -(-m // TILE), -(-n // TILE)
        if d <= DEEPEST[self.dtype.name] and prod(tiles) <= MOST_TILES:
            by_rows, strides = zip(_by_rows(a), _by_rows(b), strict=True)
            self._run(self._typed("small_product"), tiles, *by_rows, out, n, d, m, *chain(*strides))
            return
        self._device.enter()
        self._device.multiply(a, b, out)

    def bias_activation(
        self,
        z: Array,
        bias: Array | None,
        activation: ActivationFormula,
        *,
        out: Array,
        kept: Array | None = None,
    ) -> None:
        n, m = z.shape
        expect((n, m), out=out)
        if bias is not None:
            expect((m,), bias=bias)
        if kept is not None:
            expect((n, m), kept=kept)
            if activation.slope_of != "z":  # its kernel keeps no sums: no layer asks for them
                self.bias_activation(z, bias, IDENTITY, out=kept)
                z, bias, kept = kept, None, None
        lanes = lanes_for(m, BLOCK)
        arrays = z, bias, out, kept
        self._run_formula("bias_activation", activation, blocks_for(n, lanes), *arrays, n, m, lanes)

    def activation_backward(
        self,
        gradient: Array,
        point: Array,
        activation: ActivationFormula,
        *,
        out: Array,
        bias_gradient: Array,
    ) -> None:
        n, m = gradient.shape
        expect((n, m), point=point, out=out)
        expect((m,), bias_gradient=bias_gradient)
        slices = min(MAX_SLICES, -(-n // SLICE))
        rows = -(-n // slices)
        sums = bias_gradient if slices == 1 else self._scratch(slices * m)
        blocks = -(-m // WARP), slices
        if activation.is_identity and span(out) == span(gradient):
            self._run(self._typed("sum_slices"), blocks, gradient, sums, n, m, rows)
        else:
            arrays = gradient, point, out, sums
            self._run_formula("activation_backward", activation, blocks, *arrays, n, m, rows)
        if slices > 1:
            self._run(self._typed("sum_columns"), blocks_for(m), sums, bias_gradient, slices, m)

    def dropout(self, values: Array, rate: float, seed: int, step: Array, *, out: Array) -> None:
        expect(values.shape, out=out)
        expect((1,), step=step)
        size = prod(values.shape)
        numbers = 1 / (1 - rate), seed, int(rate * 2**32), size
        self._run(self._typed("dropout"), blocks_for(size), values, step, out, *numbers)


def _by_rows(array: Array) -> tuple[Array, tuple[int, int]]:
    """Return a C-contiguous array of the same memory, and the strides of the array itself, in elements."""
    rows, columns = array.shape
    return (array, (columns, 1)) if array.flags.c_contiguous else (array.T, (1, rows))

"""`fuseprop.backend.Backend` on CuPy: one NVIDIA GPU, fused kernels, nothing read back in a step.

Every method checks shapes, chooses a grid and launches; the kernels' formulas stand in kernels/. All sums
run in an order that depends on the shapes alone, without atomics: the same inputs give the same bits.
Results in float32 differ from the CPU's where the compiler fuses a product with a sum, and below 1.2e-38,
where CuPy's compiler options flush to zero.

Each call makes its device current for the calling thread and leaves it so. Work goes to the thread's current
CuPy stream.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from fuseprop.backend import (
    INTEGER,
    Activation,
    Backend,
    BackendUnavailable,
    HostArray,
    Program,
    Shape,
    replay_by_calling,
)

from .catalog import BLOCK, C_TYPES, FUNCTORS, kernels
from .device import Array, Device
from .launch import Launch, blocks_for, lanes_for

ON_CUDA = (2, 13)
"""The kinds of device, in DLPack's numbers, whose memory a GPU reads as its own: CUDA, and CUDA managed."""

WARP = 32

SLICE = 128
"""Rows that a block adds up in a column sum; more rows than that are added in two stages."""

MAX_SLICES = 512
"""Partial sums at most, which one thread a column adds up; beyond, slices get longer."""

SQUARES_PER_THREAD = 16
"""Elements of a sum of squares for each thread, before there are more blocks than one."""


class CupyBackend:
    """Arrays are `cupy.ndarray`, on one CUDA device.

    Parameters
    ----------
    dtype : "float32" | "float64"
        The dtype of values, gradients and losses.
    device : "cuda" | "cuda:0" | "cuda:1" | ...
        "cuda" is "cuda:0". Raises BackendUnavailable, with the cause and what to type, where it cannot be
        used; the question is put to the machine once a process.
    """

    name = "cupy"

    def __init__(self, dtype: str = "float32", device: str = "cuda:0") -> None:
        if dtype not in ("float32", "float64"):
            raise ValueError(f'dtype must be "float32" or "float64", got {dtype!r}.')
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._c_type = C_TYPES[self.dtype]
        ordinal = _ordinal(device)
        self.device = f"cuda:{ordinal}"
        self._device = self._open(ordinal)
        self._launches = {
            expression: Launch(kernel, self._device) for expression, kernel in kernels(self.dtype).items()
        }
        self._tables: dict[tuple[tuple[int, int], ...], Array] = {}
        self._local = threading.local()

    def _open(self, ordinal: int) -> Device:
        return Device(ordinal, self.dtype)

    # Memory

    def empty(self, shape: Shape, dtype: np.dtype[Any] | None = None) -> Array:
        self._device.enter()
        kind = np.dtype(dtype or self.dtype)
        try:
            return self._device.empty(shape, kind)
        except MemoryError as error:
            asked = prod(shape) * kind.itemsize
            free, total = self._device.memory()
            raise MemoryError(
                f"{self.device} has no room for an array of {shape} {kind} ({asked / 2**20:,.1f} MiB): "
                f"{free / 2**20:,.1f} of {total / 2**20:,.1f} MiB are free. Try a smaller batch_size, fewer "
                f"rows at a time or a smaller network, or end other processes on that GPU (nvidia-smi)."
            ) from error

    def zeros(self, shape: Shape, dtype: np.dtype[Any] | None = None) -> Array:
        array = self.empty(shape, dtype)
        self._device.fill_zero(array)
        return array

    def from_host(
        self, array: HostArray, *, out: Array | None = None, dtype: np.dtype[Any] | None = None
    ) -> Array:
        if out is None:
            out = self.empty(array.shape, dtype)
            cast = array.astype(out.dtype, copy=False)
        else:
            self._device.enter()
            if out.shape != array.shape:
                raise ValueError(
                    f"out has shape {out.shape}, the host array {array.shape}; they must be equal."
                )
            cast = array.astype(out.dtype, casting="same_kind", copy=False)
        self._device.upload(np.ascontiguousarray(cast), out)
        return out

    def share(self, array: Any) -> Array:
        if isinstance(array, np.ndarray):
            return self.from_host(array)
        kind, ordinal = array.__dlpack_device__()
        if kind in ON_CUDA and ordinal == self._device.ordinal:
            self._device.enter()
            return self._device.adopt(array)
        return self.from_host(np.from_dlpack(array, device="cpu"))

    def to_host(self, array: Array) -> HostArray:
        self._device.enter()
        return self._device.download(array)

    def copy(self, source: Array, *, out: Array) -> None:
        self._device.enter()
        _expect(out.shape, source=source)
        if source.dtype != out.dtype:
            raise TypeError(f"copy needs equal dtypes, got {source.dtype} and {out.dtype}.")
        if not (source.flags.c_contiguous and out.flags.c_contiguous):
            raise ValueError("copy needs C-contiguous arrays. Only matmul takes transposed views.")
        self._device.copy(source, out)

    def synchronize(self) -> None:
        self._device.enter()
        self._device.synchronize()

    # The position in the epoch

    def take_rows(self, source: Array, order: Array, cursor: Array, *, out: Array) -> None:
        _expect((1,), cursor=cursor)
        _expect((len(out), *source.shape[1:]), out=out)
        n, columns = len(out), prod(source.shape[1:])
        lanes = lanes_for(columns, BLOCK)
        kernel = f"take_rows<{_c_type(source)}>"
        self._run(kernel, blocks_for(n, lanes), source, order, cursor, out, n, columns, lanes)

    def put_rows(self, values: Array, cursor: Array, *, out: Array) -> None:
        _expect((1,), cursor=cursor)
        n = len(values)
        _expect((n,), values=values)
        self._run(f"put_rows<{_c_type(values)}>", blocks_for(n), values, cursor, out, n)

    def advance(self, cursor: Array, by: int) -> None:
        _expect((1,), cursor=cursor)
        self._run("advance", 1, cursor, by)

    # Dense algebra and the fused elementwise steps

    def matmul(self, a: Array, b: Array, *, out: Array) -> None:
        if a.shape[1] != b.shape[0]:
            raise ValueError(f"matmul: {a.shape} does not fit {b.shape}; the inner lengths must be equal.")
        _expect((a.shape[0], b.shape[1]), out=out)
        if out.shape == (1, 1):
            # CuPy would multiply and add up in two kernels of its own, with an array in between.
            self._run(self._typed("inner_product"), 1, a, b, out, a.shape[1])
            return
        self._device.enter()
        self._device.multiply(a, b, out)

    def bias_activation(self, z: Array, bias: Array | None, activation: Activation, *, out: Array) -> None:
        n, m = z.shape
        _expect((n, m), out=out)
        if bias is not None:
            _expect((m,), bias=bias)
        lanes = lanes_for(m, BLOCK)
        kernel = self._typed("bias_activation", FUNCTORS[activation])
        self._run(kernel, blocks_for(n, lanes), z, bias, out, n, m, lanes)

    def activation_backward(
        self, gradient: Array, output: Array, activation: Activation, *, out: Array, bias_gradient: Array
    ) -> None:
        n, m = gradient.shape
        _expect((n, m), output=output, out=out)
        _expect((m,), bias_gradient=bias_gradient)
        slices = min(MAX_SLICES, -(-n // SLICE))
        rows = -(-n // slices)
        sums = bias_gradient if slices == 1 else self._scratch(slices * m)
        kernel = self._typed("activation_backward", FUNCTORS[activation])
        self._run(kernel, (-(-m // WARP), slices), gradient, output, out, sums, n, m, rows)
        if slices > 1:
            self._sum_columns(sums, bias_gradient, slices, m)

    def dropout(self, values: Array, rate: float, seed: int, step: Array, *, out: Array) -> None:
        _expect(values.shape, out=out)
        _expect((1,), step=step)
        size = prod(values.shape)
        numbers = 1 / (1 - rate), seed, int(rate * 2**32), size
        self._run(self._typed("dropout"), blocks_for(size), values, step, out, *numbers)

    # Losses

    def squared_error(
        self,
        output: Array,
        target: Array,
        row_weights: Array,
        factor: float,
        *,
        losses: Array,
        gradient: Array,
    ) -> None:
        _expect(output.shape, target=target, gradient=gradient)
        _expect(output.shape[:1], row_weights=row_weights, losses=losses)
        self._run_rows("squared_error", output, target, row_weights, factor, losses, gradient)

    def absolute_error(
        self,
        output: Array,
        target: Array,
        row_weights: Array,
        factor: float,
        *,
        losses: Array,
        gradient: Array,
    ) -> None:
        _expect(output.shape, target=target, gradient=gradient)
        _expect(output.shape[:1], row_weights=row_weights, losses=losses)
        self._run_rows("absolute_error", output, target, row_weights, factor, losses, gradient)

    def sigmoid_cross_entropy(
        self, logits: Array, target: Array, row_weights: Array, *, losses: Array, gradient: Array
    ) -> None:
        _expect(logits.shape, target=target, gradient=gradient)
        _expect(logits.shape[:1], row_weights=row_weights, losses=losses)
        self._run_rows("sigmoid_cross_entropy", logits, target, row_weights, losses, gradient)

    def softmax_cross_entropy(
        self, logits: Array, labels: Array, row_weights: Array, *, losses: Array, gradient: Array
    ) -> None:
        _expect(logits.shape, gradient=gradient)
        _expect(logits.shape[:1], labels=labels, row_weights=row_weights, losses=losses)
        self._run_rows("softmax_cross_entropy", logits, labels, row_weights, losses, gradient)

    def half_poisson_deviance(
        self, logits: Array, target: Array, row_weights: Array, *, losses: Array, gradient: Array
    ) -> None:
        _expect(logits.shape, target=target, gradient=gradient)
        _expect(logits.shape[:1], row_weights=row_weights, losses=losses)
        self._run_rows("half_poisson_deviance", logits, target, row_weights, losses, gradient)

    # Inference and metrics

    def exponential(self, logits: Array, *, out: Array) -> None:
        _expect(logits.shape, out=out)
        size = prod(logits.shape)
        self._run(self._typed("exponential"), blocks_for(size), logits, out, size)

    def softmax(self, logits: Array, *, out: Array) -> None:
        _expect(logits.shape, out=out)
        self._run_rows("softmax", logits, out)

    def argmax_equals(self, scores: Array, labels: Array, *, out: Array) -> None:
        _expect(scores.shape[:1], labels=labels, out=out)
        self._run_rows("argmax_equals", scores, labels, out)

    def threshold_equals(
        self, scores: Array, target: Array, score_threshold: float, target_threshold: float, *, out: Array
    ) -> None:
        _expect(scores.shape, target=target)
        _expect(scores.shape[:1], out=out)
        self._run_rows("threshold_equals", scores, target, score_threshold, target_threshold, out)

    # The update

    def sum_squares(self, array: Array, *, out: Array) -> None:
        _expect((1,), out=out)
        (size,) = array.shape
        blocks = min(BLOCK, blocks_for(-(-size // SQUARES_PER_THREAD)))
        partial = out if blocks == 1 else self._scratch(blocks)
        self._run(self._typed("sum_squares"), blocks, array, partial, size)
        if blocks > 1:
            self._sum_columns(partial, out, blocks, 1)

    def clip_norm(self, gradients: Array, limit: float, *, norm: Array) -> None:
        self.sum_squares(gradients, out=norm)
        self._run(self._typed("square_root"), 1, norm)
        (size,) = gradients.shape
        self._run(self._typed("scale_to_limit"), blocks_for(size), gradients, norm, limit, size)

    def momentum_sgd(
        self,
        values: Array,
        gradients: Array,
        velocities: Array,
        settings: Array,
        *,
        decay_ranges: Sequence[tuple[int, int]],
        nesterov: bool,
    ) -> None:
        (size,) = values.shape
        _expect((size,), gradients=gradients, velocities=velocities)
        _expect((3,), settings=settings)
        kernel = self._typed("momentum_sgd", "true" if nesterov else "false")
        ranges = self._table(tuple(decay_ranges))
        numbers = len(decay_ranges), size
        self._run(kernel, blocks_for(size), values, gradients, velocities, settings, ranges, *numbers)

    def adam(
        self,
        values: Array,
        gradients: Array,
        first: Array,
        second: Array,
        settings: Array,
        *,
        decay_ranges: Sequence[tuple[int, int]],
    ) -> None:
        (size,) = values.shape
        _expect((size,), gradients=gradients, first=first, second=second)
        _expect((5,), settings=settings)
        buffers = values, gradients, first, second
        numbers = len(decay_ranges), size
        ranges = self._table(tuple(decay_ranges))
        self._run(self._typed("adam"), blocks_for(size), *buffers, settings, ranges, *numbers)

    # Replay

    def compile(self, program: Program) -> Callable[[], None]:
        return replay_by_calling(self, program)

    def session(self, programs: Sequence[Program]) -> AbstractContextManager[None]:
        return nullcontext()

    # Launching, and memory that several methods share

    def _run(self, expression: str, blocks: int | tuple[int, int], *arguments: Any) -> None:
        self._device.enter()
        launch = self._launches.get(expression)
        if launch is None:
            raise TypeError(f"a {self.dtype} backend has no kernel {expression}: convert the array first.")
        launch(blocks, *arguments)

    def _run_rows(self, name: str, matrix: Array, *arguments: Any) -> None:
        """Launch a kernel with one group a row of (n, k), lanes within a warp."""
        n, k = matrix.shape
        lanes = lanes_for(k, WARP)
        self._run(self._typed(name), blocks_for(n, lanes), matrix, *arguments, n, k, lanes)

    def _sum_columns(self, array: Array, out: Array, rows: int, columns: int) -> None:
        self._run(self._typed("sum_columns"), blocks_for(columns), array, out, rows, columns)

    def _typed(self, name: str, *more: str) -> str:
        """Return the C++ name of a kernel for this backend's dtype."""
        return f"{name}<{', '.join((self._c_type, *more))}>"

    def _scratch(self, size: int) -> Array:
        """Return this thread's temporary array; it grows to the largest size seen."""
        array = getattr(self._local, "scratch", None)
        if array is None or len(array) < size:
            self._local.scratch = array = self.empty((size,))
        return array

    def _table(self, ranges: tuple[tuple[int, int], ...]) -> Array | None:
        """Return ranges as an array on the device, uploaded when they are first seen."""
        if ranges and ranges not in self._tables:
            self._tables[ranges] = self.from_host(np.array(ranges), dtype=INTEGER)
        return self._tables.get(ranges)


def _ordinal(device: str) -> int:
    kind, colon, number = device.partition(":")
    if kind == "cuda" and number.isdecimal():
        return int(number)
    if kind == "cuda" and not colon:
        return 0
    raise BackendUnavailable(f'The cupy backend computes on "cuda" or "cuda:N", {device!r} was asked for.')


def _c_type(array: Array) -> str:
    """Return an array's C++ type; for one that kernels do not know, its NumPy name."""
    name: str = C_TYPES.get(array.dtype) or array.dtype.name
    return name


def _expect(shape: Shape, **arrays: Array) -> None:
    for name, array in arrays.items():
        if array.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got {array.shape}.")


if TYPE_CHECKING:
    _: type[Backend[Array]] = CupyBackend

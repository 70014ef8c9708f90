"""`fuseprop.backend.Backend` on NumPy: in place, `out` everywhere, nothing allocated in a step.

Temporary space comes from a few scratch buffers, one set a thread, that grow to the largest shape seen.
Ufuncs that mix dtypes or broadcast are avoided on purpose: NumPy then works through a buffer that it
allocates on every call (33 KiB for float32, measured). Copying a mask to floats, or a bias to all rows,
before the ufunc allocates nothing and takes no longer (0.85 us against 0.90 at 32 x 32, 2.5 against 2.6 at
128 x 128, 83 against 80 at 1024 x 512, float32).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from fuseprop.backend import Activation, Backend, BackendUnavailable, HostArray, Program, Shape

from .blocks import UPDATE_BLOCK, update_blocks
from .dropout import bits_of, drop_steps, hash_steps, new_keys, set_keys
from .feature_major import prebound
from .scratch import Scratch
from .shared import Shared, sharing_threads
from .threads import ENOUGH, ONE_THREAD, largest_product


class NumpyBackend:
    """Arrays are `numpy.ndarray`, on the CPU.

    Parameters
    ----------
    dtype : "float32" | "float64"
        The dtype of values, gradients and losses.
    device : "cpu"
        The only device there is; another one raises BackendUnavailable.
    """

    name = "numpy"
    device = "cpu"

    def __init__(self, dtype: str = "float32", device: str = "cpu") -> None:
        if dtype not in ("float32", "float64"):
            raise ValueError(f'dtype must be "float32" or "float64", got {dtype!r}.')
        if device != "cpu":
            raise BackendUnavailable(f'The numpy backend computes on "cpu" only, {device!r} was asked for.')
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._scratch = Scratch(self.dtype)

    # Memory

    def empty(self, shape: Shape, dtype: np.dtype[Any] | None = None) -> HostArray:
        return np.empty(shape, dtype or self.dtype)

    def zeros(self, shape: Shape, dtype: np.dtype[Any] | None = None) -> HostArray:
        return np.zeros(shape, dtype or self.dtype)

    def from_host(
        self, array: HostArray, *, out: HostArray | None = None, dtype: np.dtype[Any] | None = None
    ) -> HostArray:
        if out is None:
            return np.array(array, dtype or self.dtype, order="C")
        if out.shape != array.shape:
            raise ValueError(f"out has shape {out.shape}, the host array {array.shape}; they must be equal.")
        np.copyto(out, array, casting="same_kind")
        return out

    def share(self, array: Any) -> HostArray:
        host = array if isinstance(array, np.ndarray) else np.from_dlpack(array)
        return np.ascontiguousarray(host, self.dtype)

    def to_host(self, array: HostArray) -> HostArray:
        return array.copy()

    def copy(self, source: HostArray, *, out: HostArray) -> None:
        np.copyto(out, source)

    def synchronize(self) -> None:
        return None

    # The position in the epoch

    def take_rows(self, source: HostArray, order: HostArray, cursor: HostArray, *, out: HostArray) -> None:
        start = int(cursor[0])
        # mode="clip" lets NumPy write into out directly: 46 us against 65 at 128 x 784 (measured).
        np.take(source, order[start : start + len(out)], axis=0, out=out, mode="clip")

    def put_rows(self, values: HostArray, cursor: HostArray, *, out: HostArray) -> None:
        start = int(cursor[0])
        out[start : start + len(values)] = values

    def advance(self, cursor: HostArray, by: int) -> None:
        cursor[0] += by

    # Dense algebra and the fused elementwise steps

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
            *hash_steps(self._scratch.element_numbers(size), keys, h, shifted),
            *drop_steps(values, out, h, rate, kept, bits),
        ):
            function(*arguments)

    # Losses

    def squared_error(
        self,
        output: HostArray,
        target: HostArray,
        row_weights: HostArray,
        factor: float,
        *,
        losses: HostArray,
        gradient: HostArray,
    ) -> None:
        np.subtract(output, target, out=gradient)
        np.vecdot(gradient, gradient, out=losses)
        np.multiply(losses, factor, out=losses)
        np.multiply(gradient, 2 * factor, out=gradient)
        np.multiply(gradient, self._scratch.spread(row_weights[:, None], gradient.shape), out=gradient)

    def absolute_error(
        self,
        output: HostArray,
        target: HostArray,
        row_weights: HostArray,
        factor: float,
        *,
        losses: HostArray,
        gradient: HostArray,
    ) -> None:
        error = self._scratch.array("loss", output.shape)
        np.subtract(output, target, out=error)
        np.sign(error, out=gradient)
        np.abs(error, out=error)
        np.add.reduce(error, axis=1, out=losses)
        np.multiply(losses, factor, out=losses)
        np.multiply(gradient, factor, out=gradient)
        np.multiply(gradient, self._scratch.spread(row_weights[:, None], gradient.shape), out=gradient)

    def sigmoid_cross_entropy(
        self,
        logits: HostArray,
        target: HostArray,
        row_weights: HostArray,
        *,
        losses: HostArray,
        gradient: HostArray,
    ) -> None:
        # log(1 + e^z) - t z = (1 - t) max(z, 0) - t min(z, 0) + log(1 + e^-|z|): nothing overflows, and no
        # part is negative, so that nothing cancels (15 eps were lost at |z| = 1e4 and soft targets).
        loss, part = self._scratch.array("loss", logits.shape), self._scratch.array("part", logits.shape)
        np.abs(logits, out=loss)
        np.negative(loss, out=loss)
        np.exp(loss, out=loss)
        np.log1p(loss, out=loss)
        np.subtract(1, target, out=part)
        np.maximum(logits, 0, out=gradient)
        np.multiply(gradient, part, out=part)
        np.add(loss, part, out=loss)
        np.minimum(logits, 0, out=gradient)
        np.multiply(gradient, target, out=part)
        np.subtract(loss, part, out=loss)
        np.add.reduce(loss, axis=1, out=losses)
        self._sigmoid(logits, gradient)
        np.subtract(gradient, target, out=gradient)
        np.multiply(gradient, self._scratch.spread(row_weights[:, None], gradient.shape), out=gradient)

    def softmax_cross_entropy(
        self,
        logits: HostArray,
        labels: HostArray,
        row_weights: HostArray,
        *,
        losses: HostArray,
        gradient: HostArray,
    ) -> None:
        n, k = logits.shape
        picked = self._scratch.array("picked", (n,))
        at_label = self._scratch.array("at_label", (n,), np.int64)  # positions in the flattened (n, k) arrays
        np.multiply(self._scratch.row_numbers(n), k, out=at_label)
        np.add(at_label, labels, out=at_label)
        flat = gradient.reshape(-1)

        total = self._shifted_exponentials(logits, gradient, picked=picked, at_label=at_label)
        np.log(total, out=losses)
        np.subtract(losses, picked, out=losses)

        np.divide(gradient, self._scratch.spread(total[:, None], gradient.shape), out=gradient)
        np.take(flat, at_label, out=picked, mode="clip")
        np.subtract(picked, 1, out=picked)
        np.put(flat, at_label, picked, mode="clip")
        np.multiply(gradient, self._scratch.spread(row_weights[:, None], gradient.shape), out=gradient)

    def half_poisson_deviance(
        self,
        logits: HostArray,
        target: HostArray,
        row_weights: HostArray,
        *,
        losses: HostArray,
        gradient: HostArray,
    ) -> None:
        # With d = z - log t: t (e^d - 1 - d) near d = 0, elsewhere (y - t) - t d, in which little cancels.
        shape = logits.shape
        d, loss, part = (self._scratch.array(name, shape) for name in ("e", "loss", "part"))
        near = self._scratch.array("positive", shape, np.bool_)
        np.exp(logits, out=gradient)
        np.subtract(gradient, target, out=gradient)
        np.maximum(target, np.finfo(self.dtype).tiny, out=d)  # a target of 0 takes no part in what follows
        np.log(d, out=d)
        np.subtract(logits, d, out=d)
        np.multiply(target, d, out=part)
        np.subtract(gradient, part, out=loss)
        np.abs(d, out=part)
        np.less_equal(part, 1, out=near)
        np.expm1(d, out=part, where=near)
        np.subtract(part, d, out=part, where=near)
        np.multiply(part, target, out=loss, where=near)
        np.add.reduce(loss, axis=1, out=losses)
        np.multiply(gradient, self._scratch.spread(row_weights[:, None], shape), out=gradient)

    # Inference and metrics

    def exponential(self, logits: HostArray, *, out: HostArray) -> None:
        np.exp(logits, out=out)

    def softmax(self, logits: HostArray, *, out: HostArray) -> None:
        total = self._shifted_exponentials(logits, out)
        np.divide(out, self._scratch.spread(total[:, None], out.shape), out=out)

    def argmax_equals(self, scores: HostArray, labels: HostArray, *, out: HostArray) -> None:
        largest = self._scratch.array("largest", (len(scores),), np.int64)
        equal = self._scratch.array("equal", (len(scores),), np.bool_)
        np.argmax(scores, axis=1, out=largest)
        np.equal(largest, labels, out=equal)
        np.copyto(out, equal)

    def threshold_equals(
        self,
        scores: HostArray,
        target: HostArray,
        score_threshold: float,
        target_threshold: float,
        *,
        out: HostArray,
    ) -> None:
        positive = self._scratch.array("positive", scores.shape, np.bool_)
        expected = self._scratch.array("expected", scores.shape, np.bool_)
        equal = self._scratch.array("equal", (len(scores),), np.bool_)
        np.greater(scores, score_threshold, out=positive)
        np.greater(target, target_threshold, out=expected)
        np.equal(positive, expected, out=positive)
        np.logical_and.reduce(positive, axis=1, out=equal)
        np.copyto(out, equal)

    # The update

    def sum_squares(self, array: HostArray, *, out: HostArray) -> None:
        out[0] = np.vdot(array, array)

    def clip_norm(self, gradients: HostArray, limit: float, *, norm: HostArray) -> None:
        norm[0] = np.sqrt(np.vdot(gradients, gradients))
        if limit < norm[0] < np.inf:
            np.multiply(gradients, limit / norm[0], out=gradients)

    def momentum_sgd(
        self,
        values: HostArray,
        gradients: HostArray,
        velocities: HostArray,
        settings: HostArray,
        *,
        decay_ranges: Sequence[tuple[int, int]],
        nesterov: bool,
    ) -> None:
        learning_rate, momentum, decay = settings
        step_of_block = self._scratch.array("step", (min(UPDATE_BLOCK, len(values)),))
        for start, stop, decays in update_blocks(len(values), decay_ranges if decay else ()):
            w, g, v = values[start:stop], gradients[start:stop], velocities[start:stop]
            step = step_of_block[: stop - start]
            if decays:
                np.multiply(w, decay, out=step)
                np.add(step, g, out=step)
                np.multiply(step, learning_rate, out=step)
            else:
                np.multiply(g, learning_rate, out=step)
            np.multiply(v, momentum, out=v)
            np.subtract(v, step, out=v)
            if nesterov:
                np.subtract(w, step, out=w)
                np.multiply(v, momentum, out=step)
                np.add(w, step, out=w)
            else:
                np.add(w, v, out=w)

    def adam(
        self,
        values: HostArray,
        gradients: HostArray,
        first: HostArray,
        second: HostArray,
        settings: HostArray,
        *,
        decay_ranges: Sequence[tuple[int, int]],
    ) -> None:
        rate, beta_1, beta_2, epsilon, decay = settings
        length = min(UPDATE_BLOCK, len(values))
        step_of_block, part_of_block = (self._scratch.array(name, (length,)) for name in ("step", "part"))
        for start, stop, decays in update_blocks(len(values), decay_ranges if decay else ()):
            w, g, m, v = (array[start:stop] for array in (values, gradients, first, second))
            step, part = step_of_block[: stop - start], part_of_block[: stop - start]
            if decays:
                np.multiply(w, decay, out=step)
                g = np.add(step, g, out=step)
            np.multiply(g, 1 - beta_1, out=part)
            np.multiply(m, beta_1, out=m)
            np.add(m, part, out=m)
            np.multiply(g, g, out=part)
            np.multiply(part, 1 - beta_2, out=part)
            np.multiply(v, beta_2, out=v)
            np.add(v, part, out=v)
            np.sqrt(v, out=part)
            np.add(part, epsilon, out=part)
            np.multiply(m, rate, out=step)
            np.divide(step, part, out=step)
            np.subtract(w, step, out=w)

    # Replay

    def compile(self, program: Program) -> Callable[[], None]:
        threads = sharing_threads(program)
        return Shared(self, program, threads).run if threads > 1 else prebound(self, program).run

    def session(self, programs: Sequence[Program]) -> AbstractContextManager[None]:
        alone = largest_product(programs) < ENOUGH or any(sharing_threads(each) > 1 for each in programs)
        return ONE_THREAD.hold() if alone else nullcontext()

    # Formulas that several methods share

    def _sigmoid(self, z: HostArray, out: HostArray) -> None:
        """out = 1 / (1 + e^-z) as (1 or e) / (1 + e) with e = e^-|z|: no overflow, exact in both tails."""
        e = self._scratch.array("e", z.shape)
        positive = self._scratch.array("positive", z.shape, np.bool_)
        np.greater_equal(z, 0, out=positive)
        np.abs(z, out=e)
        np.negative(e, out=e)
        np.exp(e, out=e)
        np.copyto(out, positive)
        np.maximum(out, e, out=out)  # 1 where z >= 0, else e
        np.add(e, 1, out=e)
        np.divide(out, e, out=out)

    def _shifted_exponentials(
        self,
        logits: HostArray,
        out: HostArray,
        *,
        picked: HostArray | None = None,
        at_label: HostArray | None = None,
    ) -> HostArray:
        """out = e^(z - max z) and its row sums; on the way, picked = (z - max z) at the labels."""
        total = self._scratch.array("total", (len(logits),))
        np.maximum.reduce(logits, axis=1, out=total)
        np.subtract(logits, self._scratch.spread(total[:, None], out.shape), out=out)
        if picked is not None and at_label is not None:
            np.take(out.reshape(-1), at_label, out=picked, mode="clip")
        np.exp(out, out=out)
        np.add.reduce(out, axis=1, out=total)
        return total


if TYPE_CHECKING:
    _: type[Backend[HostArray]] = NumpyBackend

"""What reduces each row of outputs or logits: losses with their gradients, softmax, and hits.

`ReductionOperations` are called one by one; `ReductionCalls` are the same formulas as prebound calls, but for
what saves a pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np

from fuseprop.backend import HostArray

from .calls import BoundCall, BoundCalls
from .scratch import Operations

FEW_CLASSES = 64
"""Up to here the largest logit of each row is found sooner in a transposed copy: 1.6 us against 14 at
128 x 10, 8.6 against 22 at 128 x 64, but 51 against 14 at 128 x 256 (measured)."""


class ReductionOperations(Operations):
    """Losses, predictions and metrics."""

    # Losses, and their gradients with respect to outputs or logits

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
        self._weigh(gradient, row_weights)

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
        self._weigh(gradient, row_weights)

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
        self._weigh(gradient, row_weights)

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
        self._weigh(gradient, row_weights)

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
        self._weigh(gradient, row_weights)

    # Predictions and metrics

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

    def _weigh(self, gradient: HostArray, row_weights: HostArray) -> None:
        """Multiply each row by its weight."""
        np.multiply(gradient, self._scratch.spread(row_weights[:, None], gradient.shape), out=gradient)


class ReductionCalls(BoundCalls):
    """Losses and metrics as prebound calls; each method takes what the backend's method takes."""

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
        total, picked = self.temporary("total", (n,)), self.temporary("picked", (n,))
        spread, flat = self.temporary("spread", (n, k)), gradient.reshape(-1)
        ones, first, at_label = self.ones(k), np.arange(n) * k, np.empty(n, np.int64)

        if k <= FEW_CLASSES:
            by_class = self.temporary("by_class", (k, n))
            yield np.copyto, (by_class, logits.T)
            yield np.maximum.reduce, (by_class, 0, None, total)
        else:
            yield np.maximum.reduce, (logits, 1, None, total)
        yield np.copyto, (spread, total[:, None])
        yield np.subtract, (logits, spread, gradient)
        yield np.add, (first, labels, at_label)
        yield flat.take, (at_label, None, picked, "clip")
        yield np.exp, (gradient, gradient)
        yield np.dot, (gradient, ones, total)
        yield np.log, (total, losses)
        yield np.subtract, (losses, picked, losses)

        yield np.divide, (row_weights, total, total)
        yield np.copyto, (spread, total[:, None])
        yield np.multiply, (gradient, spread, gradient)
        yield flat.take, (at_label, None, picked, "clip")
        yield np.subtract, (picked, row_weights, picked)
        yield flat.put, (at_label, picked, "clip")

    def _sigmoid_cross_entropy(
        self,
        logits: HostArray,
        target: HostArray,
        row_weights: HostArray,
        *,
        losses: HostArray,
        gradient: HostArray,
    ) -> Iterable[BoundCall]:
        e, loss, part = (self.temporary(name, logits.shape) for name in ("e", "loss", "part"))
        positive = self.mask(logits.shape)
        minus = self.number(-1.0)
        yield np.greater_equal, (logits, self.zero, positive)
        yield np.copyto, (gradient, positive)  # [z >= 0]
        yield np.copysign, (logits, minus, e)
        yield np.exp, (e, e)  # e^-|z|, for the loss and for the sigmoid
        yield np.log1p, (e, loss)
        yield np.subtract, (gradient, target, part)
        yield np.multiply, (part, logits, part)  # ([z >= 0] - t) z: never negative, and nothing cancels
        if logits.shape[1] == 1:
            yield np.add, (loss, part, losses.reshape(logits.shape))
        else:
            yield np.add, (loss, part, loss)
            yield np.dot, (loss, self.ones(logits.shape[1]), losses)

        yield partial(np.maximum, gradient, e, out=gradient), ()  # the sigmoid: (1 or e) / (1 + e)
        yield np.add, (e, self.one, e)
        yield np.divide, (gradient, e, gradient)
        yield np.subtract, (gradient, target, gradient)
        yield from self.weigh(gradient, row_weights)

    def _half_poisson_deviance(
        self,
        logits: HostArray,
        target: HostArray,
        row_weights: HostArray,
        *,
        losses: HostArray,
        gradient: HostArray,
    ) -> Iterable[BoundCall]:
        d, loss, part = (self.temporary(name, logits.shape) for name in ("e", "loss", "part"))
        near = np.empty(logits.shape, np.bool_)
        yield np.exp, (logits, gradient)
        yield np.subtract, (gradient, target, gradient)
        yield partial(np.maximum, target, self.number(np.finfo(d.dtype).tiny), out=d), ()
        yield np.log, (d, d)
        yield np.subtract, (logits, d, d)
        yield np.multiply, (target, d, part)
        yield np.subtract, (gradient, part, loss)
        yield np.abs, (d, part)
        yield np.less_equal, (part, self.one, near)
        yield partial(np.expm1, d, part, where=near), ()
        yield partial(np.subtract, part, d, part, where=near), ()
        yield partial(np.multiply, part, target, loss, where=near), ()
        yield np.dot, (loss, self.ones(logits.shape[1]), losses)
        yield from self.weigh(gradient, row_weights)

    def _squared_error(
        self,
        output: HostArray,
        target: HostArray,
        row_weights: HostArray,
        factor: float,
        *,
        losses: HostArray,
        gradient: HostArray,
    ) -> Iterable[BoundCall]:
        scale = self.temporary("total", losses.shape)
        yield np.subtract, (output, target, gradient)
        yield partial(np.vecdot, gradient, gradient, out=losses), ()
        yield np.multiply, (losses, self.number(factor), losses)
        yield np.multiply, (row_weights, self.number(2 * factor), scale)
        yield from self.weigh(gradient, scale)

    def weigh(self, gradient: HostArray, row_weights: HostArray) -> Iterable[BoundCall]:
        """Give the calls that multiply each row by its weight."""
        weights = row_weights.reshape(-1, 1)
        if gradient.shape[1] > 1:
            spread = self.temporary("spread", gradient.shape)
            yield np.copyto, (spread, weights)
            weights = spread
        yield np.multiply, (gradient, weights, gradient)

    # Metrics

    def _argmax_equals(self, scores: HostArray, labels: HostArray, *, out: HostArray) -> Iterable[BoundCall]:
        largest, equal = np.empty(len(scores), np.int64), np.empty(len(scores), np.bool_)
        yield scores.argmax, (1, largest)
        yield np.equal, (largest, labels, equal)
        yield from self.keep(equal, out)

    def _threshold_equals(
        self,
        scores: HostArray,
        target: HostArray,
        score_threshold: float,
        target_threshold: float,
        *,
        out: HostArray,
    ) -> Iterable[BoundCall]:
        positive, expected = np.empty(scores.shape, np.bool_), np.empty(scores.shape, np.bool_)
        equal = np.empty(len(scores), np.bool_)
        yield np.greater, (scores, self.number(score_threshold), positive)
        yield np.greater, (target, self.number(target_threshold), expected)
        yield np.equal, (positive, expected, positive)
        yield np.logical_and.reduce, (positive, 1, None, equal)
        yield from self.keep(equal, out)

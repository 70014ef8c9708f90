"""Losses and metrics as prebound calls."""

from __future__ import annotations

from functools import partial

import numpy as np

from fuseprop.backend import HostArray

from .steps import Steps

FEW_CLASSES = 64
"""Up to here the largest logit of each row is found sooner in a transposed copy: 1.6 us against 14 at
128 x 10, 8.6 against 22 at 128 x 64, but 51 against 14 at 128 x 256 (measured)."""


class LossSteps(Steps):
    """What appends the steps of a loss or a metric; each method takes what the backend's method takes."""

    def _softmax_cross_entropy(
        self,
        logits: HostArray,
        labels: HostArray,
        row_weights: HostArray,
        *,
        losses: HostArray,
        gradient: HostArray,
    ) -> None:
        n, k = logits.shape
        total, picked = self.temporary("total", (n,)), self.temporary("picked", (n,))
        spread, flat = self.temporary("spread", (n, k)), gradient.reshape(-1)
        first, at_label = np.arange(n) * k, np.empty(n, np.int64)

        if k <= FEW_CLASSES:
            by_class = self.temporary("by_class", (k, n))
            self.add(np.copyto, by_class, logits.T)
            self.add(np.maximum.reduce, by_class, 0, None, total)
        else:
            self.add(np.maximum.reduce, logits, 1, None, total)
        self.add(np.copyto, spread, total[:, None])
        self.add(np.subtract, logits, spread, gradient)
        self.add(np.add, first, labels, at_label)
        self.add(flat.take, at_label, None, picked, "clip")
        self.add(np.exp, gradient, gradient)
        self.add(np.dot, gradient, self.ones(k), total)
        self.add(np.log, total, losses)
        self.add(np.subtract, losses, picked, losses)

        self.add(np.divide, row_weights, total, total)
        self.add(np.copyto, spread, total[:, None])
        self.add(np.multiply, gradient, spread, gradient)
        self.add(flat.take, at_label, None, picked, "clip")
        self.add(np.subtract, picked, row_weights, picked)
        self.add(flat.put, at_label, picked, "clip")

    def _sigmoid_cross_entropy(
        self,
        logits: HostArray,
        target: HostArray,
        row_weights: HostArray,
        *,
        losses: HostArray,
        gradient: HostArray,
    ) -> None:
        e, loss, part = (self.temporary(name, logits.shape) for name in ("e", "loss", "part"))
        positive = self.mask(logits.shape)
        minus = self.number(-1.0)
        self.add(np.greater_equal, logits, self.zero, positive)
        self.add(np.copyto, gradient, positive)  # [z >= 0]
        self.add(np.copysign, logits, minus, e)
        self.add(np.exp, e, e)  # e^-|z|, for the loss and for the sigmoid
        self.add(np.log1p, e, loss)
        self.add(np.subtract, gradient, target, part)
        self.add(np.multiply, part, logits, part)  # ([z >= 0] - t) z: never negative, and nothing cancels
        if logits.shape[1] == 1:
            self.add(np.add, loss, part, losses.reshape(logits.shape))
        else:
            self.add(np.add, loss, part, loss)
            self.add(np.dot, loss, self.ones(logits.shape[1]), losses)

        self.add(partial(np.maximum, gradient, e, out=gradient))  # the sigmoid: (1 or e) / (1 + e)
        self.add(np.add, e, self.one, e)
        self.add(np.divide, gradient, e, gradient)
        self.add(np.subtract, gradient, target, gradient)
        self.weigh(gradient, row_weights)

    def _half_poisson_deviance(
        self,
        logits: HostArray,
        target: HostArray,
        row_weights: HostArray,
        *,
        losses: HostArray,
        gradient: HostArray,
    ) -> None:
        d, loss, part = (self.temporary(name, logits.shape) for name in ("e", "loss", "part"))
        near = np.empty(logits.shape, np.bool_)
        self.add(np.exp, logits, gradient)
        self.add(np.subtract, gradient, target, gradient)
        self.add(partial(np.maximum, target, self.number(np.finfo(d.dtype).tiny), out=d))
        self.add(np.log, d, d)
        self.add(np.subtract, logits, d, d)
        self.add(np.multiply, target, d, part)
        self.add(np.subtract, gradient, part, loss)
        self.add(np.abs, d, part)
        self.add(np.less_equal, part, self.one, near)
        self.add(partial(np.expm1, d, part, where=near))
        self.add(partial(np.subtract, part, d, part, where=near))
        self.add(partial(np.multiply, part, target, loss, where=near))
        self.add(np.dot, loss, self.ones(logits.shape[1]), losses)
        self.weigh(gradient, row_weights)

    def _squared_error(
        self,
        output: HostArray,
        target: HostArray,
        row_weights: HostArray,
        factor: float,
        *,
        losses: HostArray,
        gradient: HostArray,
    ) -> None:
        scale = self.temporary("total", losses.shape)
        self.add(np.subtract, output, target, gradient)
        self.add(partial(np.vecdot, gradient, gradient, out=losses))
        self.add(np.multiply, losses, self.number(factor), losses)
        self.add(np.multiply, row_weights, self.number(2 * factor), scale)
        self.weigh(gradient, scale)

    def weigh(self, gradient: HostArray, row_weights: HostArray) -> None:
        """Append what multiplies each row by its weight."""
        weights = row_weights.reshape(-1, 1)
        if gradient.shape[1] > 1:
            spread = self.temporary("spread", gradient.shape)
            self.add(np.copyto, spread, weights)
            weights = spread
        self.add(np.multiply, gradient, weights, gradient)

    # Metrics

    def _argmax_equals(self, scores: HostArray, labels: HostArray, *, out: HostArray) -> None:
        largest, equal = np.empty(len(scores), np.int64), np.empty(len(scores), np.bool_)
        self.add(scores.argmax, 1, largest)
        self.add(np.equal, largest, labels, equal)
        self.keep(equal, out)

    def _threshold_equals(
        self,
        scores: HostArray,
        target: HostArray,
        score_threshold: float,
        target_threshold: float,
        *,
        out: HostArray,
    ) -> None:
        positive, expected = np.empty(scores.shape, np.bool_), np.empty(scores.shape, np.bool_)
        equal = np.empty(len(scores), np.bool_)
        self.add(np.greater, scores, self.number(score_threshold), positive)
        self.add(np.greater, target, self.number(target_threshold), expected)
        self.add(np.equal, positive, expected, positive)
        self.add(np.logical_and.reduce, positive, 1, None, equal)
        self.keep(equal, out)

"""What reduces each row of outputs or logits: losses with their gradients, softmax, and hits.

`ReductionOperations` are called one by one; `ReductionCalls` are the same formulas as prebound calls, but for
what saves a pass.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fuseprop.backend import HostArray, LossFormula

from ..formulas import is_wide, loss_plan
from ..plans import BoundCall
from .calls import BoundCalls
from .scratch import Operations

FEW_CLASSES = 64
"""Up to here the largest logit of each row is found sooner in a transposed copy: 1.6 us against 14 at
128 x 10, 8.6 against 22 at 128 x 64, but 51 against 14 at 128 x 256 (measured)."""


class ReductionOperations(Operations):
    """Losses, predictions and metrics."""

    # Losses, and their gradients with respect to outputs or logits

    def loss_of_rows(
        self,
        output: HostArray,
        target: HostArray,
        row_weights: HostArray,
        loss: LossFormula,
        factor: float,
        *,
        losses: HostArray,
        gradient: HostArray,
    ) -> None:
        column = output.shape[1] == 1
        sums = "a column" if column else "eager"
        plan, of_term, of_slope = loss_plan(loss.term, loss.slope, self.dtype, sums, is_wide(output))
        sums_of_rows = losses[:, None] if column else losses
        given = output, target, sums_of_rows, gradient, losses
        plan.run(given, output.shape, self._scratch.array)
        if of_term * factor != 1:
            np.multiply(losses, of_term * factor, out=losses)
        if of_slope * factor != 1:
            np.multiply(gradient, of_slope * factor, out=gradient)
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
        weights = row_weights[:, None]
        if gradient.shape[1] > 1:
            weights = self._scratch.spread(weights, gradient.shape)
        np.multiply(gradient, weights, out=gradient)


class ReductionCalls(BoundCalls):
    """Losses and metrics as prebound calls; each method takes what the backend's method takes."""

    def _loss_of_rows(
        self,
        output: HostArray,
        target: HostArray,
        row_weights: HostArray,
        loss: LossFormula,
        factor: float,
        *,
        losses: HostArray,
        gradient: HostArray,
    ) -> Iterable[BoundCall]:
        n, k = output.shape
        sums = "a column" if k == 1 else "ones"
        plan, of_term, of_slope = loss_plan(loss.term, loss.slope, self._dtype, sums, is_wide(output))
        sums_of_rows = losses.reshape(n, 1) if k == 1 else losses
        given = output, target, sums_of_rows, gradient, self.ones(k)
        yield from plan.calls(given, output.shape, self.temporary)
        if of_term * factor != 1:
            yield np.multiply, (losses, self.number(of_term * factor), losses)
        if of_slope * factor != 1:
            scale = self.temporary("total", losses.shape)
            yield np.multiply, (row_weights, self.number(of_slope * factor), scale)
            row_weights = scale
        yield from self.weigh(gradient, row_weights)

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

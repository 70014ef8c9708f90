"""What reduces each row of outputs or logits: losses with their gradients, softmax, and hits."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fuseprop.backend import HostArray, LossFormula

from ..formulas import is_wide, loss_plan
from ..plans import FIRST, BoundCall
from .calls import operation
from .scratch import Operations


class ReductionOperations(Operations):
    """Losses, predictions and metrics."""

    # Losses, and their gradients with respect to outputs or logits

    @operation
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
    ) -> Iterable[BoundCall]:
        terms = self._scratch.array("terms", output.shape)
        plan = loss_plan(loss.term, loss.slope, self.dtype, is_wide(output))
        yield from plan.calls((output, target, terms, gradient), output.shape, self._scratch.array)
        # A product with ones is the sum of rows: 1.4 us against 5.1 of np.add.reduce at 128 x 10 (measured).
        yield np.dot, (terms, self._scratch.ones(output.shape[1]), losses)
        if factor != 1:
            weights, times = self._scratch.array("weights", row_weights.shape), self._number(factor)
            yield np.multiply, (losses, times, losses)
            yield np.multiply, (row_weights, times, weights)
            row_weights = weights
        yield from self._weigh(gradient, row_weights)

    @operation
    def softmax_cross_entropy(
        self,
        logits: HostArray,
        labels: HostArray,
        row_weights: HostArray,
        *,
        losses: HostArray,
        gradient: HostArray,
    ) -> Iterable[BoundCall]:
        n, k = logits.shape
        total, picked = self._scratch.array("total", (n,)), self._scratch.array("picked", (n,))
        at_label = self._scratch.array("at_label", (n,), np.int64)  # positions in the flattened (n, k) arrays
        flat = gradient.reshape(-1)
        yield np.multiply, (self._scratch.row_numbers(n), np.array(k), at_label)
        yield np.add, (at_label, labels, at_label)

        yield from self._shifted(logits, gradient, total)
        yield flat.take, (at_label, None, picked, "clip")
        yield from self._exponentials(gradient, total)
        yield np.log, (total, losses)
        yield np.subtract, (losses, picked, losses)

        yield np.divide, (row_weights, total, total)
        yield from self._weigh(gradient, total)
        yield flat.take, (at_label, None, picked, "clip")
        yield np.subtract, (picked, row_weights, picked)
        yield flat.put, (at_label, picked, "clip")

    @operation
    def softmax(self, logits: HostArray, *, out: HostArray) -> Iterable[BoundCall]:
        total = self._scratch.array("total", (len(logits),))
        yield from self._shifted(logits, out, total)
        yield from self._exponentials(out, total)
        spread = self._scratch.array(FIRST, out.shape)
        yield np.copyto, (spread, total[:, None])
        yield np.divide, (out, spread, out)

    def _shifted(self, logits: HostArray, out: HostArray, largest: HostArray) -> Iterable[BoundCall]:
        """Give the calls largest = max z and out = z - max z, by row; `out` may be `logits`."""
        yield np.maximum.reduce, (logits, 1, None, largest)
        spread = self._scratch.array(FIRST, logits.shape)
        yield np.copyto, (spread, largest[:, None])
        yield np.subtract, (logits, spread, out)

    def _exponentials(self, shifted: HostArray, total: HostArray) -> Iterable[BoundCall]:
        """Give the calls that put e^z in the place of z, and total = its sums, by row."""
        yield np.exp, (shifted, shifted)
        yield np.dot, (shifted, self._scratch.ones(shifted.shape[1]), total)

    def _weigh(self, gradient: HostArray, row_weights: HostArray) -> Iterable[BoundCall]:
        """Give the calls that multiply each row by its weight."""
        spread = self._scratch.array(FIRST, gradient.shape)
        yield np.copyto, (spread, row_weights[:, None])
        yield np.multiply, (gradient, spread, gradient)

    # Metrics

    @operation
    def argmax_equals(self, scores: HostArray, labels: HostArray, *, out: HostArray) -> Iterable[BoundCall]:
        largest = self._scratch.array("largest", (len(scores),), np.int64)
        equal = self._scratch.array("equal", (len(scores),), np.bool_)
        yield scores.argmax, (1, largest)
        yield np.equal, (largest, labels, equal)
        yield np.copyto, (out, equal)

    @operation
    def threshold_equals(
        self,
        scores: HostArray,
        target: HostArray,
        score_threshold: float,
        target_threshold: float,
        *,
        out: HostArray,
    ) -> Iterable[BoundCall]:
        positive = self._scratch.array("positive", scores.shape, np.bool_)
        expected = self._scratch.array("expected", scores.shape, np.bool_)
        equal = self._scratch.array("equal", (len(scores),), np.bool_)
        yield np.greater, (scores, self._number(score_threshold), positive)
        yield np.greater, (target, self._number(target_threshold), expected)
        yield np.equal, (positive, expected, positive)
        yield np.logical_and.reduce, (positive, 1, None, equal)
        yield np.copyto, (out, equal)

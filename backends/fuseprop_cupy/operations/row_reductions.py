"""Reductions of each row after the last layer: losses with their gradients, links, and the hits of metrics.

One group of threads takes a row. `exponential`, a link too, is the one that works element by element.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from ..device.launch import blocks_for, lanes_for
from ..device.shapes import Array, expect
from .launching import WARP, Operations


@dataclass(frozen=True)
class LossExtras:
    """What the kernel of a loss can do in the same launch; by default nothing.

    Attributes
    ----------
    bias : (k,), or None
        Added to the outputs as they are read.
    cursor : (1,), or None
        The place of the batch's first row in the arrays of losses and hits; None for 0.
    hits : (N,), or None
        The array for each row's hit; None for no hits.
    classes : (n,), or None
        The class at which the first largest output of a row must stand for a hit; None for thresholds.
    thresholds : tuple of float
        Of the scores and of the targets: a hit has all scores on the sides of its targets.
    """

    bias: Array | None = None
    cursor: Array | None = None
    hits: Array | None = None
    classes: Array | None = None
    thresholds: tuple[float, float] = (0.0, 0.0)


class RowReductionOperations(Operations):
    """Losses, links and hits of rows."""

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
        self._run_loss("squared_error", (output, target, row_weights, factor), losses, gradient)

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
        self._run_loss("absolute_error", (output, target, row_weights, factor), losses, gradient)

    def sigmoid_cross_entropy(
        self, logits: Array, target: Array, row_weights: Array, *, losses: Array, gradient: Array
    ) -> None:
        self._run_loss("sigmoid_cross_entropy", (logits, target, row_weights), losses, gradient)

    def softmax_cross_entropy(
        self, logits: Array, labels: Array, row_weights: Array, *, losses: Array, gradient: Array
    ) -> None:
        self._run_loss("softmax_cross_entropy", (logits, labels, row_weights), losses, gradient)

    def half_poisson_deviance(
        self, logits: Array, target: Array, row_weights: Array, *, losses: Array, gradient: Array
    ) -> None:
        self._run_loss("half_poisson_deviance", (logits, target, row_weights), losses, gradient)

    def _run_loss(
        self,
        name: str,
        operands: tuple[Any, ...],
        losses: Array,
        gradient: Array,
        extras: LossExtras | None = None,
    ) -> None:
        """Launch a loss; operands: output, target or labels, row weights, and the factor if it has one.

        Without extras, losses must be (n,), those of the batch alone.
        """
        output, target, row_weights, *factor = operands
        n, k = output.shape
        labelled = name == "softmax_cross_entropy"
        expect(output.shape, gradient=gradient)
        expect((n,) if labelled else output.shape, **{"labels" if labelled else "target": target})
        expect((n,), row_weights=row_weights)
        if extras is None:
            expect((n,), losses=losses)
            extras = LossExtras()
        if extras.bias is not None:
            expect((k,), bias=extras.bias)
        sides = () if labelled else (extras.classes, *extras.thresholds)
        inputs = extras.bias, target, row_weights, *factor
        self._run_rows(name, output, *inputs, losses, gradient, *sides, extras.hits, extras.cursor)

    def exponential(self, logits: Array, *, out: Array) -> None:
        expect(logits.shape, out=out)
        size = prod(logits.shape)
        self._run(self._typed("exponential"), blocks_for(size), logits, out, size)

    def softmax(self, logits: Array, *, out: Array) -> None:
        expect(logits.shape, out=out)
        self._run_rows("softmax", logits, out)

    def argmax_equals(self, scores: Array, labels: Array, *, out: Array) -> None:
        expect(scores.shape[:1], labels=labels, out=out)
        self._run_rows("argmax_equals", scores, labels, out)

    def threshold_equals(
        self, scores: Array, target: Array, score_threshold: float, target_threshold: float, *, out: Array
    ) -> None:
        expect(scores.shape, target=target)
        expect(scores.shape[:1], out=out)
        self._run_rows("threshold_equals", scores, target, score_threshold, target_threshold, out)

    def _run_rows(self, name: str, matrix: Array, *arguments: Any) -> None:
        """Launch a kernel with one group of threads, within a warp, for each row of (n, k)."""
        n, k = matrix.shape
        lanes = lanes_for(k, WARP)
        self._run(self._typed(name), blocks_for(n, lanes), matrix, *arguments, n, k, lanes)

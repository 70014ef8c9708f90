"""Reductions of each row after the last layer: losses with their gradients, softmax, and the hits of metrics.

One group of threads takes a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fuseprop.backend import LossFormula

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
    """Losses, softmax and hits of rows."""

    def loss_of_rows(
        self,
        output: Array,
        target: Array,
        row_weights: Array,
        loss: LossFormula,
        factor: float,
        *,
        losses: Array,
        gradient: Array,
    ) -> None:
        self._loss_of_rows(output, target, row_weights, loss, factor, losses=losses, gradient=gradient)

    def softmax_cross_entropy(
        self, logits: Array, labels: Array, row_weights: Array, *, losses: Array, gradient: Array
    ) -> None:
        self._softmax_cross_entropy(logits, labels, row_weights, losses=losses, gradient=gradient)

    def _loss_of_rows(
        self,
        output: Array,
        target: Array,
        row_weights: Array,
        loss: LossFormula,
        factor: float,
        *,
        losses: Array,
        gradient: Array,
        extras: LossExtras | None = None,
    ) -> None:
        expect(output.shape, target=target)
        extras = self._checked(output, row_weights, losses, gradient, extras)
        n, k = output.shape
        lanes = lanes_for(k, WARP)
        arrays = output, extras.bias, target, row_weights, factor, losses, gradient
        hits = extras.classes, *extras.thresholds, extras.hits
        self._run_formula(
            "loss_of_rows", loss, blocks_for(n, lanes), *arrays, *hits, extras.cursor, n, k, lanes
        )

    def _softmax_cross_entropy(
        self,
        logits: Array,
        labels: Array,
        row_weights: Array,
        *,
        losses: Array,
        gradient: Array,
        extras: LossExtras | None = None,
    ) -> None:
        expect(logits.shape[:1], labels=labels)
        extras = self._checked(logits, row_weights, losses, gradient, extras)
        arrays = extras.bias, labels, row_weights, losses, gradient, extras.hits, extras.cursor
        self._run_rows("softmax_cross_entropy", logits, *arrays)

    def _checked(
        self, output: Array, row_weights: Array, losses: Array, gradient: Array, extras: LossExtras | None
    ) -> LossExtras:
        """Check what all losses have; without extras, `losses` must be (n,), those of the batch alone."""
        n, k = output.shape
        expect((n, k), gradient=gradient)
        expect((n,), row_weights=row_weights)
        if extras is None:
            expect((n,), losses=losses)
            return LossExtras()
        if extras.bias is not None:
            expect((k,), bias=extras.bias)
        return extras

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

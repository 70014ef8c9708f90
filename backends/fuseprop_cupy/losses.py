"""Losses: each of a row, and its gradient with respect to the outputs or logits."""

from __future__ import annotations

from .device import Array
from .operations import Operations
from .shapes import expect


class LossOperations(Operations):
    """Losses and their gradients."""

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
        expect(output.shape, target=target, gradient=gradient)
        expect(output.shape[:1], row_weights=row_weights, losses=losses)
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
        expect(output.shape, target=target, gradient=gradient)
        expect(output.shape[:1], row_weights=row_weights, losses=losses)
        self._run_rows("absolute_error", output, target, row_weights, factor, losses, gradient)

    def sigmoid_cross_entropy(
        self, logits: Array, target: Array, row_weights: Array, *, losses: Array, gradient: Array
    ) -> None:
        expect(logits.shape, target=target, gradient=gradient)
        expect(logits.shape[:1], row_weights=row_weights, losses=losses)
        self._run_rows("sigmoid_cross_entropy", logits, target, row_weights, losses, gradient)

    def softmax_cross_entropy(
        self, logits: Array, labels: Array, row_weights: Array, *, losses: Array, gradient: Array
    ) -> None:
        expect(logits.shape, gradient=gradient)
        expect(logits.shape[:1], labels=labels, row_weights=row_weights, losses=losses)
        self._run_rows("softmax_cross_entropy", logits, labels, row_weights, losses, gradient)

    def half_poisson_deviance(
        self, logits: Array, target: Array, row_weights: Array, *, losses: Array, gradient: Array
    ) -> None:
        expect(logits.shape, target=target, gradient=gradient)
        expect(logits.shape[:1], row_weights=row_weights, losses=losses)
        self._run_rows("half_poisson_deviance", logits, target, row_weights, losses, gradient)

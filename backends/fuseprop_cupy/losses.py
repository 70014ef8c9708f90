"""Losses: each of a row, and its gradient with respect to the outputs or logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .operations import Operations
from .shapes import Array, expect


@dataclass(frozen=True)
class Kept:
    """Where a loss goes in the epoch, and what its kernel finds out besides.

    Attributes
    ----------
    bias : (k,), or None
        What is yet to be added to the outputs.
    cursor : (1,), or None
        Where in the arrays of losses and hits a batch's begin; None for their start.
    hits : (N,), or None
        Where each row's hit goes.
    classes : (n,), or None
        The labels that hits go by; None for thresholds.
    thresholds : of the scores and of the targets
    """

    bias: Array | None = None
    cursor: Array | None = None
    hits: Array | None = None
    classes: Array | None = None
    thresholds: tuple[float, float] = (0.0, 0.0)


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
        self, name: str, operands: tuple[Any, ...], losses: Array, gradient: Array, kept: Kept | None = None
    ) -> None:
        """Launch a loss; operands are output, target or labels, row weights, and the factor if it has one."""
        output, target, row_weights, *factor = operands
        n, k = output.shape
        labelled = name == "softmax_cross_entropy"
        expect(output.shape, gradient=gradient)
        expect((n,) if labelled else output.shape, **{"labels" if labelled else "target": target})
        expect((n,), row_weights=row_weights)
        if kept is None:
            expect((n,), losses=losses)
            kept = Kept()
        if kept.bias is not None:
            expect((k,), bias=kept.bias)
        sides = () if labelled else (kept.classes, *kept.thresholds)
        given = kept.bias, target, row_weights, *factor
        self._run_rows(name, output, *given, losses, gradient, *sides, kept.hits, kept.cursor)

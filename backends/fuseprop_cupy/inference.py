"""What follows the last layer where nothing is learned: links, and which rows are right."""

from __future__ import annotations

from math import prod

from .launch import blocks_for
from .operations import Operations
from .shapes import Array, expect


class InferenceOperations(Operations):
    """Inference and metrics."""

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

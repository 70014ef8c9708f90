"""What follows the last layer where nothing is learned: links, and which rows are right."""

from __future__ import annotations

import numpy as np

from fuseprop.backend import HostArray

from .operations import Operations


class InferenceOperations(Operations):
    """Inference and metrics."""

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

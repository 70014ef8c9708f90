"""Losses: each of a row, and its gradient with respect to the outputs or logits."""

from __future__ import annotations

import numpy as np

from fuseprop.backend import HostArray

from .operations import Operations


class LossOperations(Operations):
    """Losses and their gradients."""

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

    def _weigh(self, gradient: HostArray, row_weights: HostArray) -> None:
        """Multiply each row by its weight."""
        np.multiply(gradient, self._scratch.spread(row_weights[:, None], gradient.shape), out=gradient)

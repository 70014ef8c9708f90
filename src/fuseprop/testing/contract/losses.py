"""The contract of the losses: each row's loss and the gradient of the weighted mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fuseprop.backend import INTEGER, AnyBackend, Array
from fuseprop.formulas import Loss
from fuseprop.formulas.losses import half_poisson_deviance, sigmoid_cross_entropy
from fuseprop.testing.contract.calls import Calls
from fuseprop.testing.contract.formulas import ELEMENTWISE, has_digits, in_turn, reference
from fuseprop.testing.contract.parity import (
    LARGE,
    SHAPES,
    Host,
    assert_as_ieee_754,
    extremes,
    pairs_of,
    softmax64,
)


def _outputs(backend: AnyBackend, shape: tuple[int, int]) -> tuple[Array, Array]:
    return backend.empty((shape[0],)), backend.empty(shape)


class LossContract:
    """Losses and gradients, in one pass."""

    @pytest.mark.parametrize(("loss", "shape"), in_turn(ELEMENTWISE, SHAPES, 4))
    def test_loss_of_rows(self, backend: AnyBackend, loss: str, shape: tuple[int, int]) -> None:
        """A row's loss is factor times the sum of its terms; its gradient is weighted."""
        host, chosen = Host(backend), ELEMENTWISE[loss]
        y, t, weights = host.normal(*shape, scale=2.0), host.targets(chosen, *shape), host.weights(shape[0])
        self._assert_is_the_formula(backend, chosen, y, t, weights, chosen.factor(shape[1]))

    @pytest.mark.parametrize("loss", ELEMENTWISE)
    def test_a_target_that_is_met(self, backend: AnyBackend, loss: str) -> None:
        """At y = t, where many losses have their kink, or the least value, the slope is the formula's."""
        chosen = ELEMENTWISE[loss]
        t = Host(backend).targets(chosen, 9, 5)
        self._assert_is_the_formula(backend, chosen, t, t, np.full(9, 1 / 9), 0.5)

    @staticmethod
    def _assert_is_the_formula(
        backend: AnyBackend,
        loss: Loss,
        y: NDArray[Any],
        t: NDArray[Any],
        weights: NDArray[Any],
        factor: float,
    ) -> None:
        """Compare losses and gradient with what float64 gives, and see that the inputs are left alone."""
        calls = Calls(backend)
        formula, values = loss.formula, {"y": y, "t": t}
        losses, gradient = _outputs(backend, y.shape)
        output, target, row_weights = map(backend.from_host, (y, t, weights))
        calls.loss_of_rows(output, target, row_weights, formula, factor, losses=losses, gradient=gradient)
        terms, slopes = (reference(each, values, y.shape) for each in (formula.term, formula.slope))
        calls.assert_parity(losses, factor * terms.sum(axis=1))
        expected = factor * backend.to_host(row_weights).astype(np.float64)[:, None] * slopes
        calls.assert_parity(gradient, expected)
        calls.assert_equal(output, y)
        calls.assert_equal(target, t)

    @pytest.mark.parametrize("loss", ELEMENTWISE)
    def test_losses_at_the_extremes(self, backend: AnyBackend, loss: str) -> None:
        """Zeros, denormals, infinities and NaN, as the formula has them in the arithmetic of IEEE 754."""
        calls = Calls(backend)
        formula = ELEMENTWISE[loss].formula
        y, t = (each.reshape(-1, 1) for each in pairs_of(extremes(backend.dtype)))
        losses, gradient = _outputs(backend, y.shape)
        output, target, ones = map(backend.from_host, (y, t, np.ones(len(y))))
        with np.errstate(all="ignore"):
            calls.loss_of_rows(output, target, ones, formula, 1.0, losses=losses, gradient=gradient)
        for result, expression in ((losses, formula.term), (gradient, formula.slope)):
            actual = backend.to_host(result).reshape(y.shape)
            assert_as_ieee_754(actual, expression, {"y": y, "t": t}, digits=has_digits(loss), what=calls.text)

    @pytest.mark.parametrize("size", [1.0, 1e-3, 300.0])
    def test_poisson_deviances_of_any_size(self, backend: AnyBackend, size: float) -> None:
        """Counts and amounts of any size, 0 included, and means near them and far away."""
        host, shape, loss = Host(backend), (33, 65), half_poisson_deviance()
        t = size * host.unit(*shape)
        t[host.unit(*shape) < 0.2] = 0
        for scale in (1e-3, 2.0):
            z = (np.log(np.where(t > 0, t, size)) + host.normal(*shape, scale=scale)).astype(backend.dtype)
            self._assert_is_the_formula(backend, loss, z, t, host.weights(shape[0]), 1.0)

    @pytest.mark.parametrize("loss", [name for name, each in ELEMENTWISE.items() if each.link == "sigmoid"])
    def test_hard_labels(self, backend: AnyBackend, loss: str) -> None:
        """Labels of exactly 0 and 1 behind large logits."""
        host, shape = Host(backend), (33, 65)
        z, t = host.normal(*shape, scale=20.0), np.round(host.unit(*shape))
        self._assert_is_the_formula(backend, ELEMENTWISE[loss], z, t, host.weights(shape[0]), 1.0)

    def test_a_poisson_deviance_near_0_keeps_its_digits(self, backend: AnyBackend) -> None:
        """For y within 0.1% of t = 1e6, where the terms of the formula are 1e7, and for t = 0."""
        calls = Calls(backend)
        t = np.array([[1e6, 1e6, 2.0, 0.0]], backend.dtype)
        z = np.array([[np.log(1e6) + 1e-3, np.log(1e6) - 1e-3, np.log(2.0), -50.0]], backend.dtype)
        losses, gradient = _outputs(backend, (4, 1))
        values = (z.reshape(4, 1), t.reshape(4, 1), np.full(4, 0.25))
        formula = half_poisson_deviance().formula
        output, target, weights = map(backend.from_host, values)
        calls.loss_of_rows(output, target, weights, formula, 1.0, losses=losses, gradient=gradient)
        d = z[0].astype(np.longdouble) - np.log(np.where(t[0] > 0, t[0], 1).astype(np.longdouble))
        expected = np.where(t[0] > 0, t[0] * (np.expm1(d) - d), np.exp(d))
        slack = 20 * np.finfo(backend.dtype).eps * (np.abs(t[0] * np.expm1(d)) + np.finfo(backend.dtype).tiny)
        off = np.abs(backend.to_host(losses) - expected) / (slack + 1e-20)
        assert off.max() <= 1, f"{calls.text}: losses are {off} times as far off as they may be"

    @pytest.mark.parametrize("shape", [*SHAPES, LARGE])
    def test_softmax_cross_entropy(self, backend: AnyBackend, shape: tuple[int, int]) -> None:
        """Exclusive classes, given by number."""
        calls = Calls(backend)
        host = Host(backend)
        z, weights, labels = host.normal(*shape, scale=4.0), host.weights(shape[0]), host.labels(*shape)
        losses, gradient = _outputs(backend, shape)
        logits = backend.from_host(z)
        calls.softmax_cross_entropy(
            logits,
            backend.from_host(labels, dtype=INTEGER),
            backend.from_host(weights),
            losses=losses,
            gradient=gradient,
        )
        calls.assert_equal(logits, z)
        probabilities = softmax64(z)
        rows = np.arange(shape[0])
        calls.assert_parity(losses, -np.log(probabilities[rows, labels]))
        probabilities[rows, labels] -= 1
        expected = weights.astype(np.float64)[:, None] * probabilities
        calls.assert_parity(gradient, expected)

    def test_cross_entropies_at_the_extremes(self, backend: AnyBackend) -> None:
        """Finite for every finite logit; nan stays nan, in its row alone."""
        calls = Calls(backend)
        z = np.array([[1e4, -1e4], [-1e4, 1e4], [0, 0], [88.5, -103], [np.nan, 1]], backend.dtype)
        t = np.array([[1, 0], [1, 0], [0.5, 1], [0, 1], [1, 0]], backend.dtype)
        weights = backend.from_host(np.full(5, 0.2))
        losses, gradient = _outputs(backend, z.shape)
        formula = sigmoid_cross_entropy().formula
        calls.loss_of_rows(
            backend.from_host(z),
            backend.from_host(t),
            weights,
            formula,
            1.0,
            losses=losses,
            gradient=gradient,
        )
        z64, t64 = z.astype(np.float64), t.astype(np.float64)
        softplus = np.maximum(z64, 0) + np.log1p(np.exp(-np.abs(z64)))
        calls.assert_parity(losses, (softplus - t64 * z64).sum(axis=1))
        with np.errstate(over="ignore"):
            slopes = 1 / (1 + np.exp(-z64)) - t64
        calls.assert_parity(gradient, 0.2 * slopes)
        labels = backend.from_host(np.zeros(5), dtype=INTEGER)
        calls.softmax_cross_entropy(backend.from_host(z), labels, weights, losses=losses, gradient=gradient)
        expected = np.array([0, 2e4, np.log(2), 0, np.nan])
        calls.assert_parity(losses, expected)
        assert np.isfinite(backend.to_host(gradient)[:4]).all(), calls.text

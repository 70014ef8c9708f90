"""The contract of the losses: each row's loss and the gradient of the weighted mean."""

from __future__ import annotations

import numpy as np
import pytest

from fuseprop.backend import INTEGER, AnyBackend, Array
from fuseprop.formulas.activations import activate
from fuseprop.testing.contract.parity import SHAPES, Host, assert_parity, softmax64


def _outputs(backend: AnyBackend, shape: tuple[int, int]) -> tuple[Array, Array]:
    return backend.empty((shape[0],)), backend.empty(shape)


class LossContract:
    """Losses and gradients, in one pass."""

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("factor", [0.5, 1 / 3])
    def test_squared_error(self, backend: AnyBackend, shape: tuple[int, int], factor: float) -> None:
        """A row's loss is factor times the sum of squares; its gradient is weighted."""
        host = Host(backend)
        y, t, weights = host.normal(*shape), host.normal(*shape), host.weights(shape[0])
        losses, gradient = _outputs(backend, shape)
        output, target, row_weights = map(backend.from_host, (y, t, weights))
        backend.squared_error(output, target, row_weights, factor, losses=losses, gradient=gradient)
        error = y.astype(np.float64) - t.astype(np.float64)
        assert_parity(backend.to_host(losses), factor * (error**2).sum(axis=1), backend.dtype)
        expected = 2 * factor * weights.astype(np.float64)[:, None] * error
        assert_parity(backend.to_host(gradient), expected, backend.dtype)

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("factor", [1.0, 1 / 3])
    def test_absolute_error(self, backend: AnyBackend, shape: tuple[int, int], factor: float) -> None:
        """A row's loss is factor times the sum of distances; the gradient is a sign, 0 where y = t."""
        host = Host(backend)
        y, t, weights = host.normal(*shape), host.normal(*shape), host.weights(shape[0])
        y[0, 0] = t[0, 0]
        losses, gradient = _outputs(backend, shape)
        output, target, row_weights = map(backend.from_host, (y, t, weights))
        backend.absolute_error(output, target, row_weights, factor, losses=losses, gradient=gradient)
        error = y.astype(np.float64) - t.astype(np.float64)
        assert_parity(backend.to_host(losses), factor * np.abs(error).sum(axis=1), backend.dtype)
        expected = factor * weights.astype(np.float64)[:, None] * np.sign(error)
        assert_parity(backend.to_host(gradient), expected, backend.dtype)
        assert backend.to_host(gradient)[0, 0] == 0

    @pytest.mark.parametrize("shape", SHAPES)
    def test_sigmoid_cross_entropy(self, backend: AnyBackend, shape: tuple[int, int]) -> None:
        """Non-exclusive labels, hard and soft."""
        host = Host(backend)
        z, weights = host.normal(*shape, scale=4.0), host.weights(shape[0])
        for t in (host.unit(*shape), np.round(host.unit(*shape))):
            losses, gradient = _outputs(backend, shape)
            backend.sigmoid_cross_entropy(
                *map(backend.from_host, (z, t, weights)), losses=losses, gradient=gradient
            )
            z64, t64 = z.astype(np.float64), t.astype(np.float64)
            row_losses = (np.logaddexp(0, z64) - t64 * z64).sum(axis=1)
            assert_parity(backend.to_host(losses), row_losses, backend.dtype)
            expected = weights.astype(np.float64)[:, None] * (activate("sigmoid", z64) - t64)
            assert_parity(backend.to_host(gradient), expected, backend.dtype)

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("size", [1.0, 1e-3, 300.0])
    def test_half_poisson_deviance(self, backend: AnyBackend, shape: tuple[int, int], size: float) -> None:
        """Counts and amounts of any size, 0 included, and means near them and far away."""
        host = Host(backend)
        t, weights = size * host.unit(*shape), host.weights(shape[0])
        t[host.unit(*shape) < 0.2] = 0
        for scale in (1e-3, 2.0):
            z = (np.log(np.where(t > 0, t, size)) + host.normal(*shape, scale=scale)).astype(backend.dtype)
            losses, gradient = _outputs(backend, shape)
            backend.half_poisson_deviance(
                *map(backend.from_host, (z, t, weights)), losses=losses, gradient=gradient
            )
            z64, t64 = z.astype(np.float64), t.astype(np.float64)
            y64 = np.exp(z64)
            row_losses = t64 * (np.log(np.where(t64 > 0, t64, 1)) - z64) - t64 + y64
            assert_parity(backend.to_host(losses), row_losses.sum(axis=1), backend.dtype)
            expected = weights.astype(np.float64)[:, None] * (y64 - t64)
            assert_parity(backend.to_host(gradient), expected, backend.dtype)

    def test_a_poisson_deviance_near_0_keeps_its_digits(self, backend: AnyBackend) -> None:
        """For y within 0.1% of t = 1e6, where the terms of the formula are 1e7, and for t = 0."""
        t = np.array([[1e6, 1e6, 2.0, 0.0]], backend.dtype)
        z = np.array([[np.log(1e6) + 1e-3, np.log(1e6) - 1e-3, np.log(2.0), -50.0]], backend.dtype)
        losses, gradient = _outputs(backend, (4, 1))
        values = (z.reshape(4, 1), t.reshape(4, 1), np.full(4, 0.25))
        backend.half_poisson_deviance(*map(backend.from_host, values), losses=losses, gradient=gradient)
        d = z[0].astype(np.longdouble) - np.log(np.where(t[0] > 0, t[0], 1).astype(np.longdouble))
        expected = np.where(t[0] > 0, t[0] * (np.expm1(d) - d), np.exp(d))
        slack = 20 * np.finfo(backend.dtype).eps * (np.abs(t[0] * np.expm1(d)) + np.finfo(backend.dtype).tiny)
        assert (np.abs(backend.to_host(losses) - expected) <= slack + 1e-20).all()

    @pytest.mark.parametrize("shape", SHAPES)
    def test_softmax_cross_entropy(self, backend: AnyBackend, shape: tuple[int, int]) -> None:
        """Exclusive classes, given by number."""
        host = Host(backend)
        z, weights, labels = host.normal(*shape, scale=4.0), host.weights(shape[0]), host.labels(*shape)
        losses, gradient = _outputs(backend, shape)
        backend.softmax_cross_entropy(
            backend.from_host(z),
            backend.from_host(labels, dtype=INTEGER),
            backend.from_host(weights),
            losses=losses,
            gradient=gradient,
        )
        probabilities = softmax64(z)
        rows = np.arange(shape[0])
        assert_parity(backend.to_host(losses), -np.log(probabilities[rows, labels]), backend.dtype)
        probabilities[rows, labels] -= 1
        expected = weights.astype(np.float64)[:, None] * probabilities
        assert_parity(backend.to_host(gradient), expected, backend.dtype)

    def test_cross_entropies_at_the_extremes(self, backend: AnyBackend) -> None:
        """Finite for every finite logit; nan stays nan, in its row alone."""
        z = np.array([[1e4, -1e4], [-1e4, 1e4], [0, 0], [88.5, -103], [np.nan, 1]], backend.dtype)
        t = np.array([[1, 0], [1, 0], [0.5, 1], [0, 1], [1, 0]], backend.dtype)
        weights = backend.from_host(np.full(5, 0.2))
        losses, gradient = _outputs(backend, z.shape)
        backend.sigmoid_cross_entropy(
            backend.from_host(z), backend.from_host(t), weights, losses=losses, gradient=gradient
        )
        z64, t64 = z.astype(np.float64), t.astype(np.float64)
        softplus = np.maximum(z64, 0) + np.log1p(np.exp(-np.abs(z64)))
        assert_parity(backend.to_host(losses), (softplus - t64 * z64).sum(axis=1), backend.dtype)
        assert_parity(backend.to_host(gradient), 0.2 * (activate("sigmoid", z64) - t64), backend.dtype)
        labels = backend.from_host(np.zeros(5), dtype=INTEGER)
        backend.softmax_cross_entropy(backend.from_host(z), labels, weights, losses=losses, gradient=gradient)
        expected = np.array([0, 2e4, np.log(2), 0, np.nan])
        assert_parity(backend.to_host(losses), expected, backend.dtype)
        assert np.isfinite(backend.to_host(gradient)[:4]).all()

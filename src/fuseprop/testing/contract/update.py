"""The contract of the update over the flat parameters."""

from __future__ import annotations

import numpy as np
import pytest

from fuseprop.backend import AnyBackend
from fuseprop.testing.contract.parity import Host, assert_parity

SIZES = [1, 63, 1000, 70001]


class UpdateContract:
    """Momentum, decay and norms, at sizes around every block."""

    @pytest.mark.parametrize("size", SIZES)
    def test_sum_squares(self, backend: AnyBackend, size: int) -> None:
        """The sum of squares; not finite as soon as one element is not."""
        values = Host(backend).normal(size)
        out = backend.empty((1,))
        backend.sum_squares(backend.from_host(values), out=out)
        exact = float((values.astype(np.float64) ** 2).sum())
        assert_parity(backend.to_host(out) / exact, [1.0], backend.dtype)
        for bad in (np.nan, np.inf, -np.inf):
            values[size // 2] = bad
            backend.sum_squares(backend.from_host(values), out=out)
            assert not np.isfinite(backend.to_host(out)[0])

    @pytest.mark.parametrize("size", SIZES)
    def test_clip_norm(self, backend: AnyBackend, size: int) -> None:
        """The norm before clipping; scaled to the limit above it, the same bits below it."""
        values = Host(backend).normal(size)
        exact = float(np.sqrt((values.astype(np.float64) ** 2).sum()))
        norm = backend.empty((1,))
        for limit in (exact / 3, exact * 3):
            gradients = backend.from_host(values)
            backend.clip_norm(gradients, limit, norm=norm)
            assert_parity(backend.to_host(norm) / exact, [1.0], backend.dtype)
            clipped = backend.to_host(gradients)
            assert_parity(clipped, values.astype(np.float64) * min(1.0, limit / exact), backend.dtype)
            if limit > exact:
                np.testing.assert_array_equal(clipped, values)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, np.finfo(np.float32).max])
    def test_clip_norm_leaves_an_explosion_to_be_seen(self, backend: AnyBackend, bad: float) -> None:
        """Gradients whose norm is not finite stay as they are: not finite, or too large to be squared."""
        values = np.array([1.0, bad, -2.0]).astype(backend.dtype)
        norm, gradients = backend.empty((1,)), backend.from_host(values)
        with np.errstate(over="ignore"):
            backend.clip_norm(gradients, 1.0, norm=norm)
        if not np.isfinite(backend.to_host(norm)[0]):
            np.testing.assert_array_equal(backend.to_host(gradients), values)
        else:
            assert_parity(backend.to_host(gradients), values / bad, backend.dtype)

    def test_clip_norm_of_zeros(self, backend: AnyBackend) -> None:
        """Nothing to clip, and nothing divided by 0."""
        norm, gradients = backend.empty((1,)), backend.zeros((70,))
        backend.clip_norm(gradients, 0.5, norm=norm)
        assert backend.to_host(norm)[0] == 0
        assert not backend.to_host(gradients).any()

    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("nesterov", [False, True])
    @pytest.mark.parametrize("decay", [0.0, 0.01])
    def test_momentum_sgd(self, backend: AnyBackend, size: int, nesterov: bool, decay: float) -> None:
        """Three updates by the formula, with decay in its ranges only; gradients stay as they are."""
        host = Host(backend)
        w, v, g = host.normal(size), host.normal(size), host.normal(size)
        values, velocities, gradients = map(backend.from_host, (w, v, g))
        ranges = [(0, size // 3), (size // 2, size)]
        decays = np.zeros(size, bool)
        for start, stop in ranges:
            decays[start:stop] = True
        settings = backend.zeros((3,))
        w64, v64 = w.astype(np.float64), v.astype(np.float64)
        for learning_rate, momentum in ((0.3, 0.6), (0.1, 0.9), (0.05, 0.0)):
            numbers = np.array([learning_rate, momentum, decay], backend.dtype)
            backend.from_host(numbers, out=settings)
            backend.momentum_sgd(
                values, gradients, velocities, settings, decay_ranges=ranges, nesterov=nesterov
            )
            a, mu, c = numbers.astype(np.float64)
            g64 = g.astype(np.float64) + c * w64 * decays
            v64 = mu * v64 - a * g64
            w64 = w64 + mu * v64 - a * g64 if nesterov else w64 + v64
        assert_parity(backend.to_host(values), w64, backend.dtype)
        assert_parity(backend.to_host(velocities), v64, backend.dtype)
        np.testing.assert_array_equal(backend.to_host(gradients), g)

    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("decay", [0.0, 0.01])
    def test_adam(self, backend: AnyBackend, size: int, decay: float) -> None:
        """Three updates by the formula, from moments of any size, with decay in its ranges only."""
        host = Host(backend)
        w, m, g = host.normal(size), host.normal(size), host.normal(size)
        v = host.unit(size)
        v[: size // 4] = 0
        values, first, second, gradients = map(backend.from_host, (w, m, v, g))
        ranges = [(0, size // 3), (size // 2, size)]
        decays = np.zeros(size, bool)
        for start, stop in ranges:
            decays[start:stop] = True
        settings = backend.zeros((5,))
        w64, m64, v64 = (array.astype(np.float64) for array in (w, m, v))
        for numbers in ([0.1, 0.9, 0.999, 1e-3, decay], [0.05, 0.5, 0.9, 0.1, decay], [0.2, 0, 0, 1, decay]):
            rounded = np.array(numbers, backend.dtype)
            backend.from_host(rounded, out=settings)
            backend.adam(values, gradients, first, second, settings, decay_ranges=ranges)
            a, b1, b2, epsilon, c = rounded.astype(np.float64)
            g64 = g.astype(np.float64) + c * w64 * decays
            m64 = b1 * m64 + (1 - b1) * g64
            v64 = b2 * v64 + (1 - b2) * g64**2
            w64 = w64 - a * m64 / (np.sqrt(v64) + epsilon)
        for actual, expected in ((values, w64), (first, m64), (second, v64)):
            assert_parity(backend.to_host(actual), expected, backend.dtype)
        np.testing.assert_array_equal(backend.to_host(gradients), g)

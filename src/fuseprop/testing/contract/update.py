"""The contract of the update over the flat parameters."""

from __future__ import annotations

import numpy as np
import pytest

from fuseprop.backend import AnyBackend
from fuseprop.testing.contract.calls import Calls
from fuseprop.testing.contract.formulas import UPDATE_CASES, has_digits, reference
from fuseprop.testing.contract.parity import Host, assert_as_ieee_754, assert_parity, extremes, pairs_of

SIZES = [1, 63, 1000, 70001]


class UpdateContract:
    """Every formula, decay and norms, at sizes around every block."""

    @pytest.mark.parametrize("size", SIZES)
    def test_sum_squares(self, backend: AnyBackend, size: int) -> None:
        """The sum of squares; not finite as soon as one element is not."""
        calls = Calls(backend)
        values = Host(backend).normal(size)
        out = backend.empty((1,))
        calls.sum_squares(backend.from_host(values), out=out)
        exact = float((values.astype(np.float64) ** 2).sum())
        assert_parity(backend.to_host(out) / exact, [1.0], backend.dtype, f"{calls.text}, of the sum,")
        for bad in (np.nan, np.inf, -np.inf):
            values[size // 2] = bad
            calls.sum_squares(backend.from_host(values), out=out)
            assert not np.isfinite(backend.to_host(out)[0]), calls.text
            assert np.isnan(backend.to_host(out)[0]) == np.isnan(bad), calls.text

    @pytest.mark.parametrize("size", SIZES)
    def test_clip_norm(self, backend: AnyBackend, size: int) -> None:
        """The norm before clipping; scaled to the limit above it, the same bits below it."""
        calls = Calls(backend)
        values = Host(backend).normal(size)
        exact = float(np.sqrt((values.astype(np.float64) ** 2).sum()))
        norm = backend.empty((1,))
        for limit in (exact / 3, exact * 3):
            gradients = backend.from_host(values)
            calls.clip_norm(gradients, limit, norm=norm)
            assert_parity(backend.to_host(norm) / exact, [1.0], backend.dtype, f"{calls.text}, of the norm,")
            calls.assert_parity(gradients, values.astype(np.float64) * min(1.0, limit / exact))
            if limit > exact:
                calls.assert_equal(gradients, values)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, np.finfo(np.float32).max])
    def test_clip_norm_leaves_an_explosion_to_be_seen(self, backend: AnyBackend, bad: float) -> None:
        """Gradients whose norm is not finite stay as they are: not finite, or too large to be squared."""
        calls = Calls(backend)
        values = np.array([1.0, bad, -2.0]).astype(backend.dtype)
        norm, gradients = backend.empty((1,)), backend.from_host(values)
        with np.errstate(over="ignore"):
            calls.clip_norm(gradients, 1.0, norm=norm)
        if not np.isfinite(backend.to_host(norm)[0]):
            calls.assert_equal(gradients, values)
        else:
            calls.assert_parity(gradients, values / bad)

    def test_clip_norm_of_zeros(self, backend: AnyBackend) -> None:
        """Nothing to clip, and nothing divided by 0."""
        calls = Calls(backend)
        norm, gradients = backend.empty((1,)), backend.zeros((70,))
        calls.clip_norm(gradients, 0.5, norm=norm)
        calls.assert_equal(norm, [0])
        calls.assert_equal(gradients, 0)

    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("update", UPDATE_CASES)
    @pytest.mark.parametrize("decay", [0.0, 0.01])
    def test_update(self, backend: AnyBackend, size: int, update: str, decay: float) -> None:
        """Several updates by the formula, with decay in its ranges only; gradients stay as they are.

        The settings differ from update to update: each is 0 once. A quarter of the moments starts at 0.
        """
        calls = Calls(backend)
        host, formula = Host(backend), UPDATE_CASES[update]
        names = [name for name, _ in formula.moments]
        w, g, kept = host.normal(size), host.normal(size), host.unit(len(names), size)
        kept[:, : size // 4] = 0
        edges = [*map(int, np.linspace(0, size, 26))]  # a bias stands between the weights of any two layers
        ranges = [(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop]
        decays = np.zeros(size, bool)
        for start, stop in ranges:
            decays[start:stop] = True
        values, gradients, moments = map(backend.from_host, (w, g, kept))
        settings = backend.zeros((len(formula.settings) + 1,))
        w64, kept64 = w.astype(np.float64), kept.astype(np.float64)
        for zero in (*range(len(formula.settings)), None):
            numbers = np.append(0.05 + 0.9 * host.unit(len(formula.settings)), decay).astype(backend.dtype)
            if zero is not None:
                numbers[zero] = 0
            backend.from_host(numbers, out=settings)
            calls.update(values, gradients, moments, settings, formula, decay_ranges=ranges)
            *chosen, c = numbers.astype(np.float64)
            at = {"w": w64, "g": g.astype(np.float64) + c * w64 * decays}
            at |= dict(zip(formula.settings, chosen, strict=True)) | dict(zip(names, kept64, strict=True))
            new = {name: reference(each, at, (size,)) for name, each in formula.results.items()}
            w64, kept64 = new["w"], np.array([new[name] for name in names])
        calls.assert_parity(values, w64)
        calls.assert_parity(moments, kept64)
        calls.assert_equal(gradients, g)

    @pytest.mark.parametrize("update", UPDATE_CASES)
    def test_updates_at_the_extremes(self, backend: AnyBackend, update: str) -> None:
        """Zeros, denormals, infinities and NaN, as the formula has them in the arithmetic of IEEE 754."""
        calls = Calls(backend)
        formula = UPDATE_CASES[update]
        g, w = pairs_of(extremes(backend.dtype))
        names = [name for name, _ in formula.moments]
        kept = np.array([np.roll(np.abs(w), place) for place in range(len(names))])
        numbers = np.append(np.full(len(formula.settings), 0.5), 0).astype(backend.dtype)
        values, gradients, moments, settings = map(backend.from_host, (w, g, kept, numbers))
        with np.errstate(all="ignore"):
            calls.update(values, gradients, moments, settings, formula, decay_ranges=[])
        at = {"w": w, "g": g, **dict(zip(names, kept, strict=True))}
        at |= {name: np.full_like(w, 0.5) for name in formula.settings}
        for name, actual in zip(
            [*names, "w"], [*backend.to_host(moments), backend.to_host(values)], strict=True
        ):
            assert_as_ieee_754(actual, formula.results[name], at, digits=has_digits(update), what=calls.text)

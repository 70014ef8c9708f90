"""The contract of products and of the fused elementwise steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fuseprop.backend import INTEGER, AnyBackend
from fuseprop.backend.formula import G, Z
from fuseprop.formulas.activations import sigmoid
from fuseprop.testing.contract.calls import Calls
from fuseprop.testing.contract.formulas import ACTIVATION_CASES, has_digits, in_turn, reference
from fuseprop.testing.contract.parity import (
    LARGE,
    SHAPES,
    Host,
    assert_as_ieee_754,
    assert_equal,
    assert_within,
    extremes,
    pairs_of,
)

RATE_AT_A_HASH = 1429645016 / 2**32
"""2^32 times this rate is the hash of the first element with seed 3 in step 0, so that it is just kept."""


MASKS = [
    (0.5, 0, 0),
    (0.1, 2**32 - 1, 1),
    (0.9, 12345, 2**31),
    (0.75, 2**31, 2**40 + 9),
    (0.0, 7, 7),
    (RATE_AT_A_HASH, 3, 0),
]
"""Rates, seeds and steps of dropout."""


def _mix(x: Any, key: Any = 0) -> Any:
    """Return the protocol's hash of 32 bits, in 64: no product of two such numbers overflows."""
    lowest = np.uint64(0xFFFFFFFF)
    x = x ^ x >> np.uint64(16)
    x = (x * np.uint64(0x7FEB352D) + key) & lowest
    x = x ^ x >> np.uint64(15)
    x = (x * np.uint64(0x846CA68B)) & lowest
    return x ^ x >> np.uint64(16)


class ElementwiseContract:
    """Forward and backward through one layer."""

    @pytest.mark.parametrize("n", [1, 4, 65])
    @pytest.mark.parametrize(("d", "m"), [(1, 1), (3, 10), (64, 33), (257, 2), (1031, 3)])
    def test_matmul(self, backend: AnyBackend, n: int, d: int, m: int) -> None:
        """Products in the three forms that a dense layer needs, also into a view."""
        calls = Calls(backend)
        host = Host(backend)
        x, w, delta = host.normal(n, d), host.normal(d, m), host.normal(n, m)
        device_x, device_w, device_delta = map(backend.from_host, (x, w, delta))
        z, dx = backend.empty((n, m)), backend.empty((n, d))
        dw = backend.zeros(((d + 1) * m,))
        calls.matmul(device_x, device_w, out=z)
        calls.matmul(device_x.T, device_delta, out=dw[: d * m].reshape((d, m)))
        calls.matmul(device_delta, device_w.T, out=dx)
        for actual, a, b in ((z, x, w), (dw[: d * m].reshape((d, m)), x.T, delta), (dx, delta, w.T)):
            calls.assert_parity(actual, a.astype(np.float64) @ b.astype(np.float64))
        assert not backend.to_host(dw[d * m :]).any()

    @pytest.mark.parametrize(
        ("activation", "shape"), [*in_turn(ACTIVATION_CASES, SHAPES, 3), ("tanh", LARGE)]
    )
    def test_bias_activation(self, backend: AnyBackend, activation: str, shape: tuple[int, int]) -> None:
        """f(z + b), and f(z) without a bias, in place and not; z + b is kept where it is asked for."""
        calls = Calls(backend)
        host, formula = Host(backend), ACTIVATION_CASES[activation].formula
        z, bias = host.normal(*shape, scale=3.0), host.normal(shape[1])
        for b in (bias, None):
            argument = z.astype(np.float64) + (0.0 if b is None else b.astype(np.float64))
            expected = reference(formula.value, {"z": argument}, shape)
            device_bias = None if b is None else backend.from_host(b)
            device_z, out, also = backend.from_host(z), backend.empty(shape), backend.empty(shape)
            around = backend.zeros((z.size + 2,))
            kept = around[1 : z.size + 1].reshape(shape)
            calls.bias_activation(device_z, device_bias, formula, out=out)
            calls.assert_parity(out, expected)
            calls.bias_activation(device_z, device_bias, formula, out=also, kept=kept)
            calls.assert_equal(device_z, z)
            calls.assert_equal(also, backend.to_host(out))
            calls.assert_parity(around, [0, *argument.ravel(), 0])
            calls.bias_activation(device_z, device_bias, formula, out=device_z)
            calls.assert_parity(device_z, expected)
            kept_before, device_z = backend.to_host(kept), backend.from_host(z)
            calls.bias_activation(device_z, device_bias, formula, out=device_z, kept=kept)
            calls.assert_equal(device_z, backend.to_host(out))
            calls.assert_equal(kept, kept_before)

    @pytest.mark.parametrize("activation", ACTIVATION_CASES)
    def test_activations_at_the_extremes(self, backend: AnyBackend, activation: str) -> None:
        """Zeros, denormals, infinities and NaN, as the formula has them in the arithmetic of IEEE 754."""
        calls = Calls(backend)
        formula = ACTIVATION_CASES[activation].formula
        z = extremes(backend.dtype, 1e-30, 80, 1e4, np.finfo(backend.dtype).max).reshape(1, -1)
        for bias in (None, np.zeros(z.shape[1])):
            device_bias = None if bias is None else backend.from_host(bias)
            out, kept = backend.empty(z.shape), backend.empty(z.shape)
            with np.errstate(all="ignore"):
                calls.bias_activation(backend.from_host(z), device_bias, formula, out=out, kept=kept)
            digits = has_digits(activation)
            assert_as_ieee_754(backend.to_host(out), formula.value, {"z": z}, digits=digits, what=calls.text)
            assert_as_ieee_754(backend.to_host(kept), Z, {"z": z}, what=calls.text)

    def test_sigmoid_is_exact_where_it_is_small(self, backend: AnyBackend) -> None:
        """Down to e^-80 every digit counts, not only those of 1."""
        calls = Calls(backend)
        formula = sigmoid().formula
        tail = np.linspace(-80, 0, 101, dtype=backend.dtype).reshape(1, -1)
        out = backend.empty(tail.shape)
        calls.bias_activation(backend.from_host(tail), None, formula, out=out)
        expected = reference(formula.value, {"z": tail}, tail.shape)
        ratio = backend.to_host(out) / expected
        assert_within(ratio, np.ones(tail.shape), 8, backend.dtype, f"{calls.text}, of the exact value,")

    @pytest.mark.parametrize(
        ("shape", "rate", "seed", "step"),
        [*((shape, *how) for how in MASKS for shape in SHAPES), ((4099, 17), 0.5, 0, 0)],
    )
    def test_dropout(
        self, backend: AnyBackend, shape: tuple[int, int], rate: float, seed: int, step: int
    ) -> None:
        """Every element is kept or dropped as the formula says, in place and not; nan is dropped too."""
        calls = Calls(backend)
        values = Host(backend).normal(*shape)
        numbers = np.arange(values.size, dtype=np.uint64).reshape(shape)
        first = _mix(np.uint64(seed) ^ _mix(np.uint64(step % 2**32)))
        hashes = _mix(numbers ^ first, _mix(first ^ np.uint64(seed)))
        kept = hashes >= np.floor(rate * 2**32)
        expected = np.where(kept, values.astype(np.float64) / (1 - rate), 0)
        at = backend.from_host(np.array([step]), dtype=INTEGER)
        device_values, out = backend.from_host(values), backend.empty(shape)
        calls.dropout(device_values, rate, seed, at, out=out)
        calls.assert_equal(device_values, values)
        calls.dropout(device_values, rate, seed, at, out=device_values)
        for result in (out, device_values):
            assert_equal(backend.to_host(result) != 0, kept, calls.text)
            calls.assert_parity(result, expected)
        calls.dropout(backend.from_host(np.full(shape, np.nan)), rate, seed, at, out=out)
        assert_equal(np.isnan(backend.to_host(out)), kept, calls.text)
        calls.assert_equal(at, [step])

    @pytest.mark.parametrize(
        ("activation", "shape"), [*in_turn(ACTIVATION_CASES, SHAPES, 3), ("tanh", LARGE)]
    )
    def test_activation_backward(self, backend: AnyBackend, activation: str, shape: tuple[int, int]) -> None:
        """gradient * f', with f' from the output or from z, and its column sums, in place and not."""
        calls = Calls(backend)
        host, formula = Host(backend), ACTIVATION_CASES[activation].formula
        gradient, z = host.normal(*shape), host.normal(*shape, scale=2.0)
        point = z
        if formula.slope_of != "z":
            point = reference(formula.value, {"z": z}, shape).astype(backend.dtype)
        delta = gradient.astype(np.float64) * reference(formula.slope, {"y": point, "z": point}, shape)
        device_gradient, device_point = backend.from_host(gradient), backend.from_host(point)
        out, flat = backend.empty(shape), backend.zeros((shape[1] + 2,))
        bias_gradient = flat[1 : shape[1] + 1]
        calls.activation_backward(
            device_gradient, device_point, formula, out=out, bias_gradient=bias_gradient
        )
        calls.assert_equal(device_gradient, gradient)
        calls.assert_parity(bias_gradient, delta.sum(axis=0))
        calls.activation_backward(
            device_gradient, device_point, formula, out=device_gradient, bias_gradient=bias_gradient
        )
        for result in (out, device_gradient):
            calls.assert_parity(result, delta)
        calls.assert_parity(flat, [0, *delta.sum(axis=0), 0])
        calls.assert_equal(device_point, point)

    @pytest.mark.parametrize("activation", ACTIVATION_CASES)
    def test_slopes_at_the_extremes(self, backend: AnyBackend, activation: str) -> None:
        """The product with zeros, denormals, infinities and NaN is what IEEE 754 makes of it."""
        calls = Calls(backend)
        formula = ACTIVATION_CASES[activation].formula
        gradient, point = (each.reshape(1, -1) for each in pairs_of(extremes(backend.dtype)))
        out, sums = backend.empty(point.shape), backend.empty((point.shape[1],))
        with np.errstate(all="ignore"):
            calls.activation_backward(
                backend.from_host(gradient), backend.from_host(point), formula, out=out, bias_gradient=sums
            )
        expected, values = G * formula.slope, {"g": gradient, "y": point, "z": point}
        for result in (backend.to_host(out), backend.to_host(sums).reshape(1, -1)):
            assert_as_ieee_754(result, expected, values, digits=has_digits(activation), what=calls.text)

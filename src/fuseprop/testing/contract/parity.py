"""Parity between backends, and the random arrays that the contract compares.

Parity, here and everywhere: |a - b| <= 1000 eps max(1, |reference|), eps of the backend's dtype.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fuseprop.backend import AnyBackend, Expression, evaluate
from fuseprop.formulas import Loss

SHAPES = [(1, 1), (1, 7), (5, 1), (3, 5), (32, 10), (33, 65), (130, 257)]
"""(rows, units) from the smallest to past a block of any size that backends work in."""


def assert_parity(actual: ArrayLike, reference: ArrayLike, dtype: Any, what: str = "") -> None:
    """Assert |a - b| <= 1000 eps max(1, |b|) and that nan and inf stand in the same places.

    `what` says in the message what is compared. The element that it shows is the one that is furthest off.
    """
    assert_within(actual, reference, 1000 * float(np.finfo(dtype).eps), what)


def assert_within(actual: ArrayLike, reference: ArrayLike, bound: float, what: str = "") -> None:
    """Assert |a - b| <= bound max(1, |b|) and that nan and inf stand in the same places."""
    a, b = np.asarray(actual, np.float64), np.asarray(reference, np.float64)
    _assert_shapes(a, b, what)
    excess = _excess(a, b, bound)
    if excess.size and excess.max() > 1:
        raise AssertionError(_told(what, a, b, excess, excess > 1, bound))


def assert_equal(actual: ArrayLike, expected: ArrayLike, what: str = "") -> None:
    """Assert that all numbers are exactly those expected, or that one; NaN equals NaN."""
    a, b = np.asarray(actual), np.asarray(expected)
    if b.ndim == 0:
        b = np.full_like(a, b)
    _assert_shapes(a, b, what)
    differs = (a != b) & ~((a != a) & (b != b))
    if differs.any():
        raise AssertionError(_told(what, a, b, differs, differs, 0.0))


def _assert_shapes(a: NDArray[Any], b: NDArray[Any], what: str) -> None:
    if a.shape != b.shape:
        raise AssertionError(f"{_of(what)}got the shape {a.shape}, wanted {b.shape}")


def _told(
    what: str, a: NDArray[Any], b: NDArray[Any], how_far: NDArray[Any], wrong: NDArray[np.bool_], bound: float
) -> str:
    """Return a sentence on the element that is furthest off, and on how many are wrong."""
    at = np.unravel_index(how_far.argmax(), how_far.shape)
    got, wanted = a[at].item(), b[at].item()
    allowed = bound * max(1.0, abs(wanted)) if np.isfinite(wanted) else 0.0
    where = f"at [{', '.join(map(str, at))}] " if at else ""
    return (
        f"{_of(what)}{where}got {got:.9g}, wanted {wanted:.9g}, differs by {abs(got - wanted):.3g}, "
        f"bound {allowed:.2g}; {np.count_nonzero(wrong)} of {a.size} elements differ"
    )


def _of(what: str) -> str:
    return f"{what}: " if what else ""


def _excess(actual: ArrayLike, reference: ArrayLike, bound: float) -> NDArray[np.float64]:
    """Return |a - b| in units of the bound; 0 for equal infinities and two NaN, else inf for them."""
    a, b = np.asarray(actual, np.float64), np.asarray(reference, np.float64)
    with np.errstate(invalid="ignore"):
        excess = np.abs(a - b) / np.maximum(1.0, np.abs(b)) / bound
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return np.asarray(np.where(same, 0.0, np.where(np.isnan(excess), np.inf, excess)))


def extremes(dtype: Any, *more: float) -> NDArray[Any]:
    """Return zeros, denormals, small numbers, infinities of both signs, and NaN; `more` in both signs too."""
    denormal = float(np.finfo(dtype).tiny) / 8
    positive = [0.0, denormal, 0.5, 1.0, 20.0, *more, np.inf]
    return np.array([*positive, *(-each for each in positive), np.nan], dtype)


def pairs_of(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return all pairs of these values, as two arrays (n^2,)."""
    return np.repeat(values, len(values)), np.tile(values, len(values))


def assert_as_ieee_754(
    actual: NDArray[Any],
    expression: Expression,
    values: Mapping[str, NDArray[Any]],
    *,
    digits: bool = True,
    what: str = "",
) -> None:
    """Assert parity with an expression that NumPy evaluates operation by operation, in the same dtype.

    A device may take denormal numbers for 0: where a result is not the expression's, it is compared with
    what the expression makes of these. Without `digits`, only what is NaN, infinite or finite is compared:
    the sine of a large number has none.
    """
    dtype = actual.dtype
    with np.errstate(all="ignore"):
        flushed = {
            name: np.where(np.abs(value) < np.finfo(dtype).tiny, np.copysign(0, value), value).astype(dtype)
            for name, value in values.items()
        }
        expected, instead = (
            np.broadcast_to(np.asarray(evaluate(expression, each), dtype), actual.shape)
            for each in (values, flushed)
        )
    if not digits:
        actual, expected, instead = (
            np.where(np.isfinite(each), 0, each) for each in (actual, expected, instead)
        )
    close = _excess(actual, expected, 1000 * float(np.finfo(dtype).eps)) <= 1
    assert_parity(actual, np.where(close, expected, instead), dtype, what)


class Host:
    """Random host arrays, rounded to the backend's dtype so that both sides see the same numbers."""

    def __init__(self, backend: AnyBackend, seed: int = 0) -> None:
        self.backend = backend
        self.rng = np.random.default_rng(seed)

    def normal(self, *shape: int, scale: float = 1.0) -> NDArray[Any]:
        """Return normal numbers."""
        return self.rng.normal(0.0, scale, shape).astype(self.backend.dtype)

    def unit(self, *shape: int) -> NDArray[Any]:
        """Return numbers uniform in [0, 1)."""
        return self.rng.uniform(size=shape).astype(self.backend.dtype)

    def targets(self, loss: Loss, *shape: int) -> NDArray[Any]:
        """Return targets in the interval that a loss takes, some at its ends."""
        ends = [end for end in (loss.low, loss.high) if np.isfinite(end)]
        low = loss.low if np.isfinite(loss.low) else -3.0 if not ends else ends[0] - 3.0
        high = loss.high if np.isfinite(loss.high) else 3.0 if not ends else ends[0] + 3.0
        values = self.rng.uniform(low, high, shape)
        for end in ends:
            values[self.rng.uniform(size=shape) < 0.2] = end
        return values.astype(self.backend.dtype)

    def labels(self, n: int, k: int) -> NDArray[np.int64]:
        """Return class numbers."""
        return np.asarray(self.rng.integers(0, k, n))

    def weights(self, n: int) -> NDArray[Any]:
        """Return row weights that sum to 1; some are 0 where there are several."""
        raw = self.rng.uniform(0.5, 2.0, n) * (self.rng.uniform(size=n) > 0.2)
        raw[0] = 1.0
        weights: NDArray[Any] = (raw / raw.sum()).astype(self.backend.dtype)
        return weights


def softmax64(z: NDArray[Any]) -> NDArray[np.float64]:
    """Return e^z / sum e^z by row, in float64."""
    e = np.exp(z.astype(np.float64) - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))

"""Parity between backends, and the random arrays that the contract compares.

What parity is, `fuseprop.backend.parity` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fuseprop.backend import AnyBackend, Expression, evaluate
from fuseprop.backend.parity import ALLOWED, bounds, excess
from fuseprop.formulas import Loss
from fuseprop.verification.cases import drawn_targets

SHAPES = [(1, 1), (1, 7), (5, 1), (3, 5), (32, 10), (33, 65), (130, 257)]
"""(rows, units) from the smallest to past a block of any size that backends work in."""

LARGE = (4099, 5)
"""More rows than fit one block, a prime number of them: what is left over after any blocks counts too."""


def assert_parity(actual: ArrayLike, reference: ArrayLike, dtype: Any, what: str = "") -> None:
    """Assert |a - b| <= 1000 eps max(1, |b|) and that nan and inf stand in the same places.

    `what` says in the message what is compared. The element that it shows is the one that is furthest off.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop.testing import assert_parity
    >>> assert_parity(np.float32(0.1) * 3, 0.3, np.float32)
    """
    assert_within(actual, reference, ALLOWED, dtype, what)


def assert_within(
    actual: ArrayLike, reference: ArrayLike, allowed: float, dtype: Any, what: str = ""
) -> None:
    """Assert |a - b| <= allowed eps max(1, |b|) and that nan and inf stand in the same places."""
    a, b = np.asarray(actual, np.float64), np.asarray(reference, np.float64)
    _assert_shapes(a, b, what)
    found = excess(a, b, dtype) * (ALLOWED / allowed)
    if found.size and found.max() > 1:
        raise AssertionError(_told(what, a, b, found, found > 1, bounds(b, dtype) * (allowed / ALLOWED)))


def assert_equal(actual: ArrayLike, expected: ArrayLike, what: str = "") -> None:
    """Assert that all numbers are exactly those expected, or that one; NaN equals NaN."""
    a, b = np.asarray(actual), np.asarray(expected)
    if b.ndim == 0:
        b = np.full_like(a, b)
    _assert_shapes(a, b, what)
    differs = (a != b) & ~((a != a) & (b != b))
    if differs.any():
        raise AssertionError(_told(what, a, b, differs, differs, np.zeros(b.shape)))


def _assert_shapes(a: NDArray[Any], b: NDArray[Any], what: str) -> None:
    if a.shape != b.shape:
        raise AssertionError(f"{_of(what)}got the shape {a.shape}, wanted {b.shape}")


def _told(
    what: str,
    a: NDArray[Any],
    b: NDArray[Any],
    how_far: NDArray[Any],
    wrong: NDArray[np.bool_],
    bound: NDArray[np.float64],
) -> str:
    """Return a sentence on the element that is furthest off, and on how many are wrong."""
    at = np.unravel_index(how_far.argmax(), how_far.shape)
    got, wanted = a[at].item(), b[at].item()
    where = f"at [{', '.join(map(str, at))}] " if at else ""
    return (
        f"{_of(what)}{where}got {got:.9g}, wanted {wanted:.9g}, differs by {abs(got - wanted):.3g}, "
        f"bound {bound[at]:.2g}; {np.count_nonzero(wrong)} of {a.size} elements differ"
    )


def _of(what: str) -> str:
    return f"{what}: " if what else ""


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
    close = excess(actual, expected, dtype) <= 1
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
        return drawn_targets(self.rng, loss, shape).astype(self.backend.dtype)

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

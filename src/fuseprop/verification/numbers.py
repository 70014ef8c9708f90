"""Numbers as a certificate holds them: short, and what is not finite as a text."""

from __future__ import annotations

from math import isfinite

from ..backend.parity import ALLOWED


def kept(value: float) -> float | str:
    """Return a number, or "inf", "-inf", "nan", which JSON does not have."""
    return value if isfinite(value) else str(value)


def eps_of(excess: float) -> float | str:
    """Return a distance in units of the bound as one in eps max(1, |reference|), with four digits.

    What is beyond the bound stays beyond it: 1000.1 eps are rounded up, to 1001.
    """
    rounded = float(f"{ALLOWED * excess:.4g}")
    return kept(float(ALLOWED + 1) if excess > 1 and rounded <= ALLOWED else rounded)


def number(value: float | str) -> float:
    """Return the number that `kept` returned something for."""
    return float(value)

"""Parity: how far from each other the results of two backends may be. The bound stands here alone.

|a - b| <= 1000 eps max(1, |b|), where b is the reference and eps that of the backend's dtype; NaN and
infinities stand in the same places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

ALLOWED = 1000
"""How many eps."""

BOUND = f"{ALLOWED} eps max(1, |reference|)"
"""The bound in words."""


@dataclass(frozen=True)
class Difference:
    """The element of an array that is furthest from its reference, in units of the bound.

    Attributes
    ----------
    index : tuple of int
    got, wanted : float
        The element, and that of the reference.
    bound : float
        How far apart they may be.
    excess : float
        How far apart they are, in units of the bound: at most 1 is parity. inf where one is NaN or infinite
        and the other is not the same.
    """

    index: tuple[int, ...]
    got: float
    wanted: float
    bound: float
    excess: float

    def __str__(self) -> str:
        place = ", ".join(map(str, self.index))
        return f"at [{place}]: got {self.got:.9g}, wanted {self.wanted:.9g} within {self.bound:.3g}"


def bounds(reference: ArrayLike, dtype: Any) -> NDArray[np.float64]:
    """Return how far from each element of a reference another backend's may be."""
    magnitude = np.maximum(1.0, np.abs(np.asarray(reference, np.float64)))
    return np.asarray(ALLOWED * float(np.finfo(dtype).eps) * magnitude)


def excess(actual: ArrayLike, reference: ArrayLike, dtype: Any) -> NDArray[np.float64]:
    """Return |a - b| in units of the bound; 0 for equal infinities and two NaN, else inf for them."""
    a, b = np.asarray(actual, np.float64), np.asarray(reference, np.float64)
    with np.errstate(invalid="ignore"):
        found = np.abs(a - b) / bounds(b, dtype)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return np.asarray(np.where(same, 0.0, np.where(np.isnan(found), np.inf, found)))


def furthest(actual: ArrayLike, reference: ArrayLike, dtype: Any) -> Difference:
    """Return the first of the elements that are furthest from their reference.

    Raises ValueError for arrays of different shapes, and for those without elements.
    """
    a, b = np.asarray(actual, np.float64), np.asarray(reference, np.float64)
    if a.shape != b.shape or not a.size:
        raise ValueError(f"expected two arrays of one shape with elements, got {a.shape} and {b.shape}.")
    found = excess(a, b, dtype)
    index = tuple(map(int, np.unravel_index(found.argmax(), found.shape)))
    bound = float(bounds(b[index], dtype))
    return Difference(index, float(a[index]), float(b[index]), bound, float(found[index]))

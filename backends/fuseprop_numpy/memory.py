"""Which arrays of a program stand where: views are recognised by the memory that they show."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.lib.array_utils import byte_bounds

from fuseprop.backend import Call, HostArray, Shape


class _Where(NamedTuple):
    alive: weakref.ref[HostArray]
    place: tuple[int, Shape]
    low: int
    high: int


_known: dict[int, _Where] = {}
"""By `id`, for as long as an array lives: a program's arrays are asked for again and again while it is
compiled, and NumPy takes 0.8 us to tell an address."""


def _where(array: HostArray) -> _Where:
    key = id(array)
    known = _known.get(key)
    if known is None or known.alive() is not array:
        low: int = array.__array_interface__["data"][0]
        place, high = (low, array.shape), low + array.nbytes
        if not array.flags.forc:
            low, high = byte_bounds(array)
        known = _known[key] = _Where(weakref.ref(array, lambda _: _known.pop(key, None)), place, low, high)
    return known


def place(array: HostArray) -> tuple[int, Shape]:
    """Return where an array begins, and its shape; contiguous views that agree in both are the same."""
    return _where(array).place


def overlaps(array: HostArray, others: Iterable[HostArray]) -> bool:
    """Whether the bytes from the first to the last of an array meet those of one of the others."""
    _, _, low, high = _where(array)
    for other in others:
        where = _where(other)
        if low < where.high and where.low < high:
            return True
    return False


def inputs(call: Call) -> list[HostArray]:
    """Return the arrays that a call is given by position: those that it reads."""
    return [operand for operand in call.operands if isinstance(operand, np.ndarray)]


def outputs(call: Call) -> list[HostArray]:
    """Return the arrays that a call is given by name, such as ``out``: those that it writes."""
    return [option for option in call.options.values() if isinstance(option, np.ndarray)]


def stands_below(bias: HostArray, weights: HostArray) -> bool:
    """Whether a bias (m,) is in memory what comes after its layer's weights (d, m)."""
    address, (_, m) = place(weights)
    return weights.flags.c_contiguous and place(bias) == (address + weights.nbytes, (m,))


def block_of(weights: HostArray) -> HostArray:
    """Return weights (d, m) together with the bias below them, (d + 1, m)."""
    d, m = weights.shape
    return np.lib.stride_tricks.as_strided(weights, (d + 1, m))

"""Which arrays of a program stand where: views are recognised by the memory that they show."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fuseprop.backend import Call, HostArray, Shape


def place(array: HostArray) -> tuple[int, Shape]:
    """Return where an array begins, and its shape; contiguous views that agree in both are the same."""
    address: int = array.__array_interface__["data"][0]
    return address, array.shape


def overlaps(array: HostArray, others: Iterable[HostArray]) -> bool:
    """Whether an array shares memory with one of the others."""
    return any(np.may_share_memory(array, other) for other in others)


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

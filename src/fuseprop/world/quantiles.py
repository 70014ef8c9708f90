"""Order statistics of the values of all processes: no process ever sees the values of another one.

Numbers of float64 have the order of 64-bit integers. Of each one that is looked for, all processes know an
interval, and add up how many of their values are below each sixteenth of it: after sixteen sums one integer
is left. What is found is exact, whichever process holds which values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .processes import Processes

Float = NDArray[np.float64]

BITS = 4
"""How many bits of what is looked for one sum finds: more need fewer sums of more counts each."""

SIGN = np.uint64(1 << 63)


def ranked(world: Processes, ordered: Float, ranks: ArrayLike) -> Float:
    """Return those of all processes' values, one a rank (r,), that so many others precede.

    `ordered` (n,) are this process's values in ascending order, none of them nan; ranks are at least 0 and
    less than the count of all processes' values.
    """
    ranks = np.asarray(ranks)
    if world.size == 1:
        own: Float = ordered[ranks]
        return own
    return _least_reaching(world, ordered, np.arange(len(ordered) + 1), ranks + 1)


def quantiles(world: Processes, values: Float, q: Sequence[float]) -> Float:
    """Return the q-quantiles (r,) of all processes' values, linear between neighbours: `numpy.quantile`.

    `values` (n,) are this process's, in any order, none of them nan; some process has some.
    """
    if world.size == 1:
        found: Float = np.quantile(values, q)
        return found
    last = int(world.total(len(values))) - 1
    places = last * np.asarray(q, np.float64)
    below = np.floor(places).astype(np.int64)
    pairs = ranked(world, np.sort(values), np.concatenate([below, np.minimum(below + 1, last)]))
    neighbours = pairs.reshape(2, -1).T
    return np.array([np.quantile(two, part) for two, part in zip(neighbours, places - below, strict=True)])


def median(world: Processes, values: Float) -> float:
    """Return the median of all processes' values, of an even number the mean of two: `numpy.median`.

    `values` are as in `quantiles`.
    """
    if world.size == 1:
        return float(np.median(values))
    count = int(world.total(len(values)))
    return float(np.median(ranked(world, np.sort(values), np.unique([(count - 1) // 2, count // 2]))))


def quantile_by_weight(world: Processes, values: Float, weights: Float, q: float) -> float:
    """Return the least of all processes' values whose cumulated weight reaches q of the weight of all.

    `values` (n,) are as in `quantiles`; `weights` (n,) are at least 0, and not all 0 in all processes.
    """
    order = np.argsort(values)
    ordered, weights = values[order], weights[order].astype(np.float64)
    if world.size == 1:
        reached = np.cumsum(weights)
        return float(ordered[np.searchsorted(reached, reached[-1] * q)])
    # As whole multiples of a power of two, of which all together are below 2^52, weights have the same sum in
    # any order. No rounding then decides which value is reached, and no number of processes.
    _, exponent = np.frexp(world.total(weights.sum()))
    reached = np.concatenate([[0.0], np.cumsum(np.rint(np.ldexp(weights, 51 - int(exponent))))])
    return float(_least_reaching(world, ordered, reached, world.total(reached[-1:]) * q)[0])


def _least_reaching(world: Processes, ordered: Float, reached: NDArray[Any], goals: ArrayLike) -> Float:
    """Return the least of all processes' values up to which they weigh each of the goals (r,), above 0.

    `reached` (n + 1,) is what the first 0 ... n of this process's values weigh.
    """
    keys, goals = _keys(ordered), np.asarray(goals)
    low = np.zeros(len(goals), np.uint64)
    for shift in range(64 - BITS, -1, -BITS):
        steps = np.arange(1, 1 << BITS, dtype=np.uint64) << np.uint64(shift)
        below = world.total(reached[np.searchsorted(keys, low[:, None] + steps)])
        low += np.uint64(1 << shift) * np.count_nonzero(below < goals[:, None], axis=1).astype(np.uint64)
    return _values(low)


def _keys(values: Float) -> NDArray[np.uint64]:
    """Return integers in the order of values, none of them nan; 0 and -0 are one."""
    bits = (values + 0.0).view(np.uint64)
    return np.where(bits & SIGN, ~bits, bits | SIGN)


def _values(keys: NDArray[np.uint64]) -> Float:
    """Return the values of integers that `_keys` has returned."""
    return np.where(keys & SIGN, keys ^ SIGN, ~keys).view(np.float64)

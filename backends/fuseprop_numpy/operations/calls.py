"""Prebound calls, the arrays that they share, and how they are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fuseprop.backend import HostArray, Runner

from ..folding import Folding
from ..plans import BoundCall


def once(calls: Sequence[BoundCall]) -> Callable[[], None]:
    """Return a function that makes the calls, in order."""
    fixed = tuple(calls)

    def run() -> None:
        for function, arguments in fixed:
            function(*arguments)

    return run


def runner(calls: Sequence[BoundCall]) -> Runner:
    """Return a function ``run(times)`` that makes the calls, in order, that many times."""
    fixed = tuple(calls)

    def run(times: int) -> None:
        for _ in range(times):
            for function, arguments in fixed:
                function(*arguments)

    return run


class BoundCalls:
    """A list of prebound calls under construction, and the arrays that they compute with.

    Each family of operations is a subclass: a method `_matmul`, `_update`, ... gives the calls of one.

    Attributes
    ----------
    bound : list of BoundCall
    folding : Folding, or None
        How the learning rate of the update is already in the gradients; None if it is not.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.bound: list[BoundCall] = []
        self.folding: Folding | None = None
        self._dtype = dtype
        self._scratch: dict[Any, HostArray] = {}

    def keep(self, hits: HostArray, out: HostArray) -> Sequence[BoundCall]:
        """Return the call out = hits, from truth values to 1 and 0."""
        return [(np.copyto, (out, hits))]

    def temporary(self, name: str, shape: tuple[int, ...], dtype: Any = None) -> HostArray:
        """Return the temporary array of that name and shape, which one operation after the other may use."""
        key = name, shape
        if key not in self._scratch:
            self._scratch[key] = np.empty(shape, dtype or self._dtype)
        return self._scratch[key]

    def number(self, x: float) -> HostArray:
        """Return a number as an array of no dimensions."""
        return np.array(x, self._dtype)

    def ones(self, n: int) -> HostArray:
        """Return n ones; a product with them is a sum."""
        key = "ones", n
        if key not in self._scratch:
            self._scratch[key] = np.ones(n, self._dtype)
        return self._scratch[key]

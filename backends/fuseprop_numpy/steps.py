"""A list of prebound calls under construction, and the temporary space that they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from fuseprop.backend import HostArray, Runner

from .folding import Folding

Step: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function and its arguments, all positional: that is the cheapest call in Python."""


def once(steps: Sequence[Step]) -> Callable[[], None]:
    """Return what makes the calls, in order."""
    fixed = tuple(steps)

    def run() -> None:
        for function, arguments in fixed:
            function(*arguments)

    return run


def runner(steps: Sequence[Step]) -> Runner:
    """Return what makes the calls, in order, as often as it is told."""
    fixed = tuple(steps)

    def run(times: int) -> None:
        for _ in range(times):
            for function, arguments in fixed:
                function(*arguments)

    return run


class Steps:
    """Steps, and what they compute with.

    Attributes
    ----------
    steps : list of Step
    folding : Folding, or None
        Whether the learning rate of the update is already in the gradients.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.steps: list[Step] = []
        self.folding: Folding | None = None
        self._dtype = dtype
        self._scratch: dict[Any, HostArray] = {}
        self.zero, self.half, self.one = map(self.number, (0.0, 0.5, 1.0))

    def add(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Append a step."""
        self.steps.append((function, arguments))

    def keep(self, truths: HostArray, out: HostArray) -> None:
        """Append out = truths, as numbers."""
        self.add(np.copyto, out, truths)

    def temporary(self, name: str, shape: tuple[int, ...]) -> HostArray:
        """Return the temporary array of that name and shape; operations in turn may use the same."""
        key = name, shape
        if key not in self._scratch:
            self._scratch[key] = np.empty(shape, self._dtype)
        return self._scratch[key]

    def mask(self, shape: tuple[int, ...]) -> HostArray:
        """Return the temporary truth values of that shape."""
        key = "mask", shape
        if key not in self._scratch:
            self._scratch[key] = np.empty(shape, np.bool_)
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

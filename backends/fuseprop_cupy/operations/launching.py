"""The base of all operations: it launches the kernels of one device and dtype by their C++ names."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..device.kernel_list import C_TYPES, kernels
from ..device.launch import Launch
from ..formulas import Formula, functor
from .arrays import ArrayOperations

WARP = 32

MOST_FORMULAS = 256
"""The most formulas whose launches are kept: a search over a parameter must not keep all it has tried."""


class Operations(ArrayOperations):
    """The base class of each family of operations."""

    def __init__(self, ordinal: int, dtype: np.dtype[Any]) -> None:
        super().__init__(ordinal, dtype)
        self._c_type = C_TYPES[dtype]
        self._launches = self._launches_of()
        self._of_formulas: dict[Formula, dict[str, Launch]] = {}

    def _run(self, expression: str, blocks: int | tuple[int, int], *arguments: Any) -> None:
        self._device.enter()
        launch = self._launches.get(expression)
        if launch is None:
            raise TypeError(f"a {self.dtype} backend has no kernel {expression}: convert the array first.")
        launch(blocks, *arguments)

    def _run_formula(
        self, name: str, formula: Formula, blocks: int | tuple[int, int], *arguments: Any
    ) -> None:
        """Launch the kernel of that name for a formula; one that is new is compiled."""
        self._device.enter()
        launches = self._of_formulas.get(formula)
        if launches is None:
            if len(self._of_formulas) >= MOST_FORMULAS:
                self._of_formulas.clear()
            launches = self._of_formulas[formula] = self._launches_of(formula)
        launches[name](blocks, *arguments)

    def _launches_of(self, formula: Formula | None = None) -> dict[str, Launch]:
        """Return the launches for a formula by their names, or those without one by their C++ names."""
        functors = () if formula is None else (functor(formula),)
        return {
            expression if formula is None else kernel.name: Launch(kernel, self._device)
            for expression, kernel in kernels(self.dtype, functors).items()
        }

    def _typed(self, name: str) -> str:
        """Return the C++ name of a kernel for this backend's dtype."""
        return f"{name}<{self._c_type}>"

"""The base of all operations: it launches the kernels of one device and dtype by their C++ names."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..device.kernel_list import C_TYPES, kernels
from ..device.launch import Launch
from .arrays import ArrayOperations

WARP = 32


class Operations(ArrayOperations):
    """The base class of each family of operations."""

    def __init__(self, ordinal: int, dtype: np.dtype[Any]) -> None:
        super().__init__(ordinal, dtype)
        self._c_type = C_TYPES[dtype]
        self._launches = {
            expression: Launch(kernel, self._device) for expression, kernel in kernels(dtype).items()
        }

    def _run(self, expression: str, blocks: int | tuple[int, int], *arguments: Any) -> None:
        self._device.enter()
        launch = self._launches.get(expression)
        if launch is None:
            raise TypeError(f"a {self.dtype} backend has no kernel {expression}: convert the array first.")
        launch(blocks, *arguments)

    def _typed(self, name: str, *more: str) -> str:
        """Return the C++ name of a kernel for this backend's dtype."""
        return f"{name}<{', '.join((self._c_type, *more))}>"

"""Copies of a backend's arrays on the host, in memory that is used again."""

from __future__ import annotations

import numpy as np

from ..backend import AnyBackend, Array, HostArray


class Copies:
    """Copies of a backend's arrays on the host, in memory that the next copies of the same arrays take again.

    The first touch of fresh memory costs several times what a copy does.
    """

    def __init__(self, backend: AnyBackend) -> None:
        self._backend = backend
        self._kept: dict[int, tuple[Array, HostArray]] = {}

    def __call__(self, array: Array) -> HostArray:
        """Return a copy of an array, whose last copy is not needed any more."""
        if not isinstance(array, np.ndarray):
            return self._backend.to_host(array)
        if id(array) not in self._kept:
            self._kept[id(array)] = array, np.empty_like(array)
        _, copy = self._kept[id(array)]
        np.copyto(copy, array)
        return copy

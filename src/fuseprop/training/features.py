"""X on the device, or on the host and sent piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from ..backend import INTEGER, AnyBackend, Array, HostArray

Fetch: TypeAlias = Callable[[int, Array], Array]
"""``fetch(start, room)`` returns rows `start`, `start` + 1, ... on the device, as many as `room` (n, d) has.

It writes them to `room` and returns `room`, or returns a view of rows that are on the device already.
"""


class Features:
    """X (N, d) for one backend: a host array, a sparse matrix, or an array of the backend's own.

    Attributes
    ----------
    x : Array, (N, d), or None
        All rows, on the device. None for a sparse matrix: it stays on the host, and its rows are sent when
        they are needed.
    """

    def __init__(self, backend: AnyBackend, X: Any, *, shares: bool) -> None:
        self._backend = backend
        self._sparse = X.tocsr() if is_sparse(X) else None
        self.x: Array | None = None
        if self._sparse is None:
            on_host = isinstance(X, np.ndarray)
            self.x = (backend.share(X) if shares else backend.from_host(X)) if on_host else X

    def send(self, numbers: HostArray, *, out: Array) -> None:
        """Write sparse rows, by their numbers, into `out`, (n, d); do nothing where `x` holds them."""
        if self._sparse is not None:
            self._backend.from_host(self._sparse[numbers].toarray(), out=out)

    def at(self, numbers: HostArray | None, count: int) -> Fetch:
        """Return what fetches `count` rows: those with these numbers, in their order; all, if None."""
        backend, x = self._backend, self.x
        if x is not None and numbers is None:
            return from_device(x)
        numbers = np.arange(count) if numbers is None else numbers
        if x is None:

            def send(start: int, room: Array) -> Array:
                self.send(numbers[start : start + room.shape[0]], out=room)
                return room

            return send
        order, cursor = backend.from_host(numbers, dtype=INTEGER), backend.zeros((1,), INTEGER)

        def gather(start: int, room: Array) -> Array:
            backend.from_host(np.array([start], INTEGER), out=cursor)
            backend.take_rows(x, order, cursor, out=room)
            return room

        return gather


def from_device(x: Array) -> Fetch:
    """Return what fetches rows of x (N, d): views of it."""
    return lambda start, room: x[start : start + room.shape[0]]


def from_host(backend: AnyBackend, X: Any) -> Fetch:
    """Return what fetches rows of X (N, d), a host array or a sparse matrix, by copying them."""

    def fetch(start: int, room: Array) -> Array:
        rows = X[start : start + room.shape[0]]
        dense = rows.toarray() if is_sparse(rows) else np.asarray(rows)
        backend.from_host(dense.astype(backend.dtype, copy=False), out=room)
        return room

    return fetch


def is_sparse(X: object) -> bool:
    """Whether this is a sparse matrix of SciPy, found out without importing SciPy."""
    return hasattr(X, "tocsr")

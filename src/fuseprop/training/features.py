"""X on the device, or on the host and sent piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from ..backend import INTEGER, AnyBackend, Array, HostArray, OutOfMemory

Fetch: TypeAlias = Callable[[int, Array], Array]
"""``fetch(start, room)`` returns rows `start`, `start` + 1, ... on the device, as many as `room` (n, d) has.

It writes them to `room` and returns `room`, or returns a view of rows that are on the device already.
"""


class Features:
    """X (N, d) for one backend: a host array, a sparse matrix, or an array of the backend's own.

    Parameters
    ----------
    shares : bool
        Whether X stays unchanged: a backend that can read it then copies nothing.
    may_stay : bool
        Whether a host array stays on the host where the device has no room for it; OutOfMemory otherwise.

    Attributes
    ----------
    x : Array, (N, d), or None
        All rows, on the device. None where they stay on the host, as a sparse matrix does: rows are sent when
        they are needed.
    """

    def __init__(self, backend: AnyBackend, X: Any, *, shares: bool, may_stay: bool = False) -> None:
        self._backend = backend
        self._on_host: Any = X.tocsr() if is_sparse(X) else None
        self.x: Array | None = None
        if isinstance(X, np.ndarray):
            try:
                self.x = backend.share(X) if shares else backend.from_host(X)
            except OutOfMemory:
                if not may_stay:
                    raise
                self._on_host = X if shares else X.astype(backend.dtype)
        elif self._on_host is None:
            self.x = X

    def send(self, numbers: HostArray, *, out: Array) -> None:
        """Write rows that stay on the host, by their numbers, into `out`, (n, d)."""
        rows = self._on_host[numbers]
        self._backend.from_host(rows.toarray() if is_sparse(rows) else rows, out=out)

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

"""Rows to learn from, where the network can reach them: on the device, or sparse and sent batch by batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sparse

from ..backend import INTEGER, AnyBackend, Array, HostArray


class Features:
    """X (N, d) for one backend: a host array, a sparse matrix, or an array of the backend's own.

    Attributes
    ----------
    x : Array, (N, d), or None
        All rows, on the device. None for sparse rows, which stay on the host.
    """

    def __init__(self, backend: AnyBackend, X: Any) -> None:
        self._backend = backend
        self._sparse = X.tocsr() if sparse.issparse(X) else None
        self.x: Array | None = backend.share(X) if isinstance(X, np.ndarray) else X
        if self._sparse is not None:
            self.x = None

    def send(self, rows: HostArray, *, out: Array) -> None:
        """Write sparse rows, by their numbers, into `out`, (n, d); do nothing where `x` holds them."""
        if self._sparse is not None:
            self._backend.from_host(self._sparse[rows].toarray(), out=out)


class Gatherer:
    """Fixed rows of `Features`, chunk after chunk, such as a validation set."""

    def __init__(self, backend: AnyBackend, features: Features, rows: HostArray) -> None:
        self._backend = backend
        self._features = features
        self._rows = rows
        self._order = backend.from_host(rows, dtype=INTEGER)
        self._cursor = backend.zeros((1,), INTEGER)

    def gather(self, start: int, *, out: Array) -> None:
        """Write rows `start`, `start` + 1, ... into `out`, (n, d), as many as it holds."""
        if self._features.x is None:
            self._features.send(self._rows[start : start + out.shape[0]], out=out)
            return
        self._backend.from_host(np.array([start], INTEGER), out=self._cursor)
        self._backend.take_rows(self._features.x, self._order, self._cursor, out=out)

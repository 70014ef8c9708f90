"""The numbers of an update, on the device: a recorded step reads them there, whatever they are by then."""

from __future__ import annotations

import numpy as np

from ..backend import INTEGER, AnyBackend, Array, HostArray


class StepSettings:
    """A row of numbers for each step, or one for all.

    Where they differ from step to step, a table goes to the device before the epoch, and each step fetches
    its own row; one row for all is read where it is, at no cost.
    """

    def __init__(self, backend: AnyBackend, columns: int) -> None:
        self._backend = backend
        self._row = backend.zeros((columns,))
        self._as_rows = self._row.reshape((1, columns))
        self._table: Array | None = None
        self._positions: Array | None = None
        self._cursor = backend.zeros((1,), INTEGER)

    def upload(self, numbers: HostArray) -> None:
        """Send (columns,) for all steps, or (steps, columns) for each, in the backend's dtype.

        A table only grows.
        """
        backend = self._backend
        if numbers.ndim == 1:
            self._table = None
            backend.from_host(numbers, out=self._row)
            return
        steps = len(numbers)
        if self._table is None or self._table.shape[0] < steps:
            self._table = backend.zeros(numbers.shape)
            self._positions = backend.from_host(np.arange(steps), dtype=INTEGER)
        backend.from_host(numbers, out=self._table[:steps])
        backend.from_host(np.zeros(1, INTEGER), out=self._cursor)

    def fetch(self, backend: AnyBackend) -> Array:
        """Return the numbers of the next step, (columns,)."""
        if self._table is not None and self._positions is not None:
            backend.take_rows(self._table, self._positions, self._cursor, out=self._as_rows)
            backend.advance(self._cursor, 1)
        return self._row

"""The contract of the position in the epoch: gathering batches and keeping results."""

from __future__ import annotations

import numpy as np
import pytest

from fuseprop.backend import INTEGER, AnyBackend
from fuseprop.testing.contract.calls import Calls
from fuseprop.testing.contract.parity import Host


class EpochContract:
    """Rows come and go at the cursor."""

    @pytest.mark.parametrize("width", [1, 3, 64])
    def test_take_rows(self, backend: AnyBackend, width: int) -> None:
        """Rows come in the epoch's order from the cursor on, batch after batch."""
        calls = Calls(backend)
        host = Host(backend)
        source, order = host.normal(50, width), host.rng.permutation(50)
        on_device = backend.from_host(source)
        cursor, out = backend.zeros((1,), INTEGER), backend.empty((16, width))
        device_order = backend.from_host(order, dtype=INTEGER)
        for start in (0, 16, 32):
            calls.take_rows(on_device, device_order, cursor, out=out)
            calls.assert_equal(out, source[order[start : start + 16]])
            calls.advance(cursor, 16)
        calls.take_rows(on_device, device_order, cursor, out=out[:2])
        calls.assert_equal(out[:2], source[order[48:]])

    def test_take_labels(self, backend: AnyBackend) -> None:
        """One-dimensional sources are taken too, of integers and of floats."""
        calls = Calls(backend)
        labels, order = np.arange(100, 109), np.array([8, 0, 3, 3, 1, 2, 7, 6, 5])
        cursor = backend.from_host(np.array([2]), dtype=INTEGER)
        device_order = backend.from_host(order, dtype=INTEGER)
        for dtype in (INTEGER, backend.dtype):
            out = backend.empty((4,), dtype)
            calls.take_rows(backend.from_host(labels, dtype=dtype), device_order, cursor, out=out)
            calls.assert_equal(out, labels[order[2:6]])

    def test_put_rows(self, backend: AnyBackend) -> None:
        """A batch's results land at the cursor, and nowhere else."""
        calls = Calls(backend)
        out, cursor = backend.zeros((10,)), backend.zeros((1,), INTEGER)
        calls.advance(cursor, 4)
        calls.advance(cursor, 3)
        calls.put_rows(backend.from_host(np.array([1.0, 2.0])), cursor, out=out)
        calls.assert_equal(out, [0, 0, 0, 0, 0, 0, 0, 1, 2, 0])
        calls.assert_equal(cursor, [7])
        calls.advance(cursor, 1)
        calls.put_rows(backend.from_host(np.array([3.0, 4.0])), cursor, out=out)  # the last ones of an epoch
        calls.assert_equal(out, [0, 0, 0, 0, 0, 0, 0, 1, 3, 4])

    def test_positions_are_whole_numbers(self, backend: AnyBackend) -> None:
        """Beyond 2^24, where float32 has no odd ones, and beyond 2^32."""
        calls = Calls(backend)
        for start in (2**24, 2**40):
            cursor = backend.from_host(np.array([start]), dtype=INTEGER)
            calls.advance(cursor, 1)
            calls.advance(cursor, 2)
            calls.assert_equal(cursor, [start + 3])

"""Rows at the position in the epoch: a batch is gathered, its results are put back, the epoch goes on."""

from __future__ import annotations

from fuseprop.backend import HostArray

from .scratch import Operations


class RowOperations(Operations):
    """The position in the epoch."""

    def take_rows(self, source: HostArray, order: HostArray, cursor: HostArray, *, out: HostArray) -> None:
        start = cursor.item()
        # "clip" lets NumPy write into out directly: 46 us against 65 at 128 x 784 (measured).
        source.take(order[start : start + len(out)], 0, out, "clip")

    def put_rows(self, values: HostArray, cursor: HostArray, *, out: HostArray) -> None:
        start = cursor.item()
        out[start : start + len(values)] = values

    def advance(self, cursor: HostArray, by: int) -> None:
        cursor[0] += by

"""A batch's rows at the cursor, the position in the epoch: gather rows, put results back, advance."""

from __future__ import annotations

from math import prod

from ..device.kernel_list import BLOCK, C_TYPES
from ..device.launch import blocks_for, lanes_for
from ..device.shapes import Array, expect
from .launching import Operations


class RowOperations(Operations):
    """Operations at the cursor."""

    def take_rows(self, source: Array, order: Array, cursor: Array, *, out: Array) -> None:
        expect((1,), cursor=cursor)
        expect((len(out), *source.shape[1:]), out=out)
        n, columns = len(out), prod(source.shape[1:])
        lanes = lanes_for(columns, BLOCK)
        kernel = f"take_rows<{_c_type(source)}>"
        self._run(kernel, blocks_for(n, lanes), source, order, cursor, out, n, columns, lanes)

    def put_rows(self, values: Array, cursor: Array, *, out: Array) -> None:
        expect((1,), cursor=cursor)
        n = len(values)
        expect((n,), values=values)
        self._run(f"put_rows<{_c_type(values)}>", blocks_for(n), values, cursor, out, n)

    def advance(self, cursor: Array, by: int) -> None:
        expect((1,), cursor=cursor)
        self._run("advance", 1, cursor, by)


def _c_type(array: Array) -> str:
    """Return the C++ type of an array's elements; for a dtype that no kernel takes, its NumPy name."""
    name: str = C_TYPES.get(array.dtype) or array.dtype.name
    return name

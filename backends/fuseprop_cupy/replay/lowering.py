"""The second stage: lower calls to nodes, by running each call once on a device that only records.

So the operations themselves check shapes and dtypes, once, and a replay finds its launches ready made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fuseprop.backend import Program
from fuseprop.world import Processes

from ..device.device import Device
from ..device.kernel_list import Kernel
from ..device.nodes import Copy, Multiply, Node, Reduce, Run
from ..device.shapes import Array
from ..operations.dense import DenseOperations
from ..operations.fused import FusedOperations
from ..operations.rows import RowOperations


class Scribe:
    """A `Device` that records launches, products, copies and sums as nodes; it does allocate and upload."""

    def __init__(self, device: Device) -> None:
        self.ordinal = device.ordinal
        self.array_type = device.array_type
        self.nodes: list[Node] = []
        self.enter, self.empty, self.upload = device.enter, device.empty, device.upload
        self.memory, self.release = device.memory, device.release

    def run(self, kernel: Kernel, grid: Sequence[int], arguments: Sequence[Any]) -> None:
        """Record a launch."""
        self.nodes.append(Run(kernel, tuple(grid), tuple(arguments)))

    def multiply(self, a: Array, b: Array, out: Array) -> None:
        """Record a product."""
        self.nodes.append(Multiply(a, b, out))

    def copy(self, source: Array, out: Array) -> None:
        """Record a copy."""
        self.nodes.append(Copy(source, out))

    def reduce(self, array: Array, world: Processes) -> None:
        """Record a sum over processes."""
        self.nodes.append(Reduce(array, world))


class Lowering(RowOperations, DenseOperations, FusedOperations):
    """The backend's operations on a `Scribe`; each temporary array is a new one, which its nodes hold."""

    def __init__(self, device: Device, dtype: np.dtype[Any]) -> None:
        self._scribe = Scribe(device)
        super().__init__(device.ordinal, dtype)

    def _open(self, ordinal: int) -> Any:
        return self._scribe

    def _scratch(self, size: int) -> Array:
        return self.empty((size,))

    def nodes(self, program: Program) -> list[Node]:
        """Return the nodes that the calls of a program run, in order."""
        for call in program.calls:
            getattr(self, call.operation)(*call.operands, **call.options)
        return self._scribe.nodes

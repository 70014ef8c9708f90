"""What a program asks of a device, ready to be replayed, and what that costs by the numbers."""

from __future__ import annotations

from dataclasses import dataclass

from fuseprop.backend import Program

from ..device.nodes import Multiply, Node
from ..operations.launching import Operations
from .deferred_sums import with_parts_added_up
from .fusion import fuse
from .lowering import Lowering
from .traffic import Traffic, traffic


@dataclass(frozen=True)
class Facts:
    """A step in numbers; no GPU is needed to know them.

    Attributes
    ----------
    launches : int
        All that the device is asked for: kernels, products and copies.
    products : int
        Those of them that cuBLAS does; two kernels of its own are possible for one.
    minimum, moved : int
        Bytes that all launches must read and write, and that they ask for: see `Traffic`.
    each : tuple of Traffic
        One for each launch, in order.
    """

    launches: int
    products: int
    minimum: int
    moved: int
    each: tuple[Traffic, ...]


@dataclass(frozen=True)
class Plan:
    """A program on one device.

    Attributes
    ----------
    program : Program
        As it was recorded. What it holds of arrays lives as long as the plan.
    nodes : tuple of Node
        What the device is asked for, in order, with all temporary arrays.
    """

    program: Program
    nodes: tuple[Node, ...]

    @property
    def facts(self) -> Facts:
        """How many launches there are, and how many bytes they move."""
        each = tuple(traffic(node) for node in self.nodes)
        return Facts(
            launches=len(each),
            products=sum(isinstance(node, Multiply) for node in self.nodes),
            minimum=sum(one.minimum for one in each),
            moved=sum(one.moved for one in each),
            each=each,
        )


def plan(backend: Operations, program: Program, *, fused: bool = True) -> Plan:
    """Return what a program asks of the backend's device: in few launches, or `fused` = False, call by call.

    Raises what the calls themselves would: TypeError or ValueError for arrays that do not fit.
    """
    lowering = Lowering(backend.seam, backend.dtype)
    nodes = lowering.nodes(fuse(program) if fused else program)
    return Plan(program, tuple(with_parts_added_up(nodes, backend.seam) if fused else nodes))

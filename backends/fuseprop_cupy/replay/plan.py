"""The plan of a program: its nodes on one device, ready to be replayed, and their launches and bytes."""

from __future__ import annotations

from dataclasses import dataclass

from fuseprop.backend import Program
from fuseprop.world import ALONE, Processes

from ..device.nodes import Node, Reduce
from ..operations.launching import Operations
from .deferred_sums import defer_sums
from .fusion import fuse
from .lowering import Lowering
from .traffic import Traffic, traffic


@dataclass(frozen=True)
class Facts:
    """A step in numbers; knowing them takes no GPU.

    Attributes
    ----------
    launches : int
        The number of nodes: kernels, products and copies.
    products : int
        The nodes that cuBLAS computes, each in one or two kernels of its own.
    minimum, moved : int
        The bytes that the nodes must read and write, and those that they do: the sums of `Traffic`.
    each : tuple of Traffic
        One for each node, in order.
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
        As it was recorded. Its arrays live as long as the plan.
    nodes : tuple of Node
        In order, with all temporary arrays.
    """

    program: Program
    nodes: tuple[Node, ...]

    @property
    def world(self) -> Processes:
        """The processes that replay it together: those over which it adds up, in one world."""
        return next((node.world for node in self.nodes if isinstance(node, Reduce)), ALONE)

    @property
    def facts(self) -> Facts:
        """The number of launches, and the bytes that they move."""
        each = tuple(traffic(node) for node in self.nodes)
        return Facts(
            launches=len(each),
            products=sum(node.is_product for node in self.nodes),
            minimum=sum(one.minimum for one in each),
            moved=sum(one.moved for one in each),
            each=each,
        )


def plan(backend: Operations, program: Program, *, fused: bool = True) -> Plan:
    """Return the plan of a program: in few launches, or with `fused` = False with the launches of each call.

    Raises what the calls themselves raise: TypeError or ValueError for arrays that do not fit.
    """
    lowering = Lowering(backend.seam, backend.dtype)
    nodes = lowering.nodes(fuse(program) if fused else program)
    return Plan(program, tuple(defer_sums(nodes, backend) if fused else nodes))

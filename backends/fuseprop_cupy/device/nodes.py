"""The nodes of a lowered step: launches, products, copies, sums; the memory that each reads and writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from fuseprop.backend import Span, span
from fuseprop.world import Processes

from .kernel_list import Kernel
from .shapes import Array


@dataclass(frozen=True, eq=False)
class Run:
    """One launch of a kernel; arguments are checked arrays and NumPy scalars."""

    kernel: Kernel
    grid: tuple[int, ...]
    arguments: tuple[Any, ...]

    @property
    def is_product(self) -> bool:
        """Whether it computes a matrix product."""
        return self.kernel.name == "small_product"

    @property
    def sizes(self) -> tuple[int, int, int]:
        """n, d and m of a product of (n, d) and (d, m)."""
        n, d, m = self.arguments[3:6]
        return int(n), int(d), int(m)

    @property
    def arrays(self) -> dict[str, Array]:
        """The arrays among the arguments, by the names of the parameters."""
        named = zip(self.kernel.parameters, self.arguments, strict=True)
        return {
            parameter.name: value
            for parameter, value in named
            if hasattr(getattr(value, "data", None), "ptr")
        }

    @property
    def reads(self) -> list[Span]:
        """All arrays: a kernel may read what it writes."""
        return [span(array) for array in self.arrays.values()]

    @property
    def writes(self) -> list[Span]:
        """The arrays whose parameters are not pointers to const."""
        written = {p.name for p in self.kernel.parameters if p.pointer and not p.c_type.startswith("const ")}
        return [span(array) for name, array in self.arrays.items() if name in written]


@dataclass(frozen=True, eq=False)
class Multiply:
    """A product by cuBLAS, out = a b; a and b may be transposed views."""

    a: Array
    b: Array
    out: Array
    is_product = True

    @property
    def sizes(self) -> tuple[int, int, int]:
        """n, d and m of a product of (n, d) and (d, m)."""
        return (*self.a.shape, self.b.shape[1])

    @property
    def reads(self) -> list[Span]:
        """The factors."""
        return [span(self.a), span(self.b)]

    @property
    def writes(self) -> list[Span]:
        """The product."""
        return [span(self.out)]


@dataclass(frozen=True, eq=False)
class Copy:
    """A copy on the device."""

    source: Array
    out: Array
    is_product = False

    @property
    def reads(self) -> list[Span]:
        """The source."""
        return [span(self.source)]

    @property
    def writes(self) -> list[Span]:
        """The copy."""
        return [span(self.out)]


@dataclass(frozen=True, eq=False)
class Reduce:
    """A sum over the processes of a world, in place."""

    array: Array
    world: Processes
    is_product = False

    @property
    def reads(self) -> list[Span]:
        """The array."""
        return [span(self.array)]

    @property
    def writes(self) -> list[Span]:
        """The array."""
        return [span(self.array)]


Node: TypeAlias = Run | Multiply | Copy | Reduce
Prepared: TypeAlias = Callable[[], None]
"""A call that runs one node on a device: its arguments are checked and bound."""


def meet(earlier: Node, later: Node) -> bool:
    """Whether one node writes memory that the other reads or writes, so that their order matters."""
    written, also = earlier.writes, later.writes
    return any(each.meets(also) or each.meets(later.reads) for each in written) or any(
        each.meets(also) for each in earlier.reads
    )

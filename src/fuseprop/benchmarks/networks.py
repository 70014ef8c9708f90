"""The networks that everything here is measured on: one list, with what a training step of each must do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise


@dataclass(frozen=True)
class Case:
    """A network and its batch: layer sizes from inputs to outputs, and rows a batch.

    batches: in an epoch, where that is not to be as many as one call may hold.
    """

    id: str
    sizes: tuple[int, ...]
    batch: int
    gpu_only: bool = False
    batches: int | None = None

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Inputs and outputs (d, m) of each layer."""
        return list(pairwise(self.sizes))

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return sum((d + 1) * m for d, m in self.shapes)

    @property
    def weights(self) -> int:
        """Weights without biases."""
        return sum(d * m for d, m in self.shapes)

    @property
    def forward_flops(self) -> int:
        """FLOPs of the products x W: 2 n d m a layer."""
        return sum(2 * self.batch * d * m for d, m in self.shapes)

    @property
    def backward_flops(self) -> int:
        """FLOPs of x^T delta in every layer, and of delta W^T in all but the first."""
        (d, m), *_ = self.shapes
        return 2 * self.forward_flops - 2 * self.batch * d * m

    @property
    def step_flops(self) -> int:
        """FLOPs of all products of a step."""
        return self.forward_flops + self.backward_flops

    def step_bytes(self, itemsize: int) -> int:
        """Bytes that a step reads and writes outside its products.

        The gather reads and writes each input once. An activation reads and writes its output in place, its
        derivative reads output and gradient and writes delta: 5 accesses a hidden unit and row. The loss
        reads each output and writes its gradient. The update reads gradient, velocity and value and writes
        the last two: 5 accesses a parameter.
        """
        inputs, *hidden, outputs = self.sizes
        of_a_row = 2 * inputs + 5 * sum(hidden) + 2 * outputs
        return itemsize * (self.batch * of_a_row + 5 * self.parameters)


def _case(sizes: str, layers: tuple[int, ...], batch: int, *, gpu_only: bool = False) -> Case:
    return Case(f"{sizes}-b{batch}", layers, batch, gpu_only)


CASES = {
    case.id: case
    for case in (
        _case("2-8-1", (2, 8, 1), 4),
        _case("64-32-10", (64, 32, 10), 32),
        _case("64-64-10", (64, 64, 10), 128),
        _case("784-128-10", (784, 128, 10), 128),
        _case("784-512-512-10", (784, 512, 512, 10), 128),
        _case("784-512-512-10", (784, 512, 512, 10), 1024),
        _case("784-512-512-10", (784, 512, 512, 10), 8192),
        _case("1024x4-10", (1024, 1024, 1024, 1024, 1024, 10), 1024),
        _case("4096x4", (4096, 4096, 4096, 4096, 4096), 4096, gpu_only=True),
    )
}
"""By id: layer sizes, then "b" and the rows of a batch. 1024x4 means four matrices of 1024 x 1024."""

FULL_BATCH = {
    f"{name}-full": replace(CASES[name], id=f"{name}-full", batches=1)
    for name in ("2-8-1-b4", "64-32-10-b32", "784-128-10-b128", "784-512-512-10-b128")
}
"""Those whose epochs are one step: what comes once an epoch, or once a replay, comes at every step."""

ALL_CASES = CASES | FULL_BATCH


def named(name: str) -> Case:
    """Return the network of a name: one of the list, or layer sizes and the rows of a batch.

    Raises ValueError for anything else.

    Examples
    --------
    >>> named("64-32-10-b32").parameters
    2410
    """
    if name in ALL_CASES:
        return ALL_CASES[name]
    sizes, _, batch = name.rpartition("-b")
    layers = tuple(int(size) for size in sizes.split("-") if size.isdecimal())
    if len(layers) != sizes.count("-") + 1 or len(layers) < 2 or not batch.isdecimal() or not int(batch):
        raise ValueError(f"expected layer sizes and a batch such as 64-32-10-b32, got {name!r}.")
    if 0 in layers:
        raise ValueError(f"expected layers of at least one unit, got {name!r}.")
    return Case(name, layers, int(batch))


ACTIVATIONS = ("sigmoid", "relu")

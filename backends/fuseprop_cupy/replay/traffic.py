"""How many bytes a node moves, and the fewest that it could: each array that it reads or writes, once."""

from __future__ import annotations

from typing import NamedTuple

from ..device.nodes import Copy, Multiply, Node, Reduce, Run

GATHERED = {"source": "out", "x": "x_out", "target": "target_out", "labels": "labels_out"}
"""The sources of a gather, which reads as many rows of each as it writes, and where it writes them."""

PER_ROW = {"order", "losses", "hits"}
"""Arrays over the whole epoch, of which a step reads or writes one element for each row of its batch."""

UPDATED = {
    "advance": {"cursor"},
    "update": {"values", "moments", "cursor"},
    "scale_to_limit": {"gradients"},
}
"""The arrays that a kernel reads and then writes."""

PASSES = {
    "softmax_cross_entropy": {"logits": 3},
    "softmax": {"logits": 3},
}
"""How often a kernel reads an array, where that is more than once."""

BY_EACH_BLOCK = {"scale_to_limit": {"partial": 0}, "small_product": {"a": 0, "b": 1}}
"""Arrays that each block along an axis of the grid reads, as a whole or its own lines of it."""


class Traffic(NamedTuple):
    """The bytes of one node.

    Attributes
    ----------
    name : str
        The kernel's C++ name, "product", "copy" or "sum over processes".
    minimum : int
        The bytes of all that it must read, and of all that it must write.
    moved : int
        The bytes of the kernel's loads and stores, some of which the caches serve. For a product by cuBLAS,
        whose kernel is NVIDIA's, the minimum.
    is_product : bool
        Whether it is a matrix product, by cuBLAS or by a kernel of ours.
    """

    name: str
    minimum: int
    moved: int
    is_product: bool = False


def traffic(node: Node) -> Traffic:
    """Return the bytes that a node moves."""
    if isinstance(node, Multiply):
        size = node.a.nbytes + node.b.nbytes + node.out.nbytes
        return Traffic("product", size, size, is_product=True)
    if isinstance(node, Copy):
        return Traffic("copy", 2 * node.out.nbytes, 2 * node.out.nbytes)
    if isinstance(node, Reduce):  # beside what the links between the GPUs carry
        return Traffic("sum over processes", 2 * node.array.nbytes, 2 * node.array.nbytes)
    minimum = moved = 0
    name, arrays = node.kernel.name, node.arrays
    for parameter in arrays:
        size = _touched(node, parameter)
        times = 2 if parameter in UPDATED.get(name, ()) else 1
        again = 1 if "hits" in arrays and parameter in ("logits", "output", *_thresholded(node)) else 0
        minimum += times * size
        axis = BY_EACH_BLOCK.get(name, {}).get(parameter)
        passes = 1 if axis is None else node.grid[axis]
        moved += max(times, PASSES.get(name, {}).get(parameter, passes) + again) * size
    return Traffic(node.kernel.expression, minimum, moved, node.is_product)


def _touched(node: Run, parameter: str) -> int:
    """Return how many bytes of an array a launch reads or writes."""
    arrays = node.arrays
    array = arrays[parameter]
    rows = next(
        (int(a) for p, a in zip(node.kernel.parameters, node.arguments, strict=True) if p.name == "rows"), 0
    )
    takes = node.kernel.name in ("take_rows", "take_batch")
    if takes and parameter in GATHERED:
        return int(arrays[GATHERED[parameter]].nbytes)
    if parameter in PER_ROW or (node.kernel.name == "put_rows" and parameter == "out"):
        return rows * int(array.itemsize)
    return int(array.nbytes)


def _thresholded(node: Run) -> tuple[str, ...]:
    """Return the parameters that a loss's kernel reads again for hits: the target, or none by classes."""
    return () if "classes" in node.arrays or "labels" in node.arrays else ("target",)

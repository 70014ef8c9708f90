"""The third stage: the update kernel finishes partial bias-gradient sums.

For a batch of many rows one launch leaves a partial sum for each slice of the rows, and `sum_columns` adds
them in a second launch. Where the first node that reads the bias gradient is the update, or the sum of
squares with which clipping begins, that kernel adds the partial sums as it reads: in the same order, so the
bits are the same. It writes the sum to the gradient, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fuseprop.backend import INTEGER, span

from ..device.nodes import Node, Run, meet
from ..operations.arrays import ArrayOperations


def defer_sums(nodes: Sequence[Node], backend: ArrayOperations) -> list[Node]:
    """Return nodes with the same results, without the sums that a reader of the gradients can finish."""
    made = list(nodes)
    for reader in nodes:
        if isinstance(reader, Run) and any(p.name == "summed" for p in reader.kernel.parameters):
            sums = _deferrable(made[: made.index(reader)], reader.arrays["gradients"])
            if sums:
                made = _without(made, reader, sums, backend)
    return made


def _deferrable(before: Sequence[Node], gradients: Any) -> list[Run]:
    """Return the sums before a reader of which no other node reads the result before it, by address."""
    found = [
        node
        for i, node in enumerate(before)
        if isinstance(node, Run)
        and node.kernel.name == "sum_columns"
        and _within(node, gradients)
        and not any(meet(node, other) for other in before[i + 1 :])
    ]
    return sorted(found, key=lambda node: span(node.arrays["out"]))


def _within(node: Run, gradients: Any) -> bool:
    out, whole = span(node.arrays["out"]), span(gradients)
    return whole.start <= out.start and out.stop <= whole.stop


def _without(nodes: Sequence[Node], reader: Run, sums: Sequence[Run], backend: ArrayOperations) -> list[Node]:
    """Return the nodes without these sums, which the reader finishes; one new array has all partial sums."""
    gradients, old = reader.arrays["gradients"], [node.arrays["array"] for node in sums]
    ends = np.cumsum([0, *(array.size for array in old)])
    parts = backend.empty((int(ends[-1]),), gradients.dtype)
    places = {span(array): parts[a:b] for array, a, b in zip(old, ends[:-1], ends[1:], strict=True)}
    rows = []
    for each, first in zip(sums, ends[:-1], strict=True):
        out = span(each.arrays["out"])
        start, stop = ((address - span(gradients).start) // gradients.itemsize for address in out)
        rows.append((start, stop, first, int(each.arguments[2])))
    summed = backend.from_host(np.array(rows, np.int64), dtype=INTEGER)
    made: list[Node] = []
    for node in nodes:
        if node is reader:
            made.append(_with_arguments(reader, parts=parts, summed=summed, sums=np.int32(len(rows))))
        elif isinstance(node, Run) and node not in sums:
            moved = {name: places[at] for name, a in node.arrays.items() if (at := span(a)) in places}
            made.append(_with_arguments(node, **moved) if moved else node)
        elif not isinstance(node, Run):
            made.append(node)
    return made


def _with_arguments(node: Run, **values: Any) -> Run:
    """Return the launch with these values for the kernel's parameters of these names."""
    named = zip(node.kernel.parameters, node.arguments, strict=True)
    return replace(node, arguments=tuple(values.get(parameter.name, value) for parameter, value in named))

"""Sums that the first reader of the gradients adds up itself: those of biases, where a batch has many rows.

A launch leaves a part for each slice of the rows, and `sum_columns` adds them up in one of its own. Where
the first to look at such a sum is the update, or the sum of squares that clipping begins with, that one adds
up as it reads: in the same order, so to the same bits, and it writes the sum to where it was to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..device.aliasing import span
from ..device.device import Device
from ..device.nodes import Node, Run, meet


def with_parts_added_up(nodes: Sequence[Node], device: Device) -> list[Node]:
    """Return nodes that do the same without the launches that a reader of the gradients can spare."""
    made = list(nodes)
    for reader in nodes:
        if isinstance(reader, Run) and any(p.name == "summed" for p in reader.kernel.parameters):
            spared = _spared(made[: made.index(reader)], reader.arrays["gradients"])
            if spared:
                made = _spare(made, reader, spared, device)
    return made


def _spared(before: Sequence[Node], gradients: Any) -> list[Run]:
    """Return the sums among the nodes before a reader that nobody reads before it, by where they lie."""
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


def _spare(nodes: Sequence[Node], reader: Run, spared: Sequence[Run], device: Device) -> list[Node]:
    """Leave these sums to the reader; their parts go to one array, one after the other."""
    gradients, old = reader.arrays["gradients"], [node.arrays["array"] for node in spared]
    ends = np.cumsum([0, *(array.size for array in old)])
    parts = device.empty((int(ends[-1]),), gradients.dtype)
    places = {span(array): parts[a:b] for array, a, b in zip(old, ends[:-1], ends[1:], strict=True)}
    rows = []
    for each, first in zip(spared, ends[:-1], strict=True):
        out = span(each.arrays["out"])
        start, stop = ((address - span(gradients).start) // gradients.itemsize for address in out)
        rows.append((start, stop, first, int(each.arguments[2])))
    summed = device.empty((len(rows), 4), np.dtype(np.int64))
    device.upload(np.array(rows, np.int64), summed)
    made: list[Node] = []
    for node in nodes:
        if node is reader:
            made.append(_given(reader, parts=parts, summed=summed, sums=np.int32(len(rows))))
        elif isinstance(node, Run) and node not in spared:
            moved = {name: places[at] for name, a in node.arrays.items() if (at := span(a)) in places}
            made.append(_given(node, **moved) if moved else node)
        elif not isinstance(node, Run):
            made.append(node)
    return made


def _given(node: Run, **values: Any) -> Run:
    """Return a launch with other arguments for the parameters of these names."""
    named = zip(node.kernel.parameters, node.arguments, strict=True)
    return replace(node, arguments=tuple(values.get(parameter.name, value) for parameter, value in named))

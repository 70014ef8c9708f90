"""Sums that the update adds up itself: the bias gradients of a batch of many rows, of which there are parts.

A launch leaves a part for each slice of the rows, and `sum_columns` adds them up in one of its own. Where
nobody but the update looks at such a sum, the update adds up as it reads: in the same order, so to the same
bits, and it writes the sum to where it was to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .device import Device
from .nodes import Node, Run, meet
from .spans import span
from .updates import UPDATES


def with_parts_added_up(nodes: Sequence[Node], device: Device) -> list[Node]:
    """Return nodes that do the same without the launches that an update can spare."""
    updates = [i for i, node in enumerate(nodes) if isinstance(node, Run) and node.kernel.name in UPDATES]
    if len(updates) != 1:
        return list(nodes)
    at = updates[0]
    update = nodes[at]
    assert isinstance(update, Run)
    gradients = update.arrays["gradients"]
    spared: list[Run] = []
    for i, node in enumerate(nodes[:at]):
        if not (isinstance(node, Run) and node.kernel.name == "sum_columns" and _within(node, gradients)):
            continue
        if not any(meet(node, other) for other in nodes[i + 1 : at]):
            spared.append(node)
    if not spared:
        return list(nodes)
    return _spare(nodes, update, sorted(spared, key=lambda node: span(node.arrays["out"])), device)


def _within(node: Run, gradients: Any) -> bool:
    out, whole = span(node.arrays["out"]), span(gradients)
    return whole.start <= out.start and out.stop <= whole.stop


def _spare(nodes: Sequence[Node], update: Run, spared: Sequence[Run], device: Device) -> list[Node]:
    """Leave these sums to the update; their parts go to one array, one after the other."""
    gradients, old = update.arrays["gradients"], [node.arrays["array"] for node in spared]
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
        if node is update:
            made.append(_given(update, parts=parts, summed=summed, sums=np.int32(len(rows))))
        elif isinstance(node, Run) and node not in spared:
            moved = {name: places[at] for name, a in node.arrays.items() if (at := span(a)) in places}
            made.append(_given(node, **moved))
        elif not isinstance(node, Run):
            made.append(node)
    return made


def _given(node: Run, **values: Any) -> Run:
    """Return a launch with other arguments for the parameters of these names."""
    named = zip(node.kernel.parameters, node.arguments, strict=True)
    return replace(node, arguments=tuple(values.get(parameter.name, value) for parameter, value in named))

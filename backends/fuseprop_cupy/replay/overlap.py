"""Which nodes of a step go beside the others, and who waits for whom: by what each reads and writes.

A lane does one thing after the other. Where of two nodes on different lanes one writes what the other reads
or writes, the later one waits for the earlier; waiting for one is waiting for all that it waited for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from ..device.nodes import Multiply, Node, meet

START = -1
"""The place before the first node."""


@dataclass(frozen=True)
class Placed:
    """One node of a sequence of steps.

    Attributes
    ----------
    node : int
        Its number in the step.
    lane : int
        0 is the main lane.
    after : tuple of int
        The places in the sequence, on other lanes, that it must wait for.
    """

    node: int
    lane: int
    after: tuple[int, ...]


@dataclass(frozen=True)
class Steps:
    """Steps in a row: all places in order, and those that the end of the main lane must wait for."""

    placed: tuple[Placed, ...]
    joins: tuple[int, ...]


def conflicts_of(nodes: Sequence[Node]) -> list[list[bool]]:
    """Return for each pair of nodes whether their order matters."""
    found = [[False] * len(nodes) for _ in nodes]
    for i, earlier in enumerate(nodes):
        for j in range(i, len(nodes)):
            found[i][j] = found[j][i] = meet(earlier, nodes[j])
    return found


def lanes_of(nodes: Sequence[Node], conflicts: Sequence[Sequence[bool]]) -> list[int]:
    """Return a lane for each node: 1 for one that some later product does not wait for, else 0.

    So, on the way back, the gradients of a layer's weights and biases are computed beside that of its inputs:
    small batches leave most of a GPU idle.
    """
    waiting = [0] * len(nodes)  # bit j of waiting[i]: j cannot be done before i
    for i in reversed(range(len(nodes))):
        for j in range(i + 1, len(nodes)):
            if conflicts[i][j]:
                waiting[i] |= 1 << j | waiting[j]
    products = [i for i, node in enumerate(nodes) if isinstance(node, Multiply)]
    return [int(any(j > i and not waiting[i] >> j & 1 for j in products)) for i in range(len(nodes))]


def in_sequence(conflicts: Sequence[Sequence[bool]], lanes: Sequence[int], times: int) -> Steps:
    """Return `times` steps in a row, with who waits for whom, within a step and from one to the next."""
    placed: list[Placed] = []
    on: list[list[int]] = [[] for _ in range(max(lanes, default=0) + 1)]
    seen = [[START] * len(on) for _ in on]  # seen[a][b]: how far along b lane a has waited
    known: list[list[int]] = []  # the same, for the lane of each place when it came there
    for node, lane in list(enumerate(lanes)) * times:
        after: list[int] = []
        for other in (other for other in range(len(on)) if other != lane):
            unknown = takewhile(lambda place: place > seen[lane][other], reversed(on[other]))  # noqa: B023
            place = next((place for place in unknown if conflicts[node][placed[place].node]), None)
            if place is not None:
                after.append(place)
                seen[lane] = [max(pair) for pair in zip(seen[lane], known[place], strict=True)]
            elif lane and not on[lane]:  # a lane begins with the main one, if not behind a node of it
                after.append(START)
        on[lane].append(len(placed))
        seen[lane][lane] = len(placed)
        known.append(list(seen[lane]))
        placed.append(Placed(node, lane, tuple(after)))
    joins = [places[-1] for other, places in enumerate(on) if places and places[-1] > seen[0][other]]
    return Steps(tuple(placed), tuple(joins))

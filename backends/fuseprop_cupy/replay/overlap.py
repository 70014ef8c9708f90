"""The overlap stage: which nodes of a step run on the side stream, and which node waits for which.

A stream runs its nodes in order. Two nodes conflict if one writes memory that the other reads or writes: on
different streams, the later one then waits for the earlier. To wait for a node is to wait for all nodes that
it waited for, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from ..device.nodes import Node, Reduce, meet

START = -1
"""The place before the first node."""


@dataclass(frozen=True)
class PlacedNode:
    """One place in a sequence of steps.

    Attributes
    ----------
    node : int
        The number of its node in the step.
    stream : int
        0 is the main stream.
    after : tuple of int
        The places, on other streams, that it must wait for.
    """

    node: int
    stream: int
    after: tuple[int, ...]


@dataclass(frozen=True)
class StepSequence:
    """Steps, one after the other: all places in order, and those that the main stream awaits at the end."""

    placed: tuple[PlacedNode, ...]
    joins: tuple[int, ...]


def conflicts_of(nodes: Sequence[Node]) -> list[list[bool]]:
    """Return whether two nodes conflict, for each pair of them by their numbers."""
    found = [[False] * len(nodes) for _ in nodes]
    for i, earlier in enumerate(nodes):
        for j in range(i, len(nodes)):
            found[i][j] = found[j][i] = meet(earlier, nodes[j])
    return found


def streams_of(nodes: Sequence[Node], conflicts: Sequence[Sequence[bool]]) -> list[int]:
    """Return a stream for each node: 1, the side stream, if a later product need not wait for it, else 0.

    So, in the backward pass, the gradients of a layer's weights and biases overlap the gradient of its
    inputs: small batches leave most of a GPU idle. Sums over processes stay on the main stream, so that they
    are asked for in the same order in all processes.
    """
    waiting = [0] * len(nodes)  # bit j of waiting[i]: j cannot run before i
    for i in reversed(range(len(nodes))):
        for j in range(i + 1, len(nodes)):
            if conflicts[i][j]:
                waiting[i] |= 1 << j | waiting[j]
    products = [i for i, node in enumerate(nodes) if node.is_product]
    return [
        int(not isinstance(node, Reduce) and any(j > i and not waiting[i] >> j & 1 for j in products))
        for i, node in enumerate(nodes)
    ]


def in_sequence(conflicts: Sequence[Sequence[bool]], streams: Sequence[int], times: int) -> StepSequence:
    """Return `times` steps, one after the other, with the waits within a step and from one to the next."""
    placed: list[PlacedNode] = []
    on: list[list[int]] = [[] for _ in range(max(streams, default=0) + 1)]  # the places on each stream
    seen = [[START] * len(on) for _ in on]  # seen[a][b]: the last place on stream b that stream a has awaited
    known: list[list[int]] = []  # known[place]: seen[the stream of that place], as it was there
    for node, stream in list(enumerate(streams)) * times:
        after: list[int] = []
        for other in (other for other in range(len(on)) if other != stream):
            unknown = takewhile(lambda place: place > seen[stream][other], reversed(on[other]))  # noqa: B023
            place = next((place for place in unknown if conflicts[node][placed[place].node]), None)
            if place is not None:
                after.append(place)
                seen[stream] = [max(pair) for pair in zip(seen[stream], known[place], strict=True)]
            elif stream and not on[stream]:  # without another wait, a stream joins the capture here
                after.append(START)
        on[stream].append(len(placed))
        seen[stream][stream] = len(placed)
        known.append(list(seen[stream]))
        placed.append(PlacedNode(node, stream, tuple(after)))
    joins = [places[-1] for other, places in enumerate(on) if places and places[-1] > seen[0][other]]
    return StepSequence(tuple(placed), tuple(joins))

"""A plan's steps as graphs of several: written down once, launched as often as there are steps."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..device.nodes import Node, Prepared
from ..device.streams import Lanes
from .overlap import START, conflicts_of, in_sequence, lanes_of

MOST_STEPS = 64
"""Steps of a graph at most: launching it costs some microseconds, of which each step then has little."""

MOST_NODES = 1024
"""Nodes of a graph, if there is more than one step: making one takes some microseconds for each."""


def graph_length(nodes: int, times: int) -> int:
    """Return how many steps of so many nodes a graph should have, for `times` of them in a row.

    So that there are few launches, of graphs and of the steps that are left over, which take one each.
    """
    most = max(1, min(MOST_STEPS, MOST_NODES // max(1, nodes)))
    return min(range(1, most + 1), key=lambda steps: times // steps + times % steps)


class Capture:
    """A step's nodes on lanes, and the graphs made of them.

    Attributes
    ----------
    calls : sequence of Prepared
        A step, call by call, on the current stream and with the products of the lanes.
    warm : bool
        Whether they were made once: only then a capture meets nothing that is new to CUDA.
    """

    def __init__(self, lanes: Lanes, nodes: Sequence[Node]) -> None:
        self.lanes = lanes
        self._conflicts = conflicts_of(nodes)
        self._lanes_of_nodes = lanes_of(nodes, self._conflicts)
        self.calls: list[Prepared] = [
            lanes.prepare(node, lane) for node, lane in zip(nodes, self._lanes_of_nodes, strict=True)
        ]
        self.warm = False
        self._graphs: dict[int, Callable[[], None]] = {}
        self._length = 1

    def length(self, times: int, left: int) -> int:
        """Return how many steps the next graph should take, with so many left of `times` in a row."""
        if self._length == 1:
            self._length = graph_length(len(self.calls), times)
        return self._length if self._length <= left else 1

    def graph(self, times: int) -> Callable[[], None]:
        """Return what launches so many steps, written down when they are first asked for.

        Raises what CUDA raises; the current stream is then as it was.
        """
        if times not in self._graphs:
            with _garbage_kept():
                try:
                    self._graphs[times] = self._write_down(times)
                except BaseException:
                    self.lanes.abandon()
                    raise
                finally:
                    self.lanes.enter()
        return self._graphs[times]

    def _write_down(self, times: int) -> Callable[[], None]:
        lanes, steps = self.lanes, in_sequence(self._conflicts, self._lanes_of_nodes, times)
        awaited = {place for placed in steps.placed for place in placed.after} | set(steps.joins)
        lanes.begin()
        events = {START: lanes.record(0)} if START in awaited else {}
        for place, placed in enumerate(steps.placed):
            for earlier in placed.after:
                lanes.wait(placed.lane, events[earlier])
            lanes.issue(placed.lane, self.calls[placed.node])
            if place in awaited:
                events[place] = lanes.record(placed.lane)
        for place in steps.joins:
            lanes.wait(0, events[place])
        return lanes.end()


@contextmanager
def _garbage_kept() -> Iterator[None]:
    """Put the collector off: the end of somebody's graph, handle or memory may be what a capture forbids."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()

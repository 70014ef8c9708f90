"""The capture stage: k steps of a plan become one CUDA graph, captured once and launched many times."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..device.nodes import Node, Prepared
from ..device.streams import Streams
from .overlap import START, conflicts_of, in_sequence, streams_of

MOST_STEPS = 64
"""The most steps of a graph: launching a graph takes some microseconds, which its steps share."""

MOST_NODES = 1024
"""The most nodes of a graph of several steps: making a graph takes some microseconds a node."""


def graph_length(nodes: int, times: int) -> int:
    """Return how many steps of `nodes` nodes a graph should have, to take `times` steps with few launches.

    Each graph is one launch, and so is each step that is left over.
    """
    most = max(1, min(MOST_STEPS, MOST_NODES // max(1, nodes)))
    return min(range(1, most + 1), key=lambda steps: times // steps + times % steps)


class Capture:
    """A step's nodes, each on one of two streams, and the graphs that were captured of them.

    Attributes
    ----------
    streams : Streams
        Those of the thread and the stream that the graphs are for.
    calls : sequence of Prepared
        One for each node. Outside of a capture they run a step on the current stream.
    warm : bool
        Whether each call has run once: CUDA and cuBLAS load what they need then, which a capture forbids.
    graphs : dict
        By their number of steps, calls that launch what was captured.
    """

    def __init__(self, streams: Streams, nodes: Sequence[Node]) -> None:
        self.streams = streams
        self._conflicts = conflicts_of(nodes)
        self._streams_of_nodes = streams_of(nodes, self._conflicts)
        self.calls: list[Prepared] = [
            streams.prepare(node, stream) for node, stream in zip(nodes, self._streams_of_nodes, strict=True)
        ]
        self.warm = False
        self.graphs: dict[int, Callable[[], None]] = {}
        self._length = 1

    def length(self, nodes: int, times: int, left: int) -> int:
        """Return how many steps of `nodes` nodes the next graph should have.

        `left` of `times` steps are still to be taken.
        """
        if self._length == 1:
            self._length = graph_length(nodes, times)
        return self._length if self._length <= left else 1

    def graph(self, times: int) -> Callable[[], None]:
        """Capture `times` steps as one graph, the first time; return the call that launches it.

        Raises what CUDA raises; the current stream is then as it was.
        """
        if times not in self.graphs:
            with _gc_disabled():
                try:
                    self.graphs[times] = self._capture(times)
                except BaseException:
                    self.streams.abandon()
                    raise
                finally:
                    self.streams.enter()
        return self.graphs[times]

    def _capture(self, times: int) -> Callable[[], None]:
        streams, steps = self.streams, in_sequence(self._conflicts, self._streams_of_nodes, times)
        awaited = {place for placed in steps.placed for place in placed.after} | set(steps.joins)
        streams.begin()
        events = {START: streams.record(0)} if START in awaited else {}
        for place, placed in enumerate(steps.placed):
            for earlier in placed.after:
                streams.wait(placed.stream, events[earlier])
            streams.issue(placed.stream, self.calls[placed.node])
            if place in awaited:
                events[place] = streams.record(placed.stream)
        for place in steps.joins:
            streams.wait(0, events[place])
        return streams.end()


@contextmanager
def _gc_disabled() -> Iterator[None]:
    """Disable the garbage collector: a finalizer may make a CUDA call that capture forbids."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()

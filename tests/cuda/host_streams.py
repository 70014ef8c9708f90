"""CUDA's streams and graphs over host memory: a captured step runs in whatever order its events allow.

A graph keeps what was asked for, and what each waits for: the one before it on its stream, and the events. A
launch goes through it in another order each time: the main stream first, the side stream first, at random. So
a wait which is missing shows in the numbers.
"""

import random
from dataclasses import dataclass, field
from itertools import cycle

from fuseprop_cupy.device.streams import COUNT

START = -1


@dataclass
class Asked:
    """One thing that a graph does, and the numbers of those that it waits for."""

    node: object
    stream: int
    call: object
    after: set = field(default_factory=set)


def main_first(ready, graph):
    return min(ready, key=lambda i: (graph[i].stream, i))


def beside_first(ready, graph):
    return min(ready, key=lambda i: (-graph[i].stream, i))


def at_random(seed=0):
    generator = random.Random(seed)
    return lambda ready, graph: generator.choice(sorted(ready))


ORDERS = (main_first, beside_first, at_random())


class HostGraph:
    """What was captured; a call launches it, and tells `nccl` which graph that is, and which launch."""

    def __init__(self, asked, orders, nccl, number):
        self.asked = asked
        self._nccl, self._number = nccl, number
        self.launches = 0
        self.taken = []  # the order of the last launch
        self._orders = cycle(orders)

    def __call__(self):
        self.launches += 1
        order, left, self.taken = next(self._orders), set(range(len(self.asked))), []
        self._nccl.graph = self._number, self.launches
        try:
            while left:
                ready = [i for i in left if not self.asked[i].after & left]
                number = order(ready, self.asked)
                self.asked[number].call()
                left.remove(number)
                self.taken.append(number)
        finally:
            self._nccl.graph = None


class HostStreams:
    """`Streams` on the CPU.

    It refuses what would only show on a GPU: to ask for something while the handles are elsewhere, and to
    capture what was never asked for before.
    """

    def __init__(self, device):
        self.device = device
        self.orders = ORDERS
        self.graphs = []
        self._asked = None
        self._stream = 0
        self._entered = False

    def prepare(self, node, stream):
        call = self.device.prepare(node)
        loaded = False

        def ask():
            nonlocal loaded
            if self._asked is None:
                assert self._entered, "the streams' handles are not on the current stream"
                loaded = True
                call()
            elif loaded:
                self._write_down(Asked(node, self._stream, call))
            else:
                raise RuntimeError(
                    "cudaErrorStreamCaptureUnsupported: this is loaded when it is first asked for"
                )

        return ask

    def enter(self):
        assert self._asked is None, "the streams are in a capture"
        self._entered = True

    def begin(self):
        assert self._asked is None, "a capture has begun already"
        self._entered = False
        self._asked = []
        self._last = [START] + [None] * (COUNT - 1)  # of each stream that is part of the capture
        self._waiting = [set() for _ in range(COUNT)]

    def issue(self, stream, call):
        self._stream = stream
        call()

    def record(self, stream):
        assert self._last[stream] is not None, f"stream {stream} is not part of the capture"
        return {self._last[stream]} | self._waiting[stream]

    def wait(self, stream, event):
        if self._last[stream] is None:
            self._last[stream] = START
        self._waiting[stream] |= event

    def end(self):
        asked = self._asked
        done = self._behind({self._last[0]} | self._waiting[0])
        self._asked = None
        if not set(range(len(asked))) <= done:
            raise RuntimeError("cudaErrorStreamCaptureUnjoined: a stream's work is not waited for at the end")
        self.graphs.append(HostGraph(asked, self.orders, self.device.nccl, len(self.graphs)))
        return self.graphs[-1]

    def abandon(self):
        self._asked = None

    def _write_down(self, asked):
        assert self._last[asked.stream] is not None, f"stream {asked.stream} is not part of the capture"
        asked.after = ({self._last[asked.stream]} | self._waiting[asked.stream]) - {START}
        self._waiting[asked.stream] = set()
        self._last[asked.stream] = len(self._asked)
        self._asked.append(asked)

    def _behind(self, numbers):
        """All that must be done before these, and these."""
        found, new = set(), set(numbers) - {START}
        while new:
            found |= new
            new = {before for number in new for before in self._asked[number].after} - found
        return found

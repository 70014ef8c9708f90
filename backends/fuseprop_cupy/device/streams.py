"""CUDA's streams, events, graphs: what only a GPU does for a captured step. A seam, as `device` is.

Steps are captured on streams of our own, so that whatever goes wrong leaves the caller's stream as it is, and
launched on the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from fuseprop.backend import Shape

from .blas import Blas, workspace_bytes
from .nodes import Multiply, Node, Prepared
from .shapes import Array

COUNT = 2
"""The main lane and one beside it."""


class Lanes:
    """A thread's lanes on one stream: each has a cuBLAS handle and, in a capture, a stream of its own.

    Parameters
    ----------
    cupy : module
    ordinal : int
        Of the device, which is current whenever a method is called.
    dtype : float32 | float64
    empty : callable
        ``empty(shape, dtype)`` returns a new array on the device.
    prepare : callable
        ``prepare(node)`` returns what asks the device for a launch or a copy.
    """

    def __init__(
        self,
        cupy: Any,
        ordinal: int,
        dtype: np.dtype[Any],
        empty: Callable[[Shape, np.dtype[Any]], Array],
        prepare: Callable[[Node], Prepared],
    ) -> None:
        self._cupy = cupy
        self._prepare = prepare
        size = workspace_bytes(int(cupy.cuda.Device(ordinal).compute_capability))
        self._blas = [Blas(dtype, empty((size,), np.dtype(np.uint8))) for _ in range(COUNT)]
        self._streams: list[Any] = []
        self._at: list[Any] = []  # where all handles are, if that is sure
        self._kept: list[Any] = []  # wherever one may be

    def prepare(self, node: Node, lane: int) -> Prepared:
        """Return what asks for a node, on the stream that is current then."""
        if isinstance(node, Multiply):
            return self._blas[lane].product(node.a, node.b, node.out)
        return self._prepare(node)

    def enter(self) -> None:
        """Send products to the current stream."""
        self._use([self._cupy.cuda.get_current_stream()] * COUNT)

    def begin(self) -> None:
        """Start to write down what is asked for, instead of doing it."""
        self._streams = [self._cupy.cuda.Stream(non_blocking=True) for _ in range(COUNT)]
        self._use(self._streams)
        self._streams[0].begin_capture()

    def issue(self, lane: int, call: Prepared) -> None:
        """Ask for something on a lane; the current stream is then as it was.

        Not by `with`: at its end CuPy goes back to the last `with`, although `Stream.use` came after that.
        """
        before = self._cupy.cuda.get_current_stream()
        self._streams[lane].use()
        try:
            call()
        finally:
            before.use()

    def record(self, lane: int) -> Any:
        """Return an event: all that this lane was asked for until now."""
        event = self._cupy.cuda.Event(disable_timing=True)
        self._streams[lane].record(event)
        return event

    def wait(self, lane: int, event: Any) -> None:
        """Let a lane wait for an event before it goes on."""
        self._streams[lane].wait_event(event)

    def end(self) -> Callable[[], None]:
        """Return what was written down as a graph: calling it launches it on the current stream."""
        graph = self._streams[0].end_capture()
        self._streams = []
        launch: Callable[[], None] = graph.launch
        return launch

    def abandon(self) -> None:
        """Give up writing down; only the streams of the capture have noticed.

        The capture ends, with the lane that it forked to, without a question whether it is on: CuPy raises at
        that if it is invalid, which is why it is abandoned. Ending it raises then, and if it never began.
        """
        streams, self._streams = self._streams, []
        if streams:
            with suppress(RuntimeError):
                streams[0].end_capture()

    def _use(self, streams: list[Any]) -> None:
        # A stream is kept until no handle can point to it: none is to ask one that is gone for anything, nor
        # to take a new one at its address for it.
        if streams != self._at:
            self._at, self._kept = [], [*self._kept, *streams]
            for blas, stream in zip(self._blas, streams, strict=True):
                blas.use(stream.ptr)
            self._at = self._kept = streams

"""CUDA's streams, events and graphs, by which a step is captured. The tests replace `Streams`, as `Device`.

Steps are captured on streams of our own, so that a failed capture leaves the caller's stream as it is, and
their graphs are launched on the caller's.
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
"""The main stream, number 0, and the side stream, number 1, on which launches may overlap the main one's."""


class Streams:
    """The main and the side stream of one thread's captures, with a cuBLAS handle for each.

    The streams exist only within a capture; outside of it both handles use the caller's stream.

    Parameters
    ----------
    cupy : module
    ordinal : int
        The device's number. The device is current whenever a method is called.
    dtype : float32 | float64
    empty : callable
        ``empty(shape, dtype)`` returns a new array on the device.
    prepare : callable
        ``prepare(node)`` returns a call that runs a launch or a copy on the stream that is current then.
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
        self._at: list[Any] = []  # the stream of each handle; empty if a change of them has failed
        self._held: list[Any] = []  # every stream that a handle may still use

    def prepare(self, node: Node, stream: int) -> Prepared:
        """Return a call that runs a node; a product runs where `enter` or `begin` last sent this handle."""
        if isinstance(node, Multiply):
            return self._blas[stream].product(node.a, node.b, node.out)
        return self._prepare(node)

    def enter(self) -> None:
        """Send the products of all handles to the caller's current stream."""
        self._use([self._cupy.cuda.get_current_stream()] * COUNT)

    def begin(self) -> None:
        """Begin a capture: from here to `end`, calls are recorded into a graph instead of run."""
        self._streams = [self._cupy.cuda.Stream(non_blocking=True) for _ in range(COUNT)]
        self._use(self._streams)
        self._streams[0].begin_capture()

    def issue(self, stream: int, call: Prepared) -> None:
        """Make a call on a stream of the capture, and restore the current stream.

        Not by `with`: at its end CuPy restores the stream of the enclosing `with`, and forgets a `Stream.use`
        within that.
        """
        before = self._cupy.cuda.get_current_stream()
        self._streams[stream].use()
        try:
            call()
        finally:
            before.use()

    def record(self, stream: int) -> Any:
        """Return an event that comes after all calls on this stream until now."""
        event = self._cupy.cuda.Event(disable_timing=True)
        self._streams[stream].record(event)
        return event

    def wait(self, stream: int, event: Any) -> None:
        """Let the next calls on a stream wait for an event."""
        self._streams[stream].wait_event(event)

    def end(self) -> Callable[[], None]:
        """End the capture; return a call that launches its graph on the stream that is current then."""
        graph = self._streams[0].end_capture()
        self._streams = []
        launch: Callable[[], None] = graph.launch
        return launch

    def abandon(self) -> None:
        """End a failed capture, on all its streams; nothing is kept of it.

        `end_capture` raises RuntimeError if the capture is invalid or never began. There is no asking first:
        CuPy's `is_capturing` raises for an invalid capture too.
        """
        streams, self._streams = self._streams, []
        if streams:
            with suppress(RuntimeError):
                streams[0].end_capture()

    def _use(self, streams: list[Any]) -> None:
        # Hold the streams: a freed stream's address may be reused, and a handle has only the address.
        if streams != self._at:
            self._at, self._held = [], [*self._held, *streams]
            for blas, stream in zip(self._blas, streams, strict=True):
                blas.use(stream.ptr)
            self._at = self._held = streams

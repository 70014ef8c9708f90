"""The last stage: replay a plan. The first step runs call by call, the next ones as CUDA graphs.

The first call of a kernel or product lets CUDA load it, which a capture forbids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..device.device import Device
from ..device.nodes import Prepared
from .capture import Capture
from .plan import Plan


class PlanReplay:
    """The replay of a plan on one device, for one thread at a time.

    Parameters
    ----------
    captures : bool
        Whether to capture steps as graphs.
    report : callable
        ``report(why)`` is called if they cannot be captured; the steps then run call by call.
    """

    def __init__(self, device: Device, plan: Plan, *, captures: bool, report: Callable[[str], None]) -> None:
        self._device = device
        self._plan = plan  # it holds all arrays whose addresses the graphs contain
        self._captures = captures
        self._report = report
        self._capture: Capture | None = None
        self._calls: Sequence[Prepared] = ()
        try:
            self._capture = Capture(device.streams(), plan.nodes)
        except Exception as error:
            # Without `Streams` the device multiplies by `Products`, which no graph can capture.
            self._give_up(error)
            self._calls = [device.prepare(node) for node in plan.nodes]

    def run(self, times: int) -> None:
        """Take `times` steps on the current stream."""
        self._device.enter()
        if self._capture is None:
            _take(self._calls, times)
        elif times > 0:
            self._run(self._on_this_stream(self._capture), times)

    def _run(self, capture: Capture, times: int) -> None:
        left = times
        if not capture.warm:
            _take(capture.calls, 1)
            capture.warm = True
            left -= 1
        while left and self._captures:
            steps = capture.length(times, left)
            try:
                launch = capture.graph(steps)
            except Exception as error:
                # CUDA, cuBLAS and CuPy raise errors of many types. The calls themselves have worked before.
                self._give_up(error)
                break
            launch()
            left -= steps
        _take(capture.calls, left)

    def _on_this_stream(self, capture: Capture) -> Capture:
        """Return this capture, or a new one on another thread or stream; send its handles to the stream."""
        streams = self._device.streams()
        if capture.streams is not streams:
            self._capture = capture = Capture(streams, self._plan.nodes)
        streams.enter()
        return capture

    def _give_up(self, error: Exception) -> None:
        if self._captures:
            self._captures = False
            self._report(f"{type(error).__name__}: {error}")


def _take(calls: Sequence[Prepared], times: int) -> None:
    for _ in range(times):
        for call in calls:
            call()

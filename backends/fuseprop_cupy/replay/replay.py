"""Replaying a plan: the first step call by call, which loads all that CUDA loads late, and then as graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..device.device import Device
from ..device.nodes import Prepared
from .capture import Capture
from .plan import Plan


class Replay:
    """A plan on one device, for one thread at a time.

    Parameters
    ----------
    captures : bool
        Whether steps are to be graphs.
    report : callable
        Told why they are not, if that is so: then they are taken call by call.
    """

    def __init__(self, device: Device, plan: Plan, *, captures: bool, report: Callable[[str], None]) -> None:
        self._device = device
        self._plan = plan  # and with it all memory that graphs hold addresses of
        self._captures = captures
        self._report = report
        self._capture: Capture | None = None
        self._calls: Sequence[Prepared] = ()
        try:
            self._capture = Capture(device.lanes(), plan.nodes)
        except Exception as error:
            # Without lanes there are still CuPy's own products, but these no graph can hold.
            self._give_up(error)
            self._calls = [device.prepare(node) for node in plan.nodes]

    def run(self, times: int) -> None:
        """Take so many steps on the current stream."""
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
                # CUDA, cuBLAS and CuPy fail in many types; whichever it is, the calls themselves have worked.
                self._give_up(error)
                break
            launch()
            left -= steps
        _take(capture.calls, left)

    def _on_this_stream(self, capture: Capture) -> Capture:
        """Return what is ready for the current thread and stream."""
        lanes = self._device.lanes()
        if capture.lanes is not lanes:
            self._capture = capture = Capture(lanes, self._plan.nodes)
        lanes.enter()
        return capture

    def _give_up(self, error: Exception) -> None:
        if self._captures:
            self._captures = False
            self._report(f"{type(error).__name__}: {error}")


def _take(calls: Sequence[Prepared], times: int) -> None:
    for _ in range(times):
        for call in calls:
            call()

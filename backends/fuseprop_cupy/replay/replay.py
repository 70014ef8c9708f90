"""The last stage: replay a plan. The first step runs call by call, the next ones as CUDA graphs.

The first call of a kernel or product lets CUDA load it, which a capture forbids.

Where a step adds up over processes, NCCL asks that a sum is captured in all of them or in none, and that all
launch the same graphs in the same order. So they agree, over MPI, on whether a capture has worked in all, and
take the same numbers of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from ..device.device import Device
from ..device.nodes import Prepared
from .capture import Capture
from .plan import Plan

Made = TypeVar("Made")


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
        self._world = plan.world
        self._captures = captures
        self._report = report
        self._calls: Sequence[Prepared] = ()
        if self._world.size > 1:
            device.connect(self._world).hold(self)
        self._nodes = int(self._world.greatest(len(plan.nodes)))  # in the process that has most
        self._capture = self._in_all(lambda: Capture(device.streams(), plan.nodes))
        if self._capture is None:
            # Without `Streams` the device multiplies by `Products`, which no graph can capture.
            self._calls = [device.prepare(node) for node in plan.nodes]

    def run(self, times: int) -> None:
        """Take `times` steps on the current stream; all processes over which they add up take as many.

        Raises RuntimeError in all of them where one is to take another number.
        """
        self._device.enter()
        if self._world.size > 1:
            self._check(times)
        if self._capture is None:
            _take(self._calls, times)
        elif times > 0:
            self._run(self._on_this_stream(self._capture), times)

    def release(self) -> None:
        """Let go of the graphs, for good: a later `run` raises RuntimeError."""
        self._capture, self._calls = None, (_ended,)

    def _run(self, capture: Capture, times: int) -> None:
        left = times
        if not capture.warm:
            _take(capture.calls, 1)
            capture.warm = True
            left -= 1
        while left and self._captures:
            steps = capture.length(self._nodes, times, left)
            launch = capture.graphs.get(steps) or self._in_all(partial(capture.graph, steps))
            if launch is None:  # The calls themselves have worked before.
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

    def _check(self, times: int) -> None:
        """Raise RuntimeError where the processes are to take different numbers of steps: NCCL would hang."""
        most, least = self._world.greatest([times, -times])
        if most != -least:
            raise RuntimeError(
                f"all processes of a world take the same steps, and this one was to take {times}, where the "
                f"fewest are {-least} and the most {most}. Make the same calls in all processes."
            )

    def _in_all(self, make: Callable[[], Made]) -> Made | None:
        """Return what `make` returns; None where it fails in a process, and all give up captures then."""
        made: Made | None = None
        why: str | None = None
        try:
            made = make()
        except Exception as error:
            # CUDA, cuBLAS and CuPy raise errors of many types.
            why = f"{type(error).__name__}: {error}"
        for rank, found in enumerate(self._world.gathered(why)):
            if found is not None:
                self._give_up(found if rank == self._world.rank else f"process {rank} says {found}")
                return None
        return made

    def _give_up(self, why: str) -> None:
        if self._captures:
            self._captures = False
            self._report(why)


def _ended() -> None:
    raise RuntimeError("the sums over processes have ended, and with them the replay of these steps.")


def _take(calls: Sequence[Prepared], times: int) -> None:
    for _ in range(times):
        for call in calls:
            call()

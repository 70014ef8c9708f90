"""What a host clock does not see: the largest sum of arrays, a GPU's own time, and whether it is lost."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any


class PeakMemory:
    """Bytes of arrays, from here to `stop`: NumPy reports its arrays to tracemalloc, CuPy has its pool."""

    def __init__(self, backend: Any) -> None:
        self._on_gpu = backend.device.startswith("cuda")
        self._peak: int | None = None
        if self._on_gpu:
            import cupy

            self._pool = cupy.get_default_memory_pool()
            self._pool.free_all_blocks()
        else:
            tracemalloc.start()

    def stop(self) -> int:
        """Return the peak; calls after the first return it again. Tracing must not go on while timing."""
        if self._peak is None:
            if self._on_gpu:
                self._peak = int(self._pool.total_bytes())
            else:
                self._peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
        return self._peak


ENQUEUED = 32
"""Steps that are asked for to tell the host's time; with many more a GPU's full queue would stop the host."""


@dataclass(frozen=True)
class Stopwatch:
    """How to tell the time of the host from that of a GPU.

    wait() returns when the device is done. stamp() asks for a mark on the device, between(a, b) returns the
    seconds from one mark to another; None where a library has no such marks.
    """

    wait: Callable[[], object]
    stamp: Callable[[], Any] | None = None
    between: Callable[[Any, Any], float] | None = None

    def seconds(self, call: Callable[[], object], times: int) -> float:
        """Return a GPU's seconds for a call, between two marks around so many of them."""
        assert self.stamp is not None
        assert self.between is not None
        start = self.stamp()
        for _ in range(times):
            call()
        end = self.stamp()
        self.wait()
        return self.between(start, end) / times

    def each(self, call: Callable[[], object], times: int, before: Callable[[], object]) -> list[float]:
        """Return a GPU's seconds for each of so many calls, without what is asked for `before` each."""
        assert self.stamp is not None
        assert self.between is not None
        marks = []
        for _ in range(times):
            before()
            start = self.stamp()
            call()
            marks.append((start, self.stamp()))
        self.wait()
        return [self.between(*pair) for pair in marks]

    def apart(self, enqueue: Callable[[int], None], unit: int) -> dict[str, float]:
        """Return seconds a step: "host" until steps are asked for, "device" between marks around them."""
        steps = max(1, ENQUEUED // unit) * unit
        self.wait()
        marks = [self.stamp()] if self.stamp is not None else []
        start = perf_counter()
        enqueue(steps)
        seconds = {"host": (perf_counter() - start) / steps}
        if self.stamp is not None and self.between is not None:
            marks.append(self.stamp())
            self.wait()
            return seconds | {"device": self.between(*marks) / steps}
        self.wait()
        return seconds


def cupy_stopwatch() -> Stopwatch:
    """Return that of the thread's current CuPy stream."""
    import cupy

    def stamp() -> Any:
        event = cupy.cuda.Event()
        event.record()
        return event

    def between(start: Any, end: Any) -> float:
        return float(cupy.cuda.get_elapsed_time(start, end)) / 1e3

    return Stopwatch(lambda: cupy.cuda.get_current_stream().synchronize(), stamp, between)


def device_seconds(backend: Any, call: Callable[[], object]) -> float | None:
    """Return the seconds between two events around a call on a GPU; None on a CPU."""
    if not backend.device.startswith("cuda"):
        return None
    return cupy_stopwatch().seconds(call, 1)


def is_lost(device: str) -> bool:
    """Return whether a GPU takes no more work of this process, as after a kernel's failed assertion."""
    kind, _, number = device.partition(":")
    if kind == "cpu":
        return False
    try:
        import cupy

        cupy.cuda.Device(int(number or 0)).synchronize()
    except Exception:
        # Of whatever kind: a device that cannot even be waited for measures nothing.
        return True
    return False

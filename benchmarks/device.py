"""What a host clock does not see: the largest sum of arrays, and a GPU's own time."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
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


def device_seconds(backend: Any, call: Callable[[], object]) -> float | None:
    """Return the seconds between two events around a call on a GPU; None on a CPU."""
    if not backend.device.startswith("cuda"):
        return None
    import cupy

    start, end = cupy.cuda.Event(), cupy.cuda.Event()
    start.record()
    call()
    end.record()
    end.synchronize()
    return float(cupy.cuda.get_elapsed_time(start, end)) / 1e3

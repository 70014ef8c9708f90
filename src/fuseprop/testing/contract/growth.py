"""Whether memory grows while something is done again and again."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from time import monotonic

from fuseprop.backend import AnyBackend
from fuseprop.backend.seam import option

TIMES, LEAST, PIECE = 1000, 40, 20
"""How often something is done, how often at least, and how often between two looks at the clock."""

SECONDS = 0.25
"""After so long the least is enough."""

KEPT, SLACK = 32, 16 << 10
"""Bytes that may stay for each time, and in all: a float that a list keeps takes 32."""


def assert_does_not_grow(backend: AnyBackend, run: Callable[[int], None], what: str) -> None:
    """Assert that ``run(times)`` leaves no memory behind, after a first time that may fill caches.

    What Python and NumPy allocate is counted (`tracemalloc`), and what the backend says of its device.
    """
    run(PIECE)
    traced_before = tracemalloc.is_tracing()
    if not traced_before:
        tracemalloc.start()
    try:
        run(PIECE)  # what is kept from one time to the next is replaced by what is counted
        before, done, end = _used(backend), 0, monotonic() + SECONDS
        while done < TIMES and (done < LEAST or monotonic() < end):
            run(PIECE)
            done += PIECE
        grown = [after - at_first for after, at_first in zip(_used(backend), before, strict=True)]
        if max(grown) > KEPT * done + SLACK:
            gc.collect()
            grown = [after - at_first for after, at_first in zip(_used(backend), before, strict=True)]
    finally:
        if not traced_before:
            tracemalloc.stop()
    for bytes_kept, where in zip(grown, ("on the host", f"on {backend.device}"), strict=True):
        assert bytes_kept <= KEPT * done + SLACK, (
            f"{what}: after {done:,} times there are {bytes_kept:,} bytes more {where}, "
            f"{bytes_kept // done:,} for each time"
        )


def _used(backend: AnyBackend) -> tuple[int, int]:
    """Return the bytes in use on the host and on the device."""
    backend.synchronize()
    allocated = option(backend, "allocated")
    return tracemalloc.get_traced_memory()[0], 0 if allocated is None else int(allocated())

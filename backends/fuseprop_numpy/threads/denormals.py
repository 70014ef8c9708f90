"""Numbers below the smallest normal one (1.2e-38 in float32) count as zero while a program is replayed.

The velocity of a weight whose gradient stays zero, as behind an input that is nearly always 0 or a unit that
died, shrinks until it is so small that 0.9 times it rounds to itself, and stays there. x86 processors take 44
times as long over such numbers (400 us against 9 for 100,000, measured). GPUs flush them to zero too.

It is a setting of the processor, for each thread. It is set and put back by the C library's fegetenv and
fesetenv, around each replay and nowhere else. Where it cannot be set, only the time differs.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, ParamSpec

import numpy as np

P = ParamSpec("P")

MXCSR, FLUSHING = 7, 0x8040
"""The word of x86-64's floating-point environment, on Linux, that holds the SSE settings; its bits that make
results (0x8000) and operands (0x0040) zero where they are denormal."""


def flushing(run: Callable[P, None]) -> Callable[P, None]:
    """Return a function that does the same with denormal numbers taken for zero in its thread."""
    found = _environment()
    return run if found is None else _within(*found, run)


def _within(new: Any, get: Any, put: Any, run: Callable[P, None]) -> Callable[P, None]:
    """Return a function that does the same while the processor flushes; `_environment` gives the rest."""

    def flushed(*arguments: P.args, **options: P.kwargs) -> None:
        before, changed = new(), new()
        get(before)
        changed[:] = list(before)
        changed[MXCSR] |= FLUSHING
        try:
            put(changed)
            run(*arguments, **options)
        finally:
            put(before)

    return flushed


@cache
def _environment() -> tuple[Any, Any, Any] | None:
    """Return the type of an environment, its getter and its setter; None where setting it does not flush."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return None
    import ctypes  # not needed by `import fuseprop`

    new, library = ctypes.c_uint32 * 8, ctypes.CDLL(None)
    get, put = getattr(library, "fegetenv", None), getattr(library, "fesetenv", None)
    if get is None or put is None:
        return None
    halves = np.full(9, 1e-40, np.float32)

    def halve() -> None:
        np.multiply(halves, np.float32(0.5), out=halves)

    _within(new, get, put, halve)()
    return None if halves.any() else (new, get, put)

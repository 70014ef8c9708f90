"""Processes of one machine that train together share its cores, and do not all take all of them.

Each takes as many threads as there are cores for it: all that it may use, divided by the processes that may
use the same. An `mpiexec` that binds processes gives each cores of its own; that of MPICH does so when asked.
Where a user has said how many threads there are to be, that counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from fuseprop.backend import Program

from ..compiled.threads import SHARED_VARIABLE, VARIABLE, default_threads
from .blas_limit import share_control

SAID_BY = {
    "fuseprop": (VARIABLE, SHARED_VARIABLE),
    "blas": (
        SHARED_VARIABLE,
        "OPENBLAS_NUM_THREADS",
        "GOTO_NUM_THREADS",
        "MKL_NUM_THREADS",
        "BLIS_NUM_THREADS",
    ),
}
"""The environment variables by which users say it, by the kind of library that heeds them."""


@contextmanager
def shared(programs: Iterable[Program]) -> Iterator[None]:
    """Hold the threads of a process that takes these steps at its share within a ``with`` block.

    Processes that say nothing of ``sharing``, as `World` does, have their cores for themselves.
    """
    calls = [call for program in programs for call in program.calls if call.operation == "all_reduce"]
    worlds = [call.operands[1] if call.operands[1:] else call.options["world"] for call in calls]
    sharing = max((getattr(world, "sharing", 1) for world in worlds), default=1)
    if sharing == 1:
        yield
        return
    from threadpoolctl import ThreadpoolController  # looks through all loaded libraries: milliseconds, once

    share = max(1, default_threads({}).threads // sharing)
    found = ThreadpoolController()
    limits = {}
    for kind, variables in SAID_BY.items():
        threads = [each["num_threads"] for each in found.info() if each["user_api"] == kind]
        if threads and not any(os.environ.get(name) for name in variables):
            limits[kind] = min(share, *threads)
    with found.limit(limits=limits):
        share_control()
        try:
            yield
        finally:
            share_control()

"""One BLAS thread while a network is trained that is too small to gain from more.

Products of a few microseconds are slower on two threads than on one, and much slower where another program
uses a core: the idle thread of OpenBLAS spins, and the other waits for it. How many threads there are is a
setting of the whole process, so trainings that hold it at one are counted: the first sets the limit, the last
sets back what was there before.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from fuseprop.backend import Program

ENOUGH = 4e7
"""Multiplications of a step's products from which on two threads beat one.

One thread over two, in steps of two layers with batches of 128: 0.71 at 64-128-10 (2e6), 0.84 at 256-128-10
(1e7), 0.92 at 784-128-10 (3e7), and 1.2 at 784-512-512-10 with 32 rows (5e7); below 1 one thread is faster.
"""


def multiplications(program: Program) -> int:
    """Return the multiplications n d m of all products in a program."""
    products = [call.operands for call in program.calls if call.operation == "matmul"]
    return sum(a.size * b.shape[1] for a, b in products)


class SharedLimit:
    """A limit of one BLAS thread, set while at least one training holds it.

    Attributes
    ----------
    holders : int
        How many trainings hold it.
    """

    def __init__(self) -> None:
        self.holders = 0
        self._lock = threading.Lock()
        self._limit: Any = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the limit within a ``with`` block."""
        held = False
        try:  # from the first change on: Ctrl-C may come at any line
            with self._lock:
                self.holders, held = self.holders + 1, True
                if self.holders == 1:
                    self._limit = _blas().limit(limits=1)
                    share_control()
            yield
        finally:
            if held:
                self._release()

    def _release(self) -> None:
        with self._lock:
            self.holders -= 1
            if self.holders == 0 and self._limit is not None:
                self._limit.restore_original_limits()
                self._limit = None
                share_control()


def share_control() -> None:
    """Let other threads than this one change the limit: the last holder is not always the first.

    Since threadpoolctl 3.8 a limit may be changed only by the thread that set it, until that one says this.
    """
    from threadpoolctl import OpenBLASController

    getattr(OpenBLASController, "clear_controlling_thread", lambda: None)()


ONE_THREAD = SharedLimit()
"""The limit of this process."""


def blas_in_use() -> dict[str, str | int]:
    """Return which BLAS multiplies, and with how many threads."""
    found = _blas().info()
    kinds = [[blas["internal_api"], blas["version"], blas.get("architecture")] for blas in found]
    names = [" ".join(str(part) for part in kind if part) for kind in kinds]
    return {"BLAS": ", ".join(names), "threads": max((blas["num_threads"] for blas in found), default=1)}


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController  # looks through all loaded libraries: milliseconds, once

    return ThreadpoolController().select(user_api="blas")

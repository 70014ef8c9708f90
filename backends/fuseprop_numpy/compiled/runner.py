"""A step or a forward pass in the library: made once, run as often as asked, freed when nobody has it."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from ctypes import byref
from functools import cache, partial
from typing import Any

import numpy as np

from fuseprop.backend import HostArray

from .formulas import Kernels
from .forward import ROLES, ForwardPass
from .interface import DONE, FIRST, LAST, WAITS
from .positions import Positions
from .specification import Specification
from .step import TrainingStep

PATIENCE = 50_000_000
"""Nanoseconds that the library takes steps for until Python looks whether Ctrl-C was pressed."""

OPERATIONS = 1e9
"""As many of a forward pass are done between two such looks."""

FULL = 64
"""So many rows of a forward pass leave no thread with less work than others."""

BESIDE = 5000
"""Operations that would take as long as what a row does beside them."""


class CompiledStep:
    """A training step of a program; calling it takes the step.

    Where it is one of several processes, each step waits for the sum of all gradients: all processes take
    the same number of steps.

    Raises CannotCompute for a formula that the library cannot compute, and MemoryError where there is no room
    for the step's weights and activations.

    Attributes
    ----------
    bytes : int
        The memory that the library holds for it.
    """

    def __init__(self, library: Any, step: TrainingStep, dtype: np.dtype[Any]) -> None:
        self._specification = Specification(step, dtype, kernels_of(library))
        self._positions = Positions(step)
        if step.world is not None:
            self._reduce = partial(step.world.add, step.gradients)
        new = library.fuseprop_new_float if dtype == np.float32 else library.fuseprop_new_double
        self._step = new(byref(self._specification.struct))
        if not self._step:
            raise MemoryError(
                f"there is no room for a step of {step.rows:,} rows and {step.values.size:,} parameters. "
                f"Take a smaller batch_size."
            )
        weakref.finalize(self, library.fuseprop_free, self._step).atexit = False
        self.bytes: int = library.fuseprop_bytes(self._step)
        self._run, self._resume, self._store = (
            library.fuseprop_run,
            library.fuseprop_resume,
            library.fuseprop_store,
        )

    def __call__(self, times: int) -> None:
        """Take that many steps.

        Where an exception such as Ctrl-C ends that early, parameters and moments are those after a whole
        number of steps: one whose update has begun is finished, an earlier one is as if it had never begun.
        """
        self._take(times, _never)

    def _take(self, times: int, ends: Callable[[], bool]) -> None:
        times = int(times)
        if times <= 0:
            return
        self._positions.check(times)
        try:
            left = self._run(self._step, times, FIRST | LAST, PATIENCE)
            while left != DONE:  # between two calls Python sees signals
                if left == WAITS:
                    self._reduce()
                elif ends():
                    self._store(self._step)
                    return
                left = self._resume(self._step, PATIENCE)
        except BaseException:
            self._store(self._step)
            raise


class StoppableStep(CompiledStep):
    """A training step of a process that is alone, and may end wherever it likes: a `StoppableRunner`."""

    def until(self, times: int, ends: Callable[[], bool]) -> None:
        """Take that many steps, or fewer: those until ``ends()`` is true, which is asked each 0.05 s.

        Parameters and moments are packed once, and not for each time that it is asked. What ends the steps
        early leaves a whole number of them, as an exception does.
        """
        self._take(times, ends)


def _never() -> bool:
    return False


class CompiledForward:
    """A forward pass of a program; calling it takes any number of rows.

    One thread calls it at a time, the others wait. A signal's handler may call it in the midst of a call, and
    a forked process while another thread of its parent does.

    Raises as `CompiledStep`.
    """

    def __init__(self, library: Any, forward: ForwardPass, dtype: np.dtype[Any]) -> None:
        self._specification = Specification(forward, dtype, kernels_of(library))
        self._new = library.fuseprop_new_float if dtype == np.float32 else library.fuseprop_new_double
        self._free, self._call = library.fuseprop_free, library.fuseprop_forward
        self._size = forward.values.size
        self._make()
        self._places = [ROLES.index(role) for role in forward.given]
        self._kinds = [(each.dtype, each.shape[1:]) for each in forward.like]
        rows = OPERATIONS / (library.fuseprop_operations(self._pass) + BESIDE)
        self._at_once = max(1, int(rows) if rows < FULL / 2 else FULL * round(rows / FULL))
        self._alone = threading.RLock()
        PASSES.add(self)

    def _make(self) -> None:
        self._pass = self._new(byref(self._specification.struct))
        if not self._pass:
            raise MemoryError(f"there is no room for a network of {self._size:,} parameters.")
        self._end = weakref.finalize(self, self._free, self._pass)
        self._end.atexit = False

    def forget(self) -> None:
        """Give up the library's part, in whose midst a thread may be that this process does not have."""
        self._end.detach()
        self._pass, self._alone = None, threading.RLock()

    def __call__(self, *arrays: HostArray) -> None:
        """Do for all rows of these arrays what the program does for those of its own.

        Raises ValueError for arrays of other kinds than the program's, or not equally many rows.
        """
        rows = len(arrays[0])
        addresses: list[int | None] = [None] * len(ROLES)
        strides = [0] * len(ROLES)
        for place, array, (dtype, shape) in zip(self._places, arrays, self._kinds, strict=True):
            if array.dtype != dtype or array.shape != (rows, *shape) or not array.flags.c_contiguous:
                raise ValueError(
                    f"expected rows of {dtype} {shape}, {rows:,} of them, one after the other in memory, "
                    f"got {array.dtype} {array.shape}."
                )
            addresses[place], strides[place] = array.ctypes.data, array.nbytes // rows if rows else 0
        with self._alone:
            if not self._pass:
                self._make()
            for start in range(0, rows, self._at_once):
                count = min(self._at_once, rows - start)
                at = (
                    None if address is None else address + start * stride
                    for address, stride in zip(addresses, strides, strict=True)
                )
                if self._call(self._pass, count, *at, start == 0):
                    raise MemoryError("there is no room for the weights and activations of a forward pass.")


PASSES: weakref.WeakSet[CompiledForward] = weakref.WeakSet()
"""All that there are."""


def _forget_passes() -> None:
    for each in PASSES:
        each.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_passes)


@cache
def kernels_of(library: Any) -> Kernels:
    """Return what a library computes."""
    return Kernels.of(library.fuseprop_kernels().decode())

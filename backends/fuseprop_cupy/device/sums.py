"""Sums over the GPUs of several processes, by NVIDIA's NCCL: one communicator for each world and device.

NCCL waits, for ever, for a process that does not take part. So what may fail in one process alone is agreed
on over MPI before NCCL is asked, and all processes ask alike.
"""

from __future__ import annotations

import atexit
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, Protocol
from weakref import WeakSet

from fuseprop.backend import BackendUnavailable
from fuseprop.world import Processes, agreeing

from .probe import check_not_forked
from .shapes import Array
from .wheels import install_nccl

PAUSE = 0.0002
"""Seconds between two looks at a stream that the host waits for, and at NCCL's errors meanwhile."""


class Holder(Protocol):
    """Who holds graphs with sums in them."""

    def release(self) -> None:
        """Let go of the graphs, for good."""


class Place(NamedTuple):
    """Where a process computes: its machine, its GPU there, and the NCCL that it has."""

    machine: str
    bus: str
    version: int


def library() -> Any:
    """Import and return CuPy's module of NCCL; raises BackendUnavailable with the line to type."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # CuPy's own line would not bring the rest of the extra
        from cupy.cuda import nccl
    if not nccl.available:
        raise BackendUnavailable(
            f"several GPUs add up their gradients by NVIDIA's NCCL, and CuPy finds no libnccl.so.2 that it "
            f"takes. Type: {install_nccl()}."
        )
    return nccl


class Sums:
    """The communicators of a process: what is added up over several, and how that ends.

    Parameters
    ----------
    load : callable
        Returns `cupy.cuda.nccl`, or raises BackendUnavailable.
    """

    def __init__(self, load: Callable[[], Any] = library) -> None:
        self._load = load
        self._made: dict[tuple[Processes, int], Any] = {}
        self._holders: WeakSet[Any] = WeakSet()

    def connect(self, world: Processes, ordinal: int, bus: Callable[[], str]) -> None:
        """Make the communicator of a world on the current device, the first time: all processes ask together.

        ``bus()`` is the device's address in its machine. Raises BackendUnavailable, or `Elsewhere` for that
        of another process, in all processes: without NCCL, with different versions of it, and where two
        processes have the same GPU.
        """
        if (world, ordinal) not in self._made:
            if not self._made:
                atexit.register(self.close)
            self._made[world, ordinal] = self._communicator(world, bus)

    def _communicator(self, world: Processes, bus: Callable[[], str]) -> Any:
        with agreeing(world):
            machine, address = platform.node(), bus()
            nccl = self._load()
            place = Place(machine, address, nccl.get_version())
        _check(world.gathered(place))
        with agreeing(world):
            identity = nccl.get_unique_id() if world.rank == 0 else None
        identity = world.of_first(identity)
        # By default NCCL registers buffers while it is captured, for which the processes of a machine wait
        # for each other: a capture that fails in one would hang the others.
        os.environ.setdefault("NCCL_GRAPH_REGISTER", "0")
        with agreeing(world):
            return nccl.NcclCommunicator(world.size, identity, world.rank)

    def add(self, array: Array, world: Processes, ordinal: int, stream: int) -> None:
        """Add up an array over the processes, in place, on a stream; `connect` came before."""
        nccl, address = self._load(), array.data.ptr
        kind = {4: nccl.NCCL_FLOAT32, 8: nccl.NCCL_FLOAT64}[array.dtype.itemsize]
        self._made[world, ordinal].allReduce(address, address, array.size, kind, nccl.NCCL_SUM, stream)

    def watch(self, awaited: Any) -> None:
        """Where there are communicators, wait until a stream or an event of CuPy is done.

        Raises RuntimeError where NCCL finds meanwhile that a sum has failed: the GPU itself would wait for a
        lost process for ever.
        """
        while self._made and not awaited.done:
            for communicator in self._made.values():
                try:
                    communicator.check_async_error()
                except Exception as error:
                    self._end(failed=True)
                    raise RuntimeError(
                        f"the GPUs of the processes can no longer add up ({error}). One may have ended: see "
                        f"what the others say. If all go on, type the command with NCCL_DEBUG=INFO before it."
                    ) from error
            time.sleep(PAUSE)

    def hold(self, holder: Holder) -> None:
        """Have a holder of graphs release them before their communicators end: NCCL waits for that."""
        self._holders.add(holder)

    def close(self) -> None:
        """End all communicators: at the end of the process, before CuPy and MPI end."""
        with suppress(BackendUnavailable):
            check_not_forked()  # they are the parent's
            self._end(failed=getattr(sys, "last_value", None) is not None)

    def _end(self, *, failed: bool) -> None:
        """End all communicators; where the job has failed, without waiting for the other processes."""
        for holder in list(self._holders):
            holder.release()
        for communicator in self._made.values():
            if failed:
                communicator.abort()
            else:
                communicator.destroy()
        self._made.clear()


SUMS = Sums()
"""Those of this process, which all backends of a device share."""


class Watched:
    """An event of CuPy for which the host waits as for a stream: see `Sums.watch`."""

    def __init__(self, event: Any) -> None:
        self._event = event

    @property
    def done(self) -> bool:
        """Whether the device has come to it."""
        return bool(self._event.done)

    def synchronize(self) -> None:
        """Wait for it."""
        SUMS.watch(self._event)
        self._event.synchronize()


def _check(places: list[Place]) -> None:
    """Raise BackendUnavailable where the processes cannot add up by NCCL: in all of them, alike."""
    if len({place.version for place in places}) > 1:
        found = ", ".join(f"process {rank} has {place.version}" for rank, place in enumerate(places))
        raise BackendUnavailable(
            f"all processes need the same NCCL: {found}. Install one version everywhere."
        )
    first: dict[tuple[str, str], int] = {}
    for rank, (machine, bus, _) in enumerate(places):
        if (machine, bus) in first:
            raise BackendUnavailable(
                f"processes {first[machine, bus]} and {rank} compute on the same GPU, {bus} of {machine}, "
                f'and each needs one of its own. Say device="cuda", which gives each process another one, '
                f'start as many processes on a machine as it has GPUs, or use device="cpu".'
            )
        first[machine, bus] = rank

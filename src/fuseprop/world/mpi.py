"""World: the processes that `mpiexec` has started, over MPI by mpi4py."""

from __future__ import annotations

import os
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..installing import how_to_install
from .failing import CALLS, Ends
from .launch import check_together
from .processes import part

Value = TypeVar("Value")


class World:
    """The processes that were started together by ``mpiexec -n 4 python script.py``.

    Each makes one of these, and gives it to what it calls: `Network.fit` and `train`. All processes make the
    same calls; each has rows of its own.

    Attributes
    ----------
    rank : int
        The number of this process, from 0.
    size : int
        How many processes there are; 1 for one that was started without `mpiexec`.
    local_rank, local_size : int
        The number of this process among those on its machine, from 0, and how many these are: they share
        its GPUs.
    sharing : int
        How many of these, with this one, may run on the same cores: all, or those that `mpiexec` has bound
        there.

    library : str
        Which MPI it is, with its version.

    From the first one on, an error that leaves one process alone ends all of them, and so does its death:
    see `failing`.

    Raises ImportError with the line to type where mpi4py or MPI is not installed; RuntimeError where several
    processes were started by the launcher of another MPI, and know nothing of each other.

    Examples
    --------
    >>> from fuseprop import World
    >>> world = World()  # alone, unless mpiexec has started this process
    >>> world.rank, world.size, world.rows(10)
    (0, 1, slice(0, 10, None))
    """

    def __init__(self) -> None:
        # What Open MPI 5.0.11 says of a way of sharing memory that it cannot use here comes once a process.
        os.environ.setdefault("OMPI_MCA_osc", "^ucx")
        try:
            from mpi4py import MPI
        except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py has found no library of MPI
            raise ImportError(
                f"processes train together over MPI, by mpi4py, which does not work here "
                f"({str(error).splitlines()[0]:.200}). Type: {how_to_install('mpi')}."
            ) from error
        self._mpi = MPI
        # A communicator of our own: no message of a user's program is taken for one of ours.
        self._all = MPI.COMM_WORLD.Dup()
        self.rank: int = self._all.Get_rank()
        self.size: int = self._all.Get_size()
        self.library: str = " ".join(MPI.Get_library_version().split("\n")[0].split())
        check_together(self.size, self.library)
        beside = self._all.Split_type(MPI.COMM_TYPE_SHARED)
        self.local_rank: int = beside.Get_rank()
        self.local_size: int = beside.Get_size()
        own = _processors()
        others = beside.allgather(own)
        self.sharing: int = max(sum(each in other for other in others) for each in own)
        beside.Free()
        self._told = np.zeros(CALLS + 1, np.int64)
        if self.size > 1:
            Ends.of_this_process = Ends.of_this_process or Ends(MPI, self._all)
            self._told = Ends.of_this_process.told

    def add(self, array: NDArray[Any]) -> None:
        """See `Processes`."""
        self._told[CALLS] += 1
        self._all.Allreduce(self._mpi.IN_PLACE, array)

    def total(self, values: ArrayLike) -> NDArray[Any]:
        """See `Processes`."""
        return self._reduced(values, self._mpi.SUM)

    def least(self, values: ArrayLike) -> NDArray[Any]:
        """See `Processes`."""
        return self._reduced(values, self._mpi.MIN)

    def greatest(self, values: ArrayLike) -> NDArray[Any]:
        """See `Processes`."""
        return self._reduced(values, self._mpi.MAX)

    def gathered(self, value: Value) -> list[Value]:
        """See `Processes`."""
        self._told[CALLS] += 1
        found: list[Value] = self._all.allgather(value)
        return found

    def at_first(self, value: Value) -> list[Value]:
        """See `Processes`."""
        self._told[CALLS] += 1
        found: list[Value] | None = self._all.gather(value)
        return found or []

    def of_first(self, value: Value) -> Value:
        """See `Processes`."""
        self._told[CALLS] += 1
        found: Value = self._all.bcast(value if self.rank == 0 else None)
        return found

    def rows(self, count: int) -> slice:
        """See `Processes`; ``network.fit(X[w.rows(len(X))], ..., world=w)`` learns from all rows of X."""
        return part(self.rank, self.size, count)

    def _reduced(self, values: ArrayLike, operation: Any) -> NDArray[Any]:
        result = np.array(values, order="C")
        self._told[CALLS] += 1
        self._all.Allreduce(self._mpi.IN_PLACE, result, operation)
        return result

    def __getstate__(self) -> NoReturn:
        raise TypeError("a World is that of its own process, and is neither pickled nor copied.")


def _processors() -> set[int]:
    """Return the processors that this process may use; where none can be told from others, one for all."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else {0}

"""Whether this process was started together with others, as the environment says, before MPI is loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from ..installing import how_to_install


class Launch(NamedTuple):
    """What a launcher has told this process by variables of the environment.

    Attributes
    ----------
    rank, size : int
        The number of this process, and how many were started.
    launcher : str
        What started them, and whose it is: "mpiexec of Open MPI".
    """

    rank: int
    size: int
    launcher: str


LAUNCHERS = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "mpiexec of Open MPI"),
    ("PMI_RANK", "PMI_SIZE", "mpiexec of MPICH or of Intel MPI"),
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "srun of Slurm"),
)
"""The variables of rank and size that each launcher sets; the innermost first, as mpiexec may run below srun.

SLURM_NTASKS says nothing: the shells of `salloc` and `sbatch` have it too, where one process runs.
"""


def launched(variables: Mapping[str, str] = os.environ) -> Launch | None:
    """Return how this process was started by mpiexec, mpirun or srun; None where it was not."""
    for of_rank, of_size, launcher in LAUNCHERS:
        rank, size = variables.get(of_rank, ""), variables.get(of_size, "")
        if rank.isdecimal() and size.isdecimal():
            return Launch(int(rank), int(size), launcher)
    return None


def check_together(size: int, library: str) -> None:
    """Raise RuntimeError where several processes were started, of which each takes itself for the only one.

    Parameters
    ----------
    size : int
        How many processes MPI knows.
    library : str
        What MPI says of itself.
    """
    launch = launched()
    if launch is None or launch.size == 1 or size > 1:
        return
    raise RuntimeError(
        f"{launch.launcher} has started {launch.size} processes, and in each of them MPI knows of no other: "
        f"mpi4py has loaded another MPI ({' '.join(library.split())[:60]}). Each would train by itself, and "
        f"all would write the same files. Start them by the mpiexec of that MPI: the one that "
        f"{how_to_install('mpi')} brings stands beside Python; srun takes --mpi=pmi2 or --mpi=pmix."
    )

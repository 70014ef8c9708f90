"""Processes that MPI starts: `mpiexec` of this environment, or another one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def launched(n, *arguments, timeout=60):
    """Run `python ARGUMENTS` in `n` processes, and return the CompletedProcess with texts."""
    pytest.importorskip("mpi4py")
    beside = Path(sys.executable).parent / "mpiexec"
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None:
        pytest.skip("mpiexec is not installed")
    # Open MPI's: as root, and more processes than cores. MPICH has no such switches.
    names = (
        "OMPI_ALLOW_RUN_AS_ROOT",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM",
        "PRTE_MCA_rmaps_default_mapping_policy",
    )
    environment = os.environ | dict(zip(names, ("1", "1", ":oversubscribe"), strict=True))
    command = [mpiexec, "-n", str(n), sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, check=False, env=environment
    )

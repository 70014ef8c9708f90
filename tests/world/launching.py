"""Python in several processes, which `mpiexec` starts: that of this environment, or another one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
BESIDE = Path(sys.executable).parent / "mpiexec"
MPIEXEC = str(BESIDE) if BESIDE.exists() else shutil.which("mpiexec")

ALLOWED = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
"""What Open MPI wants to hear from root, and of more processes than cores."""


def command(n, *arguments):
    """Return the command that starts `python ARGUMENTS` n times."""
    return [MPIEXEC, "-n", str(n), sys.executable, *map(str, arguments)]


def launched(n, *arguments, timeout=60, **environment):
    """Run `python ARGUMENTS` in n processes; return what became of it, with all text that was written."""
    return subprocess.run(
        command(n, *arguments),
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **ALLOWED, **environment},
        check=False,
    )

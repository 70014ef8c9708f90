"""Python programs in several processes, which `mpiexec` starts."""

import shutil
import subprocess
import sys
from pathlib import Path


def launched(n, script_or_module, *args, timeout=60):
    """Run a script, or ``-m`` and a module, in n processes, and return what came of it, output as text."""
    mpiexec = Path(sys.executable).parent / "mpiexec"
    found = str(mpiexec) if mpiexec.exists() else shutil.which("mpiexec")
    command = [found, "-n", n, sys.executable, script_or_module, *args]
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=timeout, check=False
    )

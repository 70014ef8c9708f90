"""What doctor finds out of processes that train together: MPI, its mpiexec, and who runs on what."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from threadpoolctl import threadpool_info

from ..backend import Finding
from ..installing import how_to_install
from ..world import Processes
from ..world.launch import check_together, launched

LIMIT = 20
"""Seconds after which a program that is asked for its version is given up."""

FAMILIES = {
    "MPICH": ("MPICH", "HYDRA"),
    "Open MPI": ("Open MPI", "OpenRTE", "PRRTE"),
    "Intel MPI": ("Intel",),
}
"""The words by which a library and an mpiexec say whose they are; the last that fits counts."""

ASK = """
import mpi4py
mpi4py.rc(initialize=False, finalize=False)
from mpi4py import MPI
print(mpi4py.__version__, MPI.Get_library_version(), sep=chr(10))
"""
"""A broken MPI ends the process that loads it: another one asks."""


class Place(NamedTuple):
    """One process of those that run doctor: where it is, and what it computes with."""

    rank: int
    host: str
    pid: int
    cores: int
    threads: int
    devices: str


def processes_found(processes: Processes, devices: str) -> list[Finding]:
    """Return what there is for several processes, and a line for each that runs this; all call it alike.

    A process's threads are the most that any library in it takes.

    Parameters
    ----------
    processes : Processes
    devices : str
        What this process computes on.
    """
    places = processes.gathered(_here(processes.rank, devices))
    if processes.rank > 0:
        return []
    version, library = _library()
    findings = [version]
    if version.ok:
        findings.append(_mpiexec(library))
    launch, problem = launched(), _apart(processes)
    if launch is None:
        how = "1, not started by mpiexec; for more: mpiexec -n 2 fuseprop train DATA"
    else:
        how = f"{processes.size}, started by {launch.launcher}"
    findings.append(Finding("processes", f"{how}{f'; {problem}' if problem else ''}", ok=not problem))
    if processes.size > 1:
        findings += [
            Finding(
                f"process {place.rank}",
                f"pid {place.pid} on {place.host}, {place.threads} threads on {place.cores} CPU cores, "
                f"{place.devices}",
            )
            for place in places
        ]
    return findings


def family(text: str) -> str:
    """Return whose MPI says this of itself; "" where it cannot be told."""
    found = [name for name, words in FAMILIES.items() if any(word in text for word in words)]
    return found[-1] if found else ""


def _here(rank: int, devices: str) -> Place:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max((pool["num_threads"] for pool in threadpool_info()), default=1)
    return Place(rank, socket.gethostname(), os.getpid(), cores, threads, devices)


def _apart(processes: Processes) -> str:
    """Return what is wrong where several processes were started, which know nothing of each other."""
    try:
        check_together(processes.size, "see MPI above")
    except RuntimeError as error:
        return str(error)
    return ""


def _library() -> tuple[Finding, str]:
    """Return the versions of mpi4py and of its MPI, or what to type; and what the library says of itself."""
    answered, said = _asked([sys.executable, "-c", ASK])
    version, _, library = said.partition("\n")
    if not (answered and library):
        why = said.strip().rpartition("\n")[2] or "it does not answer"
        found = "none" if "No module named 'mpi4py'" in said else f"fails: {why:.200}"
        return Finding("MPI", found, ok=False, fix=how_to_install("mpi")), ""
    first = re.sub(r"\s+", " ", library.partition("\n")[0])
    return Finding("MPI", f"{first[:80]}, mpi4py {version}"), library


def _mpiexec(library: str) -> Finding:
    """Return which mpiexec there is, and whether it belongs to a library."""
    beside = Path(sys.executable).parent / "mpiexec"
    path = shutil.which("mpiexec") or (str(beside) if beside.exists() else "")
    if not path:
        return Finding("mpiexec", "none", ok=False, fix=how_to_install("mpi"))
    own, other = family(library), family(_asked([path, "--version"])[1])
    if own and other and own != other:
        found = f"{path} is of {other}, and mpi4py has loaded {own}: each process would train by itself"
        is_beside = beside.exists() and path != str(beside)
        fix = f"{beside} -n 2 fuseprop train DATA" if is_beside else how_to_install("mpi")
        return Finding("mpiexec", found, ok=False, fix=fix)
    return Finding("mpiexec", f"{path}{f', of {other}' if other else ''}")


def _asked(command: list[str]) -> tuple[bool, str]:
    """Return whether a program succeeds, though a launcher has started this one, and its output or errors."""
    launchers = ("PMI", "OMPI_", "SLURM_", "HYDI_", "PRTE_")
    alone = {name: value for name, value in os.environ.items() if not name.startswith(launchers)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=alone, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    return (True, done.stdout) if done.returncode == 0 else (False, done.stderr)

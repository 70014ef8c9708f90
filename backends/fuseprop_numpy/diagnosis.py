"""What ``fuseprop doctor`` says about the CPU: NumPy, its BLAS, and whether training steps are compiled."""

from __future__ import annotations

import os
import shutil
import warnings

import numpy as np

from fuseprop.backend import BackendUnavailable, Finding, how_to_install

from .compiled.interpreted import MOST_NUMBERS, MOST_REGISTERS
from .compiled.library import REBUILD, VARIABLE, NotCompiled, library
from .compiled.threads import VARIABLE as NUMBER_VARIABLE

PACKAGES = {
    "apt-get": "apt-get install g++",
    "dnf": "dnf install gcc-c++",
    "yum": "yum install gcc-c++",
    "zypper": "zypper install gcc-c++",
    "apk": "apk add g++",
    "pacman": "pacman -S gcc",
}
"""What brings a C++ compiler, by the program that installs packages."""


def diagnose() -> list[Finding]:
    """Return what can be found out about NumPy without computing anything."""
    from threadpoolctl import threadpool_info

    findings = [Finding("NumPy", np.__version__)]
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    for pool in pools:
        name = " ".join(
            str(pool[key]) for key in ("internal_api", "version", "architecture") if pool.get(key)
        )
        findings.append(Finding("BLAS", f"{name}, {pool['num_threads']} threads"))
    if not pools:
        build = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        findings.append(Finding("BLAS", f"{build.get('name')} {build.get('version')}, threads unknown"))
    findings.append(_compiled())
    findings.append(
        Finding(
            "CPU cores", str(os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count())
        )
    )
    return findings


def _compiled() -> Finding:
    """Return which build of compiled steps is loaded, or why there is none; and which bits are equal then."""
    what = "compiled steps"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a finding below says it
            loaded = library()
    except NotCompiled as why:
        found = f"none: {why}; steps leave equal bits on one machine, with one number of threads"
        return Finding(what, found, ok=not why.can_be_helped, fix=_how_to_compile())
    except BackendUnavailable as error:
        wrong = VARIABLE if VARIABLE in str(error) else NUMBER_VARIABLE
        return Finding(what, str(error).rstrip("."), ok=False, fix=f"unset {wrong}")
    threads = loaded.functions.fuseprop_get_num_threads()
    found = (
        f"{loaded.build}, {threads} threads; "
        f"steps leave equal bits with any number of threads, on any processor; "
        f"by calls: formulas of more than {MOST_NUMBERS} numbers or {MOST_REGISTERS} to remember at a time"
    )
    if loaded.is_stale:
        return Finding(what, f"{found}; older than the sources beside them", ok=False, fix=REBUILD)
    return Finding(what, found)


def _how_to_compile() -> str:
    """Return what to type: what brings a compiler, where there is none, and then fuseprop anew."""
    pip, _, source = how_to_install(again=True).partition(" install --force-reinstall ")
    if source.rstrip('"').endswith(".whl") or '"numpy>=' in source:  # there is nothing to compile in these
        pip, source = f"in a clone of fuseprop, {pip}", "."
    # A wheel that pip kept would not be built again, and nothing else need be installed anew.
    again = f"{pip} install --no-cache-dir --no-deps --force-reinstall {source}"
    if any(map(shutil.which, ("c++", "g++", "clang++"))):
        return again
    bring = next((line for name, line in PACKAGES.items() if shutil.which(name)), "install a C++ compiler")
    return f"{bring}; {again}"

"""What a measurement depends on and what must stand beside it: CPU, BLAS, GPU, versions, settings."""

from __future__ import annotations

import json
import os
import platform
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

THREAD_SETTINGS = (
    "FUSEPROP_NUM_THREADS",
    "FUSEPROP_ISA",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_THREAD_TIMEOUT",
    "OMP_WAIT_POLICY",
    "XLA_FLAGS",
)


def describe(*, gpu: bool = True) -> dict[str, Any]:
    """Return the machine in words and numbers, with its GPU or without; starts no kernel, names no host."""
    from ..world.processor import processor  # here, for the reason that `save` gives

    return {
        "cpu": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": _blas(),
        "compiled": _compiled(),
        "settings": {name: os.environ[name] for name in THREAD_SETTINGS if name in os.environ},
        "gpu": _gpu() if gpu else {},
    }


def slug(machine: dict[str, Any]) -> str:
    """Return the machine's part of a result's file name, such as "amd-epyc-2-cores", or "...-1-thread"."""
    name = machine["gpu"].get("name") or f"{machine['cpu']} {machine['cores']} cores"
    if "threads" in machine:
        name += f" {said(machine['threads'])}"
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def said(threads: int) -> str:
    """Return "1 thread", "2 threads"."""
    return f"{threads} thread{'s' if threads != 1 else ''}"


def today() -> str:
    """Return the date, such as "2026-01-31"."""
    return datetime.now().astimezone().strftime("%Y-%m-%d")


def save(record: dict[str, Any], folder: Path, name: str | None = None) -> Path:
    """Write a record of a machine on a date into a folder, under their names if no other; return the file.

    It is whole at any moment, so that what is kept while it grows stays if the process is ended.
    """
    # Here, because processes that measure an older fuseprop import this module, and its rooms were others.
    from fuseprop.storage.atomic import write_atomically

    name = name or f"{slug(record['machine'])}-{record['date']}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    write_atomically(path, (json.dumps(record, indent=1) + "\n").encode())
    return path


def memory_gib() -> float | None:
    """Return the memory of the machine in GiB; None where the system does not tell."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _blas() -> list[dict[str, Any]]:
    keys = ("internal_api", "version", "architecture", "num_threads")
    return [{key: pool.get(key) for key in keys} for pool in threadpool_info() if pool["user_api"] == "blas"]


def _compiled() -> dict[str, Any]:
    """Return "build" and "threads" of our compiled steps, or "why" there are none."""
    try:
        from fuseprop_numpy.compiled.library import NotCompiled, library
    except ImportError:  # an older fuseprop
        return {}
    from fuseprop.backend import BackendUnavailable

    try:
        loaded = library()
    except (NotCompiled, BackendUnavailable) as why:
        return {"why": str(why)}
    return {"build": loaded.build, "threads": loaded.functions.fuseprop_get_num_threads()}


def _gpu() -> dict[str, Any]:
    """Return name, driver, CUDA and CuPy of the first GPU; empty where CuPy or a GPU is missing."""
    try:
        import cupy

        runtime = cupy.cuda.runtime
        properties = runtime.getDeviceProperties(0)
        return {
            "name": properties["name"].decode(),
            "compute_capability": f"{properties['major']}.{properties['minor']}",
            "memory_gib": round(properties["totalGlobalMem"] / 2**30, 1),
            "ecc": bool(properties["ECCEnabled"]),
            "driver": runtime.driverGetVersion(),
            "cuda": runtime.runtimeGetVersion(),
            "cupy": cupy.__version__,
        }
    except Exception:
        # CuPy reports a missing driver, library or device in its own many types.
        return {}


if __name__ == "__main__":
    print(json.dumps(describe()))  # noqa: T201 (for the process that asks)

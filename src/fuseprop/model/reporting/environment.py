"""What a model is trained on: versions, the machine, the device."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ... import __version__
from ...backend import AnyBackend
from ...showing.page import facts, table
from ...world import Processes

LIBRARIES = ("numpy", "duckdb", "narwhals", "cupy", "nvmath")
"""The libraries whose versions are told, where they are loaded."""

PREFIXES = ("FUSEPROP_", "OMP_", "OPENBLAS_", "MKL_", "CUDA_")
"""How environment variables begin that computing may depend on."""


def surroundings(backend: AnyBackend, world: Processes) -> dict[str, Any]:
    """Return what a network runs on, with this backend, as plain data."""
    return {
        "fuseprop": __version__,
        "python": platform.python_version(),
        "libraries": {name: sys.modules[name].__version__ for name in LIBRARIES if name in sys.modules},
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "backend": backend.name,
        "device": backend.device,
        "dtype": str(np.dtype(backend.dtype)),
        "processes": world.size,
        "mpi": getattr(world, "library", None),
        "variables": {name: os.environ[name] for name in sorted(os.environ) if name.startswith(PREFIXES)},
    }


def environment_parts(
    backend: AnyBackend,
    world: Processes,
    *,
    data: Iterable[Mapping[str, Any]] = (),
    seconds: float | None = None,
) -> list[str]:
    """Return what `surroundings` does, the time, and digests of files of data, as parts of a page."""
    found: dict[str, Any] = {"written": datetime.now(UTC).isoformat(sep=" ", timespec="seconds")}
    if seconds is not None:
        found["seconds in training"] = seconds
    found |= surroundings(backend, world)
    pairs = []
    for name, value in found.items():
        text = ", ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, dict) else value
        pairs += [(name, text)] if text not in (None, "") else []
    lines = [(each["path"], each["bytes"], each["sha256"]) for each in data if each["sha256"] is not None]
    return [facts(pairs), table("Data files", ("file", "bytes", "SHA-256"), lines) if lines else ""]

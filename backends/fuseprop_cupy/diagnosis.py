"""What ``fuseprop doctor`` says about CUDA: CuPy, the driver, the libraries, the GPUs, each on its own.

`probe` stops at the first thing that is missing; here everything is looked at, so that one visit is enough.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from fuseprop.backend import BackendUnavailable, Finding

from .probe import INSTALL, cupy_wheels, import_cupy

GIBIBYTE = 1 << 30

WIDTH = 100
"""Characters of an error's text that are shown."""

LIBRARIES = ("cudart", "nvrtc", "cublas")

DRIVER = "nvidia-smi; where that fails, install the driver, or start the container with --gpus all"


def diagnose() -> list[Finding]:
    """Return what can be found out about CUDA; starts no kernel."""
    wheels = cupy_wheels()
    findings = [Finding("CuPy wheels", ", ".join(wheels) or "none", ok=len(wheels) == 1, fix=INSTALL)]
    try:
        cupy = import_cupy()
    except BackendUnavailable as error:
        return [*findings, Finding("CuPy", str(error), ok=False), _driver_library()]
    runtime = cupy.cuda.runtime
    findings.append(Finding("CuPy", cupy.__version__))
    findings.append(_driver_library())
    findings.append(_look("driver", lambda: _cuda(runtime.driverGetVersion()), DRIVER))
    findings.append(_look("CUDA runtime", lambda: _cuda(runtime.runtimeGetVersion()), INSTALL))
    findings += [_look(library, partial(_library, library), INSTALL) for library in LIBRARIES]
    return findings + _gpus(cupy)


def _gpus(cupy: Any) -> list[Finding]:
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        # The runtime's own error type is not importable where its library is missing.
        return [Finding("GPUs", f"none ({_first_line(error)})", ok=False, fix=DRIVER)]
    if count == 0:
        return [Finding("GPUs", "none", ok=False, fix=DRIVER)]
    return [_look(f"cuda:{i}", partial(_gpu, cupy, i), DRIVER) for i in range(count)]


def _look(what: str, find: Callable[[], str], fix: str) -> Finding:
    """Return what `find` says, or why it cannot; CUDA libraries fail in many types."""
    try:
        return Finding(what, find())
    except Exception as error:
        return Finding(what, f"not usable ({_first_line(error)})", ok=False, fix=fix)


def _driver_library() -> Finding:
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return Finding("driver library", name)
    return Finding("driver library", "not found: no NVIDIA driver is installed", ok=False, fix=DRIVER)


def _cuda(number: int) -> str:
    if number == 0:
        raise RuntimeError("no driver answers")
    return f"CUDA {number // 1000}.{number % 1000 // 10}"


def _library(name: str) -> str:
    from cuda.pathfinder import load_nvidia_dynamic_lib  # what CuPy itself finds them by

    return Path(load_nvidia_dynamic_lib(name).abs_path).name


def _gpu(cupy: Any, ordinal: int) -> str:
    properties = cupy.cuda.runtime.getDeviceProperties(ordinal)
    with cupy.cuda.Device(ordinal):
        free, total = cupy.cuda.runtime.memGetInfo()
    capability = f"{properties['major']}.{properties['minor']}"
    memory = f"{free / GIBIBYTE:.1f} of {total / GIBIBYTE:.1f} GiB free"
    return f"{properties['name'].decode()}, compute capability {capability}, {memory}"


def _first_line(error: Exception) -> str:
    """Return an error's type and the beginning of its text; CUDA's loaders list every path they tried."""
    text = str(error).strip().partition("\n")[0]
    short = text if len(text) <= WIDTH else text[:WIDTH] + "..."
    return f"{type(error).__name__}: {short}" if text else type(error).__name__

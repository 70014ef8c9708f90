"""What ``fuseprop doctor`` says about CUDA: CuPy, the driver, the libraries, the GPUs, captured steps.

`probe` stops at the first thing that is missing; here everything is looked at, so that one visit is enough.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from fuseprop.backend import BackendUnavailable, Call, Finding, Program

from .backend import CupyBackend
from .blas import import_cublas
from .probe import cupy_wheels, import_cupy, install

GIBIBYTE = 1 << 30

WIDTH = 200
"""Characters of an error's text that are shown."""

LIBRARIES = ("cudart", "nvrtc", "cublas")

DRIVER = "nvidia-smi; where that fails, install the driver, or start the container with --gpus all"


def diagnose() -> list[Finding]:
    """Return what can be found out about CUDA; on each GPU a small step is captured and replayed."""
    wheels = cupy_wheels()
    findings = [Finding("CuPy wheels", ", ".join(wheels) or "none", ok=len(wheels) == 1, fix=install())]
    try:
        cupy = import_cupy()
    except BackendUnavailable as error:
        return [*findings, Finding("CuPy", str(error), ok=False), _driver_library()]
    runtime = cupy.cuda.runtime
    findings.append(Finding("CuPy", cupy.__version__))
    findings.append(_driver_library())
    findings.append(_look("driver", lambda: _cuda(runtime.driverGetVersion()), DRIVER))
    findings.append(_look("CUDA runtime", lambda: _cuda(runtime.runtimeGetVersion()), install()))
    findings += [_look(library, partial(_library, library), install()) for library in LIBRARIES]
    findings.append(_look("nvmath-python", _nvmath, install()))
    return findings + _gpus(cupy)


def _gpus(cupy: Any) -> list[Finding]:
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        # The runtime's own error type is not importable where its library is missing.
        return [Finding("GPUs", f"none ({_first_line(error)})", ok=False, fix=DRIVER)]
    if count == 0:
        return [Finding("GPUs", "none", ok=False, fix=DRIVER)]
    found = []
    for i in range(count):
        found.append(_look(f"cuda:{i}", partial(_gpu, cupy, i), DRIVER))
        found.append(_look(f"captured steps on cuda:{i}", partial(_captured, i), install()))
    return found


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


def _nvmath() -> str:
    import_cublas()
    return importlib.metadata.version("nvmath-python")


def _captured(ordinal: int) -> str:
    return captured_steps(CupyBackend("float32", f"cuda:{ordinal}"))


def captured_steps(backend: CupyBackend) -> str:
    """Capture a small step and replay it; return what is to be said of that, or raise why it cannot be."""
    a, out = backend.zeros((2, 2)), backend.zeros((2, 2))
    calls = (
        Call("matmul", (a, a), {"out": out}),
        Call("bias_activation", (out, None, "sigmoid"), {"out": out}),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # which says what is said here
        replay = backend.compile(Program(calls))
        replay(2)
        replay(2)
    if backend.not_captured is not None:
        raise RuntimeError(f"steps are launched one kernel at a time: {backend.not_captured}")
    if not (backend.to_host(out) == 0.5).all():
        raise RuntimeError("a captured step computes wrong")
    return "work"


def _first_line(error: Exception) -> str:
    """Return an error's type and the beginning of its text; CUDA's loaders list every path they tried."""
    text = str(error).strip().partition("\n")[0]
    short = text if len(text) <= WIDTH else text[:WIDTH] + "..."
    return f"{type(error).__name__}: {short}" if text else type(error).__name__

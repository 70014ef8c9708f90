"""What ``fuseprop doctor`` says about CUDA: CuPy, the driver, the libraries, the GPUs, captured steps.

`probe` stops at the first thing that is missing; `diagnose` checks everything, so that one run names all that
has to be fixed.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from fuseprop.backend import BackendUnavailable, Finding

from .backend import CupyBackend
from .device.blas import import_cublas
from .device.probe import import_cupy, remedy
from .device.products import OVERRIDE, tf32_override
from .device.sums import library
from .device.wheels import (
    CUBLAS,
    NEEDED,
    SMALLEST_DRIVER,
    beyond_bounds,
    cuda_here,
    cupy_wheels,
    install,
    install_instead,
    within,
)
from .replay.trial import BOUND, Trial

GIBIBYTE = 1 << 30

WIDTH = 200
"""The most characters of an error's text that a finding shows."""

LIBRARIES = ("cudart", "nvrtc")

DRIVER = "nvidia-smi; where that fails, install the driver, or start the container with --gpus all"


def diagnose() -> list[Finding]:
    """Return the findings about CUDA, in order; on each GPU this captures and replays training steps."""
    wheels = cupy_wheels()
    fix = install_instead() if len(wheels) > 1 else install()
    findings = [
        Finding("CuPy wheels", ", ".join(wheels) or "none", ok=len(wheels) == 1, fix=fix),
        *_versions(),
    ]
    try:
        cupy = import_cupy()
    except BackendUnavailable as error:
        return [*findings, Finding("CuPy", str(error), ok=False), _driver_library()]
    runtime = cupy.cuda.runtime
    findings.append(Finding("CuPy", cupy.__version__))
    findings.append(_driver_library())
    findings.append(_driver(runtime))
    findings.append(_look("CUDA runtime", lambda: _cuda(runtime.runtimeGetVersion()), install()))
    findings += [_look(library, partial(_library, library), install()) for library in LIBRARIES]
    findings.append(_cublas())
    findings.append(_look("nvmath-python", _nvmath, install()))
    findings.append(_precision())
    findings.append(_nccl())
    return findings + _gpus(cupy)


def _versions() -> list[Finding]:
    """Return a finding of the packages whose versions fuseprop does not support, if there are any."""
    cuda = cuda_here()
    others = beyond_bounds(cuda) if cuda else []
    if not others:
        return []
    return [Finding("versions", "; ".join(others), ok=False, fix=install_instead(cuda or 0))]


def _driver(runtime: Any) -> Finding:
    """Return the driver's CUDA version, and the oldest driver on which the installed libraries run."""
    cuda = cuda_here()
    needed = f"what is installed for CUDA {cuda} needs {SMALLEST_DRIVER[cuda]} or newer" if cuda else ""
    try:
        driver, built = runtime.driverGetVersion(), runtime.runtimeGetVersion()
        found = _cuda(driver)
    except Exception as error:
        # The runtime's own error type is not importable where its library is missing.
        why = f"not usable ({_first_line(error)})"
        return Finding("driver", f"{why}; {needed}" if needed else why, ok=False, fix=DRIVER)
    if driver // 1000 < built // 1000:
        found = f"{found}, older than the libraries, of {_cuda(built)}. {remedy(driver, built)}"
        return Finding("driver", found, ok=False)
    return Finding("driver", f"{found}; {needed}" if needed else found)


def _cublas() -> Finding:
    """Return which cuBLAS is loaded first, of all that are installed, and whether fuseprop supports it."""
    try:
        file, version = _cublas_found()
    except Exception as error:
        # CUDA libraries raise errors of many types.
        return Finding("cublas", f"not usable ({_first_line(error)})", ok=False, fix=install())
    found, cuda = f"{file}, {version}", int(version.partition(".")[0])
    here = cuda_here() or cuda
    if cuda != here:
        return Finding("cublas", f"{found}, beside CuPy for CUDA {here}", ok=False, fix=install_instead(here))
    bounds = NEEDED[cuda][CUBLAS[cuda]] if cuda in NEEDED else ""
    if bounds and not within(version, bounds):
        return Finding("cublas", f"{found} instead of {bounds}", ok=False, fix=install_instead(cuda))
    return Finding("cublas", found)


def _cublas_found() -> tuple[str, str]:
    """Return the library's file and version, such as ("libcublas.so.13", "13.4.3")."""
    from cuda.pathfinder import load_nvidia_dynamic_lib

    path = load_nvidia_dynamic_lib("cublas").abs_path
    library, number = ctypes.CDLL(path), ctypes.c_int(0)
    version = []
    for part in range(3):  # MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL
        library.cublasGetProperty(part, ctypes.byref(number))
        version.append(str(number.value))
    return Path(path).name, ".".join(version)


def _precision() -> Finding:
    """Return whether float32 products are computed in float32, without rounding factors to TF32."""
    value = tf32_override()
    if value is not None:
        found = f"rounded to TF32, because {OVERRIDE} is {value!r}"
        return Finding("float32 products", found, ok=False, fix=f"unset {OVERRIDE}")
    asked = os.environ.get("CUPY_TF32", "0")
    unheeded = "" if asked == "0" else f"; CUPY_TF32={asked} is not heeded"
    return Finding("float32 products", f"strict{unheeded}")


def _nccl() -> Finding:
    """Return the version of NCCL, or how to have it; one GPU needs none."""
    try:
        version = library().get_version()
    except Exception as error:
        # The libraries raise errors of many types.
        return Finding("NCCL", f"none, which one GPU does not need: {error}")
    return Finding("NCCL", f"{version // 10000}.{version // 100 % 100}.{version % 100}")


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
    if count > 1:
        found.append(_look("between GPUs", partial(_between, cupy, count), DRIVER))
    return found


def _between(cupy: Any, count: int) -> str:
    """Return which pairs of GPUs reach each other's memory, by NVLink or PCIe, without the host's."""
    can = cupy.cuda.runtime.deviceCanAccessPeer
    apart = [
        f"cuda:{b} and cuda:{a}" for a in range(count) for b in range(a) if not (can(a, b) and can(b, a))
    ]
    return f"by way of the host: {', '.join(apart)}" if apart else "all reach each other's memory"


def _look(what: str, find: Callable[[], str], fix: str) -> Finding:
    """Return a finding of what `find` returns, or of the error that it raises, of whatever type."""
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
    from cuda.pathfinder import load_nvidia_dynamic_lib  # as CuPy itself does

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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of TF32, for which `_precision` has a finding
        return captured_steps(CupyBackend("float32", f"cuda:{ordinal}"))


def captured_steps(backend: CupyBackend) -> str:
    """Capture training steps and replay them; return "work", or raise RuntimeError with what is wrong.

    The steps run twice from the same start, the second time from graphs alone: both runs must agree with
    NumPy, and their bits with each other.
    """
    trial = Trial(backend)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the RuntimeError below says why
        replay = backend.compile(trial.program)
        first, again = trial.run(replay), trial.run(replay)
    if backend.not_captured is not None:
        raise RuntimeError(f"steps are launched one kernel at a time: {backend.not_captured}")
    error = max(trial.error(first), trial.error(again))
    if error > BOUND:
        raise RuntimeError(f"captured steps compute wrong: {error:.3g} eps from NumPy, {BOUND} are allowed")
    if any((first[name] != again[name]).any() for name in first):
        raise RuntimeError("captured steps leave other bits each time they are taken")
    return "work"


def _first_line(error: Exception) -> str:
    """Return an error's type and the start of its text: CUDA's loaders list every path that they tried."""
    text = str(error).strip().partition("\n")[0]
    short = text if len(text) <= WIDTH else text[:WIDTH] + "..."
    return f"{type(error).__name__}: {short}" if text else type(error).__name__

"""Whether CUDA can be used: checked once per process and device, and nothing is printed.

Each check needs the ones before it: CuPy, a driver, the device, the runtime compiler with a kernel of one
line, a product of two small matrices. The first that fails says what is missing and what to type.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from fuseprop.backend import BackendUnavailable

from .products import Products
from .wheels import SMALLEST_DRIVER, cupy_wheels, driver, install, install_instead

ARCHITECTURE = 75
"""The smallest compute capability that the kernels run on, 7.5: Turing, 2018."""

NO_DEVICE, INSUFFICIENT_DRIVER = 100, 35
"""cudaErrorNoDevice, which CUDA raises instead of counting zero devices, and cudaErrorInsufficientDriver."""

NO_GPU = "CUDA finds no GPU. Is CUDA_VISIBLE_DEVICES empty? Type: nvidia-smi -L."

ONE_LINE = 'extern "C" __global__ void probe(int* x) { *x += 1; }'


_answers: dict[int, str | None] = {}
_forked = False


def probe(ordinal: int) -> None:
    """Raise BackendUnavailable, with the cause and the line to type, unless this device can be used."""
    check_not_forked()
    if ordinal not in _answers:
        _answers[ordinal] = _problem(ordinal)
    problem = _answers[ordinal]
    if problem is not None:
        raise BackendUnavailable(problem)


def check_without_cupy() -> None:
    """Raise BackendUnavailable where CuPy or a driver is missing: told in milliseconds, without an import."""
    if find_spec("cupy") is None:
        import_cupy()
    if driver() == 0:
        raise BackendUnavailable(_no_driver(""))


def import_cupy() -> Any:
    """Import and return CuPy; raises BackendUnavailable."""
    wheels = cupy_wheels()
    if len(wheels) > 1:
        raise BackendUnavailable(
            f"two CuPy packages are installed and overwrite each other: {', '.join(wheels)}. "
            f"Type: {install_instead()}."
        )
    try:
        import cupy
    except ImportError as error:
        broken = f"{wheels[0]} is installed, but cannot be imported" if wheels else "CuPy is not installed"
        raise BackendUnavailable(f"{broken} ({error}). Type: {install()}.") from error
    return cupy


def check_not_forked() -> None:
    """Raise BackendUnavailable in a process that was forked from one that had used CUDA."""
    if _forked:
        raise BackendUnavailable(
            "CUDA was in use when this process was forked, and cannot be used in the copy. Start workers "
            'with multiprocessing.set_start_method("spawn"), or train in one process (n_jobs=1).'
        )


def _note_fork() -> None:
    """Note in a forked child whether the parent had found a device that works."""
    global _forked
    _forked = _forked or any(problem is None for problem in _answers.values())


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_note_fork)


def _problem(ordinal: int) -> str | None:
    """Return why the device cannot be used, or None."""
    try:
        cupy = import_cupy()
    except BackendUnavailable as error:
        return str(error)
    for step in (_driver_and_device, _compiler, _products):
        problem = step(cupy, ordinal)
        if problem is not None:
            return problem
    return None


def _driver_and_device(cupy: Any, ordinal: int) -> str | None:
    runtime = cupy.cuda.runtime
    try:
        count = runtime.getDeviceCount()
    except (runtime.CUDARuntimeError, RuntimeError, ImportError) as error:
        return _no_devices(cupy, error)
    if count == 0:
        return NO_GPU
    if not 0 <= ordinal < count:
        there = ", ".join(f"cuda:{i} ({_name(runtime, i)})" for i in range(count))
        return f"there is no cuda:{ordinal}. Devices here: {there}."
    capability = int(cupy.cuda.Device(ordinal).compute_capability)
    if capability < ARCHITECTURE:
        return (
            f"cuda:{ordinal} ({_name(runtime, ordinal)}) has compute capability {capability / 10}; "
            f"the kernels need {ARCHITECTURE / 10} or newer. Use another device or device='cpu'."
        )
    return None


def _no_devices(cupy: Any, error: Exception) -> str:
    """Return why CUDA counts no devices: no driver, no GPU, a driver that is too old, or another error.

    CUDA reports an absent driver and an old one by the same error.
    """
    runtime = cupy.cuda.runtime
    try:
        version = runtime.driverGetVersion()
    except (runtime.CUDARuntimeError, RuntimeError, ImportError):
        version = 0
    if version == 0:
        return _no_driver(f" ({error})")
    status = getattr(error, "status", None)
    if status == NO_DEVICE:
        return NO_GPU
    if status != INSUFFICIENT_DRIVER:
        return (
            f"CUDA cannot start ({error}). Type: nvidia-smi. If this process was forked from one that used "
            f'CUDA, start workers with multiprocessing.set_start_method("spawn").'
        )
    built = runtime.runtimeGetVersion()
    return (
        f"the NVIDIA driver (for CUDA {_version(version)}) refuses ({error}); CuPy is built for CUDA "
        f"{_version(built)}. {remedy(version, built)}."
    )


def _no_driver(detail: str) -> str:
    return (
        f"no NVIDIA driver was found{detail}. Type: nvidia-smi. Install the driver, or in a container "
        f"run with --gpus all; without a GPU use device='cpu'."
    )


def remedy(driver: int, built: int) -> str:
    """Return, without a final point, what to do about a driver that is too old for libraries of this CUDA.

    Both versions are CUDA's numbers, such as 13020 for 13.2.
    """
    series = SMALLEST_DRIVER.get(built // 1000)
    update = f"Update the driver to {series} or newer" if series else "Update the driver"
    if driver // 1000 < min(SMALLEST_DRIVER):
        return f"{update}; {min(SMALLEST_DRIVER.values())} is the oldest that any CuPy here can use"
    return f"{update}, or type: {install_instead(driver // 1000)}"


def _compiler(cupy: Any, ordinal: int) -> str | None:
    def run() -> bool:
        x, host = cupy.empty(1, np.int32), np.array([41], np.int32)
        x.set(host)  # CUDA may read `host` as late as in `get`, so `host` must live until then
        cupy.RawModule(code=ONE_LINE).get_function("probe")((1,), (1,), (x,))
        return bool(x.get()[0] == 42)

    return _attempt(cupy, ordinal, run, "compile and run a CUDA kernel with NVRTC and the CUDA headers")


def _products(cupy: Any, ordinal: int) -> str | None:
    def run() -> bool:
        a, out = cupy.empty((2, 2), np.float32), cupy.empty((2, 2), np.float32)
        host = np.array([[1, 1], [0, 1]], np.float32)
        a.set(host)
        Products(cupy, ordinal, np.dtype(np.float32), cupy.empty).multiply(a, a, out)
        return bool((out.get() == [[1, 2], [0, 1]]).all())

    return _attempt(cupy, ordinal, run, "multiply matrices with cuBLAS")


def _attempt(cupy: Any, ordinal: int, run: Callable[[], bool], what: str) -> str | None:
    """Return None if `run` returns True on the device, else why not; libraries raise errors of many types."""
    try:
        with cupy.cuda.Device(ordinal):
            if run():
                return None
        why = "the result is wrong"
    except Exception as error:
        why = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no text'}"
    return f"cuda:{ordinal} was found, but cannot {what} ({why}). Type: {install()}."


def _name(runtime: Any, ordinal: int) -> str:
    name: bytes = runtime.getDeviceProperties(ordinal)["name"]
    return name.decode()


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"

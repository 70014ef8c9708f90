"""The packages that bring CUDA to Python: which ones an extra asks for, which are here, what to type.

pyproject.toml asks pip for the same ones; a test compares the two.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import re
from collections.abc import Iterable
from contextlib import suppress

from fuseprop.backend import how_to_install

NEEDED = {
    12: {
        "cuda-bindings": ">=12.9.2,<13",
        "cupy-cuda12x": ">=14.2",
        "nvidia-cublas-cu12": ">=12.9,<13",
        "nvidia-cuda-nvrtc-cu12": ">=12.9,<13",
        "nvidia-cuda-runtime-cu12": ">=12.9,<13",
        "nvmath-python": ">=1",
    },
    13: {
        "cuda-bindings": ">=13.0.1,<14",
        "cupy-cuda13x": ">=14.2",
        "nvidia-cublas": ">=13,<13.5",
        "nvidia-cuda-nvrtc": ">=13,<14",
        "nvidia-cuda-runtime": ">=13,<14",
        "nvmath-python": ">=1",
    },
}
"""For each CUDA, the packages of the extra cuda12 or cuda13, with their bounds."""

CUBLAS = {12: "nvidia-cublas-cu12", 13: "nvidia-cublas"}

SMALLEST_DRIVER = {12: 525, 13: 580}
"""The oldest series of drivers on which NVIDIA lets libraries of any CUDA 12, or 13, run."""


def install() -> str:
    """Return what to type to have CuPy and the libraries that it needs, by the driver if there is one."""
    cuda = driver() // 1000
    if cuda:
        return how_to_install(f"cuda{_nearest(cuda)}")
    return f"{how_to_install('cuda13')} (CUDA 13) or {how_to_install('cuda12')} (older drivers)"


def install_instead(cuda: int = 0) -> str:
    """Return what to type to have the packages of one CUDA and of no other: by default the driver's.

    The others are named because pip leaves them, and a cuBLAS of CUDA 13 is found before one of CUDA 12.
    Where two CuPy packages have overwritten each other, no file of either can be trusted.
    """
    nearest = _nearest(cuda or driver() // 1000 or max(NEEDED))
    wanted, wheels = NEEDED[nearest], cupy_wheels()
    here = installed({name for packages in NEEDED.values() for name in packages}.union(wheels))
    fits = {name for name, bounds in wanted.items() if name in here and within(here[name], bounds)}
    gone = sorted(set(here) - fits | set(wheels if len(wheels) > 1 else ()))
    before, _, words = how_to_install(f"cuda{nearest}").partition(" install ")
    where, comma, pip = before.rpartition(", ")
    removal = f"{pip} uninstall -y {' '.join(gone)} && " if gone else ""
    return f"{where}{comma}{removal}{pip} install {words}"


def _nearest(cuda: int) -> int:
    return min(max(cuda, min(NEEDED)), max(NEEDED))


def cupy_wheels() -> list[str]:
    """Return the names of the installed distributions that bring the package cupy, sorted."""
    names = {(d.name or "").lower().replace("_", "-") for d in importlib.metadata.distributions()}
    return sorted(name for name in names if name == "cupy" or name.startswith(("cupy-cuda", "cupy-rocm")))


def cuda_here() -> int | None:
    """Return the CUDA that the one installed CuPy is built for, or None where that is not sure."""
    found = [re.fullmatch(r"cupy-cuda(\d+)x", name) for name in cupy_wheels()]
    cuda = int(found[0][1]) if len(found) == 1 and found[0] else None
    return cuda if cuda in NEEDED else None


def beyond_bounds(cuda: int) -> list[str]:
    """Return which installed packages have another version than the extra of this CUDA asks for."""
    here = installed(NEEDED[cuda])
    return [
        f"{name} {version} instead of {NEEDED[cuda][name]}"
        for name, version in here.items()
        if not within(version, NEEDED[cuda][name])
    ]


def within(version: str, bounds: str) -> bool:
    """Whether a version, such as 13.4.3.11, keeps bounds such as >=13,<13.5."""
    number = _numbers(version)
    for bound in bounds.split(","):
        least = bound.startswith(">=")
        if (number >= _numbers(bound)) != least:
            return False
    return True


def installed(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of those of these distributions that are installed, by name."""
    found = {}
    for name in sorted(names):
        with suppress(importlib.metadata.PackageNotFoundError):
            version = importlib.metadata.version(name)
            if version:  # what a removal left behind has none
                found[name] = version
    return found


def driver() -> int:
    """Return the CUDA of the driver, 13020 for 13.2, as the driver itself says it; 0 where there is none."""
    number = ctypes.c_int(0)
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            ctypes.CDLL(name).cuDriverGetVersion(ctypes.byref(number))
        except (OSError, AttributeError):
            continue
        return number.value
    return 0


def _numbers(text: str) -> tuple[int, ...]:
    """Return the numbers that a version or a bound begins with; final zeros count for nothing."""
    found = re.search(r"\d+(\.\d+)*", text)
    numbers = [int(part) for part in found[0].split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)

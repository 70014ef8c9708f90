"""The packages by which Python has CUDA: which ones an extra requires, which are installed, what to type.

pyproject.toml requires the same ones; a test compares the two.
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

NCCL = {12: ("nvidia-nccl-cu12", ">=2.18.1,<3"), 13: ("nvidia-nccl-cu13", ">=2.27.7,<3")}
"""For each CUDA, the package that the extra nccl12 or nccl13 adds; CuPy loads none beyond these bounds."""

CUBLAS = {12: "nvidia-cublas-cu12", 13: "nvidia-cublas"}

SMALLEST_DRIVER = {12: 525, 13: 580}
"""The oldest series of drivers on which NVIDIA lets libraries of any CUDA 12, or 13, run."""


def install() -> str:
    """Return the line that installs CuPy and its libraries, for the driver's CUDA if there is a driver."""
    cuda = driver() // 1000
    if cuda:
        return how_to_install(f"cuda{_nearest(cuda)}")
    return f"{how_to_install('cuda13')} (CUDA 13) or {how_to_install('cuda12')} (older drivers)"


def install_instead(cuda: int = 0) -> str:
    """Return the line that installs the packages of one CUDA and removes all others; by default the driver's.

    pip would leave the others, and a cuBLAS of CUDA 13 is loaded before one of CUDA 12. Two CuPy packages
    overwrite each other's files, so both are removed.
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


def install_nccl() -> str:
    """Return the line that installs NVIDIA's sums between GPUs, for the CUDA of CuPy or else the driver's."""
    return how_to_install(f"nccl{cuda_here() or _nearest(driver() // 1000 or max(NEEDED))}")


def _nearest(cuda: int) -> int:
    return min(max(cuda, min(NEEDED)), max(NEEDED))


def cupy_wheels() -> list[str]:
    """Return the names of the installed distributions that bring the package cupy, sorted."""
    names = {(d.name or "").lower().replace("_", "-") for d in importlib.metadata.distributions()}
    return sorted(name for name in names if name == "cupy" or name.startswith(("cupy-cuda", "cupy-rocm")))


def cuda_here() -> int | None:
    """Return the CUDA of `NEEDED` that CuPy is built for; None for another, no CuPy or more than one."""
    found = [re.fullmatch(r"cupy-cuda(\d+)x", name) for name in cupy_wheels()]
    cuda = int(found[0][1]) if len(found) == 1 and found[0] else None
    return cuda if cuda in NEEDED else None


def beyond_bounds(cuda: int) -> list[str]:
    """Return a text for each installed package that is not within the bounds of this CUDA's extra."""
    here = installed(NEEDED[cuda])
    return [
        f"{name} {version} instead of {NEEDED[cuda][name]}"
        for name, version in here.items()
        if not within(version, NEEDED[cuda][name])
    ]


def within(version: str, bounds: str) -> bool:
    """Whether a version, such as 13.4.3.11, is within bounds such as >=13,<13.5."""
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
            if version:  # metadata that a removal left behind has none
                found[name] = version
    return found


def driver() -> int:
    """Return the CUDA version that the driver supports, 13020 for 13.2; 0 where there is no driver."""
    number = ctypes.c_int(0)
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            ctypes.CDLL(name).cuDriverGetVersion(ctypes.byref(number))
        except (OSError, AttributeError):
            continue
        return number.value
    return 0


def driver_version() -> dict[str, str]:
    """Return {"driver": its version, such as "580.159.04"}; nothing where nvidia-smi does not say."""
    import shutil
    import subprocess

    if shutil.which("nvidia-smi") is None:
        return {}
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"driver": done.stdout.partition("\n")[0].strip()}


def _numbers(text: str) -> tuple[int, ...]:
    """Return the numbers that a version or a bound begins with, without final zeros."""
    found = re.search(r"\d+(\.\d+)*", text)
    numbers = [int(part) for part in found[0].split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)

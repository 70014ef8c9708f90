"""How many threads compiled steps take: the number to begin with, and threadpoolctl, which changes it.

The threads are those of the library (native/pool.hpp). A process begins with as many as FUSEPROP_NUM_THREADS
says, or else OMP_NUM_THREADS, or else with one for each core that it may use, whose hyperthreads count once,
but no more than its cgroups leave it time for.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

VARIABLE, SHARED_VARIABLE = "FUSEPROP_NUM_THREADS", "OMP_NUM_THREADS"

MOST_THREADS = 1024
"""That the library takes (native/pool.cpp)."""

NUMBER = re.compile(r"\s*([0-9]{1,9})\s*", re.ASCII)

PREFIX = "fuseprop_engine"
"""How the library's file is named: threadpoolctl finds it by this."""


class Default(NamedTuple):
    """The number of threads to begin with, and what it was taken from."""

    threads: int
    source: str


def default_threads(environment: Mapping[str, str] | None = None, root: Path = Path("/")) -> Default:
    """Return how many threads to begin with; raise ValueError for a FUSEPROP_NUM_THREADS that is no number.

    Parameters
    ----------
    environment : mapping of str to str
        The environment variables; those of the process by default.
    root : Path
        Where ``proc`` and ``sys`` are.
    """
    environment = os.environ if environment is None else environment
    asked = environment.get(VARIABLE, "").strip()
    if asked:
        found = NUMBER.fullmatch(asked)
        if found is None or not 1 <= int(found[1]) <= MOST_THREADS:
            raise ValueError(
                f"{VARIABLE} must be a whole number from 1 to {MOST_THREADS}, got {asked!r:.60}. "
                "Correct it, or unset it for as many threads as there are cores."
            )
        return Default(int(found[1]), VARIABLE)
    # "4,2" is for regions within regions, which there are none of.
    shared = NUMBER.fullmatch(environment.get(SHARED_VARIABLE, "").split(",")[0])
    if shared is not None and int(shared[1]) >= 1:
        return Default(min(int(shared[1]), MOST_THREADS), SHARED_VARIABLE)
    cores, quota = usable_cores(root), cgroup_quota(root)
    if quota is not None and (allowed := max(math.ceil(quota), 1)) < cores:
        return Default(min(allowed, MOST_THREADS), f"{quota:g} cores' time of the cgroup")
    return Default(min(cores, MOST_THREADS), "the cores that the process may use")


def usable_cores(root: Path = Path("/")) -> int:
    """Return how many cores the process may use; hyperthreads of one count once."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    processors = os.sched_getaffinity(0)
    topology = root / "sys/devices/system/cpu"
    siblings = {
        _read(topology / f"cpu{number}/topology/thread_siblings_list") or number for number in processors
    }
    return max(len(siblings), 1)


def cgroup_quota(root: Path = Path("/")) -> float | None:
    """Return how many cores' time the process's cgroups leave it; None if they set no limit."""
    quotas = [quota for folder in _cgroups(root) if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def _cgroups(root: Path) -> Iterator[Path]:
    """Yield the folders that may limit the process: those of its cgroups and of all that these are in."""
    mounts = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if number == "0" and not controllers:  # version 2
            places = [mounts]
        elif "cpu" in controllers.split(","):
            places = [mounts / controllers, mounts / "cpu"]
        else:
            continue
        # In a container the path may be the host's, and the mount the container's own group.
        steps = [step for step in path.split("/") if step not in ("", "..", ".")]
        for place in places:
            for depth in range(len(steps), -1, -1):
                yield place.joinpath(*steps[:depth])


def _quota(folder: Path) -> float | None:
    """Return the limit that a cgroup's folder sets, in cores; None if it sets none."""
    found = _read(folder / "cpu.max").split()  # version 2: "200000 100000" or "max 100000"
    if not found:  # version 1: "200000" or "-1", and "100000"
        found = [_read(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    numbers = [NUMBER.fullmatch(number) for number in found]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        return None
    time, period = int(numbers[0][1]), int(numbers[1][1])
    return time / period if time and period else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def begin(functions: Any) -> Default:
    """Set a library's number of threads and let threadpoolctl know it; raise ValueError as `default_threads`.

    Parameters
    ----------
    functions : ctypes.CDLL
        The library, just loaded.
    """
    default = default_threads()
    functions.fuseprop_set_num_threads(default.threads)
    register()
    return default


@cache
def register() -> None:
    """Let threadpoolctl find the library, and with it all who use that, such as joblib."""
    from threadpoolctl import LibController  # not needed by `import fuseprop`
    from threadpoolctl import register as add

    class FusepropController(LibController):  # type: ignore[misc]
        """Changes how many threads compiled steps take."""

        user_api = internal_api = "fuseprop"
        filename_prefixes = (PREFIX,)
        check_symbols = ("fuseprop_get_num_threads", "fuseprop_set_num_threads")

        def get_num_threads(self) -> int:
            return int(self.dynlib.fuseprop_get_num_threads())

        def set_num_threads(self, num_threads: int) -> None:
            self.dynlib.fuseprop_set_num_threads(num_threads)

        def get_version(self) -> None:
            return None

    add(FusepropController)

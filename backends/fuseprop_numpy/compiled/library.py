"""The library of compiled steps: which builds there are, which this processor runs, and why there is none.

It is chosen and loaded once, where a step is first to be compiled. `FUSEPROP_ISA` names one build, for tests.
"""

from __future__ import annotations

import ctypes
import json
import os
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shlex import quote
from typing import Any

from fuseprop.backend import BackendUnavailable

from .hashes import interface_hash, source_hash
from .threads import begin

FOLDER = Path(__file__).resolve().parents[1] / "native"
"""Where the libraries lie; in a clone, beside their sources."""

PREFIX = "fuseprop_engine_"
CHOOSER = "fuseprop_cpu_x86_64.so"

LEVELS = {4: ["x86_64_v4", "x86_64_v3"], 3: ["x86_64_v3"]}
"""What an x86-64 processor runs, the fastest first, by the level that `CHOOSER` finds."""

VARIABLE = "FUSEPROP_ISA"

REBUILD = f"python {quote(str(FOLDER / 'build.py'))}"
"""What to type in a clone after its sources have changed."""

P = ctypes.c_void_p
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "fuseprop_source_hash": (ctypes.c_char_p, []),
    "fuseprop_interface_hash": (ctypes.c_char_p, []),
    "fuseprop_kernels": (ctypes.c_char_p, []),
    "fuseprop_new_float": (P, [P]),
    "fuseprop_new_double": (P, [P]),
    "fuseprop_run": (ctypes.c_int64, [P, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64]),
    "fuseprop_resume": (ctypes.c_int64, [P, ctypes.c_int64]),
    "fuseprop_store": (None, [P]),
    "fuseprop_free": (None, [P]),
    "fuseprop_operations": (ctypes.c_double, [P]),
    "fuseprop_forward": (ctypes.c_int64, [P, ctypes.c_int64, P, P, P, P, P, P, ctypes.c_int64]),
    "fuseprop_bytes": (ctypes.c_int64, [P]),
    "fuseprop_get_num_threads": (ctypes.c_int, []),
    "fuseprop_set_num_threads": (None, [ctypes.c_int]),
}
"""What a library offers (interface.hpp): for each function what it returns and takes."""


class NotCompiled(Exception):
    """Steps are not compiled here; the text says why.

    Parameters
    ----------
    why : str
        The reason.
    can_be_helped : bool
        Whether a new installation, with a compiler that works, would do, and is wanted.
    """

    def __init__(self, why: str, can_be_helped: bool = True) -> None:
        super().__init__(why)
        self.can_be_helped = can_be_helped


@dataclass(frozen=True)
class Library:
    """A build of the engine that is loaded.

    Attributes
    ----------
    build : str
        Its name, such as "x86_64_v3".
    path : Path
        The file.
    functions : ctypes.CDLL
        With the functions in `FUNCTIONS`, declared.
    is_stale : bool
        Whether the sources beside it have changed since; those of `INTERFACE` have not.
    """

    build: str
    path: Path
    functions: Any
    is_stale: bool


def library() -> Library:
    """Return the library that this process runs; raise NotCompiled where there is none.

    A build that FUSEPROP_ISA names and that cannot be had is refused by BackendUnavailable, and so is a
    FUSEPROP_NUM_THREADS that is no number of threads.
    """
    found = _chosen()
    if isinstance(found, NotCompiled):
        raise found
    return found


@cache
def load(build: str) -> Library:
    """Load a build by its name; raise NotCompiled where that cannot be."""
    path = FOLDER / f"{PREFIX}{build}.so"
    try:
        functions = ctypes.CDLL(str(path))
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(functions, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise NotCompiled(f"{path.name} cannot be used: {error}") from None
    return Library(build, path, functions, _is_stale(functions))


def built() -> list[str]:
    """Return the names of the builds that are there."""
    return sorted(path.stem.removeprefix(PREFIX) for path in FOLDER.glob(f"{PREFIX}*.so"))


def runnable() -> list[str]:
    """Return the builds that are there and that this processor runs, the fastest first."""
    there = built()
    if not there:
        return []
    machine = os.uname().machine
    if machine == "x86_64":
        return [build for build in LEVELS.get(_level(), []) if build in there]
    return [build for build in there if build == {"arm64": "aarch64"}.get(machine, machine)]


@cache
def _chosen() -> Library | NotCompiled:
    asked = os.environ.get(VARIABLE, "")
    try:
        builds = runnable()
        if not asked and not builds:
            return _why_none()
        found = _named(asked) if asked else load(builds[0])
    except NotCompiled as why:
        warnings.warn(
            f"Training steps are not compiled, but run as calls of NumPy: {why}.",
            RuntimeWarning,
            stacklevel=3,
        )
        return why
    try:
        begin(found.functions)
    except ValueError as error:
        raise BackendUnavailable(str(error)) from None
    if found.is_stale:
        warnings.warn(
            f"The sources of compiled steps have changed since these were built. Type: {REBUILD}",
            RuntimeWarning,
            stacklevel=3,
        )
    return found


def _named(asked: str) -> Library:
    """Return the build that was asked for, and no other."""
    try:
        builds = runnable()
        if asked in builds:
            return load(asked)
        there = f"{', '.join(builds)} can be had" if builds else f"there is none: {_why_none()}"
    except NotCompiled as why:
        there = str(why)
    raise BackendUnavailable(f"{VARIABLE} names the build {asked!r} of compiled steps; here {there}.")


def _level() -> int:
    try:
        return int(ctypes.CDLL(str(FOLDER / CHOOSER)).fuseprop_level())
    except (OSError, AttributeError) as error:
        raise NotCompiled(f"{CHOOSER} cannot be used: {error}") from None


def _why_none() -> NotCompiled:
    """Return why no build can be loaded: the build hook left a record where it made none."""
    there = built()
    if there:
        needs = ", which need AVX2 and FMA" if os.uname().machine == "x86_64" else ""
        return NotCompiled(f"this processor runs none of {', '.join(there)}{needs}", can_be_helped=False)
    try:
        record = json.loads((FOLDER / "build.json").read_text(encoding="utf-8"))
        why = str(record["why"]) or "what was built is gone"
        return NotCompiled(why, bool(record["can_be_helped"]))
    except (OSError, ValueError, KeyError, TypeError):
        return NotCompiled("nothing was built")


def _is_stale(functions: Any) -> bool:
    """Return whether a library is of other sources than those beside it; refuse one of another interface."""
    if not (FOLDER / "interface.hpp").exists():  # installed from a wheel
        return False
    if functions.fuseprop_interface_hash().decode() != interface_hash(FOLDER):
        raise NotCompiled(f"the library is of other sources than these ({REBUILD} renews it)")
    return bool(functions.fuseprop_source_hash().decode() != source_hash(FOLDER))

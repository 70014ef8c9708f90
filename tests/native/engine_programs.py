"""Programs of the engine and its driver, built from the sources as they are, or with changes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "backends" / "fuseprop_numpy" / "native"
UNITS = ("engine.cpp", "elementwise.cpp", "pool.cpp")
DRIVER = HERE / "driver.cpp"

# What keeps bits equal everywhere, as the library is built with it.
STRICT = ("-std=c++17", "-ffp-contract=off", "-fno-math-errno", "-fno-exceptions", "-fno-rtti", "-pthread")
QUIET = ("-w",)  # vectors wider than the machine's

V3, V4 = "-march=x86-64-v3", "-march=x86-64-v4"
LEVELS = {V3: ("avx2", "fma"), V4: ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")}

Changes = Mapping[str, Sequence[tuple[str, str]]]

# Units of work so small, and chunks so short, that the driver's networks have many of each.
SMALL: Changes = {
    "engine.hpp": [
        ("OPERATIONS_OF_A_TILE = 1e6", "OPERATIONS_OF_A_TILE = 1e3"),
        ("OPERATIONS_OF_A_LOOK = 1e6", "OPERATIONS_OF_A_LOOK = 1"),
        ("OPERATIONS_OF_A_LONG_STEP = 1e10", "OPERATIONS_OF_A_LONG_STEP = 2e5"),
    ],
    "step.hpp": [
        ("OPERATIONS_A_THREAD = 1e7", "OPERATIONS_A_THREAD = 1"),
        ("OPERATIONS_OF_A_SHARE = 2.5e6", "OPERATIONS_OF_A_SHARE = 1"),
        ("PANELS_OF_A_RUN = 4", "PANELS_OF_A_RUN = 2"),
        ("CHUNK = 384 << 10", "CHUNK = 4 << 10"),
    ],
}
# Half of what is to be compiled: nothing asks for doubles then.
FLOAT_ONLY: Changes = {
    "engine.cpp": [("E<double>", "E<float>"), ("make<double>", "make<float>")],
}


def runs(march: str) -> bool:
    """Whether this machine runs what is built for a level of x86-64."""
    try:
        told = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return set(LEVELS[march]) <= set(told.split())


def need_compiler() -> None:
    """Skip the test where programs cannot be built and run; in CI it fails instead."""
    if shutil.which("g++") and runs(V3):
        return
    reason = "needs g++ and a processor of x86-64-v3: apt-get install g++"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def merged(*all_changes: Changes) -> Changes:
    """Return all changes, in their order."""
    made: dict[str, list[tuple[str, str]]] = {}
    for changes in all_changes:
        for file, pairs in changes.items():
            made.setdefault(file, []).extend(pairs)
    return made


def write_sources(folder: Path, changes: Changes) -> Path:
    """Copy the engine's sources, changed: each old text must stand there once."""
    folder.mkdir(parents=True)
    for path in sorted(NATIVE.glob("*.?pp")):
        text = path.read_text()
        for old, new in changes.get(path.name, ()):
            assert text.count(old) == 1, f"{path.name} has {text.count(old)} times {old!r}"
            text = text.replace(old, new)
        (folder / path.name).write_text(text)
    assert set(changes) <= {path.name for path in folder.iterdir()}
    return folder


@dataclass(frozen=True)
class Way:
    """A way to build: flags of the compiler, and of the link."""

    name: str
    flags: tuple[str, ...]
    compiler: str = "g++"
    link: tuple[str, ...] = ()


def compiled(source: Path, sources: Path, out: Path, way: Way) -> Path:
    """Compile one file against the sources in a folder; a fault of it is an AssertionError."""
    command = [way.compiler, *STRICT, *QUIET, *way.flags, f"-I{sources}", "-c", str(source), "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return out


def build(folder: Path, way: Way, changes: Changes | None = None, *, driver: Path | None = None) -> Path:
    """Build the driver with the engine; return the program. `driver` is its object, where there is one."""
    sources = write_sources(folder / "sources", changes or {})
    objects = [compiled(sources / unit, sources, folder / f"{unit}.o", way) for unit in UNITS]
    objects.append(driver or compiled(DRIVER, sources, folder / "driver.o", way))
    return linked(folder / "driver", objects, way)


def linked(program: Path, objects: Sequence[Path], way: Way) -> Path:
    """Link objects to a program."""
    command = [way.compiler, "-pthread", *way.flags, *way.link, *map(str, objects), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return program


def run(
    program: Path | Sequence[str], *arguments: str, timeout: float = 600, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a program with arguments, and return what it said."""
    command = [str(program)] if isinstance(program, Path) else list(program)
    return subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=timeout,
        env={**os.environ, **environment},
    )


def hashes(program: Path | Sequence[str], *arguments: str, timeout: float = 600) -> dict[str, str]:
    """Return the hash of each network; complaints of the driver are an AssertionError."""
    done = run(program, *arguments, timeout=timeout)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    found = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    assert found
    return found

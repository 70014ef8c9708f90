"""Compiles training steps for the CPU, with the C++ compiler that is installed.

hatchling calls this for every wheel. An editable install gets its libraries beside the sources; where these
change, ``python backends/fuseprop_numpy/native/build.py`` renews them. Without a compiler, or where it fails,
the wheel has none, and fits every machine; `build.json` says why, to `fuseprop doctor`.

Environment variables: CXX, CXXFLAGS and LDFLAGS; FUSEPROP_NATIVE=require fails where nothing can be compiled,
and FUSEPROP_NATIVE=off compiles nothing.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand
    if not TYPE_CHECKING:
        BuildHookInterface = object

HERE = Path(__file__).resolve().parent

COMPILE = (
    *("-std=c++17", "-O3", "-fPIC", "-pthread", "-fno-exceptions", "-fno-rtti", "-fno-lto"),
    *("-fvisibility=hidden", "-fvisibility-inlines-hidden"),
    # Equal bits on every processor rest on these.
    *("-fno-fast-math", "-fno-unsafe-math-optimizations", "-fno-rounding-math", "-ffp-contract=off"),
    "-fno-math-errno",
)
"""What the compiler is told after CXXFLAGS, so that none of these can be undone from outside."""

LINK = ("-shared", "-s", "-static-libgcc", "-Wl,-z,defs", "-Wl,--as-needed", "-Wl,--exclude-libs,ALL")

RUNTIMES = (("-nodefaultlibs", "-lm", "-lpthread", "-lc", "-lgcc"), ("-static-libstdc++",))
"""The C library alone, and where that does not suffice, that of C++ inside of ours: where it runs, neither is
C++'s needed, nor a version of it."""

BUILDS: dict[str, dict[str, tuple[str, ...]]] = {
    "x86_64": {
        "x86_64_v3": ("-march=x86-64-v3", "-mtune=generic"),
        "x86_64_v4": ("-march=x86-64-v4", "-mtune=generic", "-mprefer-vector-width=512"),
    },
    "aarch64": {"aarch64": ("-march=armv8-a", "-mtune=generic")},
}
"""For each machine, the builds of the engine and what their compiler is told."""

OLDEST = "GCC 11 and Clang 12 are the oldest that can"


class NotBuilt(Exception):
    """Nothing was compiled; the text says why.

    Parameters
    ----------
    why : str
        The reason.
    can_be_helped : bool
        Whether a compiler that works would do, and is wanted.
    """

    def __init__(self, why: str, can_be_helped: bool = True) -> None:
        super().__init__(why)
        self.can_be_helped = can_be_helped


class Record(NamedTuple):
    """What was built, or why nothing was; `build.json` beside the libraries holds it.

    Attributes
    ----------
    libraries : list of str
        Names of files.
    why : str
        Why there are none.
    can_be_helped : bool
        Whether a compiler that works would do, and is wanted.
    compiler : str
        The compiler and its version.
    stamp : str
        A hash of all that the libraries follow from: sources, commands, compiler, C library.
    """

    libraries: list[str]
    why: str = ""
    can_be_helped: bool = True
    compiler: str = ""
    stamp: str = ""

    def write(self, folder: Path) -> Path:
        """Write it into a folder; return the file."""
        path = folder / "build.json"
        path.write_text(json.dumps(self._asdict(), indent=1) + "\n")
        return path


class Library(NamedTuple):
    """One library: its file's name, its sources, and what the compiler is told of the processor."""

    name: str
    sources: list[str]
    flags: tuple[str, ...]


class Compiler(NamedTuple):
    """The C++ compiler, what the environment wants it to be told, and what it says of itself."""

    command: list[str]
    flags: list[str]
    link: list[str]
    version: str

    @classmethod
    def find(cls) -> Compiler:
        """Return the one that CXX names, or the first that is there."""
        try:
            asked, flags, link = (shlex.split(os.environ.get(n, "")) for n in ("CXX", "CXXFLAGS", "LDFLAGS"))
        except ValueError as error:
            raise NotBuilt(f"CXX, CXXFLAGS or LDFLAGS cannot be read: {error}") from None
        candidates = [asked] if asked else [["c++"], ["g++"], ["clang++"]]
        for command in candidates:
            if shutil.which(command[0]):
                return cls(command, flags, link, _run([*command, "--version"], HERE).partition("\n")[0])
        raise NotBuilt(f"no C++ compiler was found ({', '.join(one[0] for one in candidates)})")

    def object_of(self, source: str, flags: Iterable[str], target: Path) -> list[str]:
        """Return the command that compiles a file."""
        return [*self.command, *self.flags, *COMPILE, *flags, "-c", source, "-o", str(target)]

    def library_of(self, objects: list[Path], flags: Iterable[str], target: Path, runtime: int) -> list[str]:
        """Return the command that links a library with one of `RUNTIMES`."""
        # All flags again: after -ffast-math alone, loading a library changes how its process rounds.
        words = [*self.command, *self.flags, *COMPILE, *flags, *LINK, *map(str, objects)]
        return [*words, *self.link, *RUNTIMES[runtime], "-o", str(target)]


def target() -> tuple[str, str]:
    """Return the machine to build for, and the platform in the wheel's name."""
    name = sysconfig.get_platform()
    system, _, machine = name.partition("-")
    if system != "linux":
        raise NotBuilt(f"steps are compiled on Linux alone, and this is {name}", can_be_helped=False)
    if machine not in BUILDS or sys.maxsize < 1 << 32:
        bits = " with a Python of 32 bits" if machine in BUILDS else ""
        raise NotBuilt(f"steps are not compiled for {machine}{bits}", can_be_helped=False)
    return machine, re.sub(r"[-.]", "_", name)


def libraries(sources: Path, machine: str) -> list[Library]:
    """Return what is built for a machine: the engine for each kind of processor, and what asks for it."""
    engine = sorted(path.name for path in sources.glob("*.cpp") if path.name != "cpu.cpp")
    found = [Library(f"fuseprop_engine_{name}.so", engine, flags) for name, flags in BUILDS[machine].items()]
    if machine == "x86_64":
        found.append(Library("fuseprop_cpu_x86_64.so", ["cpu.cpp"], ("-march=x86-64", "-mtune=generic")))
    return found


def definitions(sources: Path) -> list[str]:
    """Return what tells a library of which sources it is."""
    path = HERE.parent / "compiled" / "hashes.py"
    spec = spec_from_file_location("hashes", path)
    if spec is None or spec.loader is None:
        raise NotBuilt(f"{path} cannot be read")
    hashes = module_from_spec(spec)
    spec.loader.exec_module(hashes)
    return [
        f'-DFUSEPROP_SOURCE_HASH="{hashes.source_hash(sources)}"',
        f'-DFUSEPROP_INTERFACE_HASH="{hashes.interface_hash(sources)}"',
    ]


def build(folder: Path, sources: Path = HERE) -> tuple[list[Path], str]:
    """Compile the libraries into a folder, unless those beside the sources are what would come out.

    Returns the files, the record among them, and the platform in the wheel's name.
    """
    machine, platform_name = target()
    compiler, wanted, defined = Compiler.find(), libraries(sources, machine), definitions(sources)
    names = [library.name for library in wanted]
    everything = (wanted, defined, compiler, COMPILE, LINK, RUNTIMES, platform_name, platform.libc_ver())
    stamp = sha256(repr(everything).encode()).hexdigest()
    record = Record(names, compiler=compiler.version, stamp=stamp)
    if _recorded(sources) == record and all((sources / name).exists() for name in names):
        return [sources / name for name in (*names, "build.json")], platform_name
    with tempfile.TemporaryDirectory() as scratch:
        _compile(compiler, wanted, defined, sources, Path(scratch))
        for name in names:
            new = folder / f"{name}.new"
            shutil.copyfile(Path(scratch, name), new)
            new.replace(folder / name)  # whoever has the old one loaded keeps it
    record.write(folder)
    return [folder / name for name in (*names, "build.json")], platform_name


def _compile(
    compiler: Compiler, wanted: list[Library], defined: list[str], sources: Path, scratch: Path
) -> None:
    """Compile all libraries into a folder, in as many processes as there are cores."""
    objects = {
        library.name: [scratch / f"{library.name}.{s}.o" for s in library.sources] for library in wanted
    }
    commands = [
        compiler.object_of(source, (*library.flags, *defined), target)
        for library in wanted
        for source, target in zip(library.sources, objects[library.name], strict=True)
    ]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        try:
            for _ in pool.map(lambda command: _run(command, sources), commands):
                pass
        finally:
            pool.shutdown(cancel_futures=True)
    for library in wanted:
        made, at = objects[library.name], scratch / library.name
        try:
            _run(compiler.library_of(made, library.flags, at, 0), sources)
        except NotBuilt:
            _run(compiler.library_of(made, library.flags, at, 1), sources)


def _run(command: list[str], folder: Path) -> str:
    """Run a command of the compiler; return what it prints."""
    english = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(command, cwd=folder, env=english, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout
    lines = [line for line in done.stderr.splitlines() if not line.startswith("collect2: ")]
    telling = [*(line for line in lines if "error" in line), *lines, f"exit status {done.returncode}"]
    too_old = f" ({OLDEST})" if re.search("-march=|-std=", telling[0]) else ""
    raise NotBuilt(f"{command[0]} failed: {telling[0].strip()}{too_old}")


def _recorded(folder: Path) -> Record | None:
    """Return the record in a folder, None where there is none that can be read."""
    try:
        return Record(**json.loads((folder / "build.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def build_or_say_why(folder: Path, wish: str, sources: Path = HERE) -> tuple[list[Path], str]:
    """Do as `build`; where nothing is compiled, leave the record alone, and return "" for the platform.

    wish : "" | "off" | "require"
        What FUSEPROP_NATIVE says.
    """
    try:
        if wish == "off":
            raise NotBuilt("FUSEPROP_NATIVE was off", can_be_helped=False)
        if wish not in ("", "require"):
            sys.exit(f'fuseprop: FUSEPROP_NATIVE is "require", "off" or empty, not {wish!r}.')
        return build(folder, sources)
    except (NotBuilt, OSError) as error:
        if wish == "require":
            sys.exit(f"fuseprop: FUSEPROP_NATIVE=require, but training steps cannot be compiled: {error}.")
        for old in folder.glob("fuseprop_*.so"):
            old.unlink()
        can_be_helped = not isinstance(error, NotBuilt) or error.can_be_helped
        return [Record([], why=str(error), can_be_helped=can_be_helped).write(folder)], ""


class NativeBuild(BuildHookInterface):  # type: ignore[type-arg, unused-ignore]
    """Puts the libraries into a wheel, or beside the sources of an editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build; name the platform in the wheel's name where something came of it."""
        editable = version == "editable"
        self.scratch = tempfile.TemporaryDirectory()  # until the wheel is written
        wish = os.environ.get("FUSEPROP_NATIVE", "")
        files, platform_name = build_or_say_why(HERE if editable else Path(self.scratch.name), wish)
        if not platform_name:
            why = json.loads(files[-1].read_text())["why"]
            self.app.display_warning(f"fuseprop: training steps are not compiled: {why}.")
        if editable:
            return
        if platform_name:
            build_data.update(pure_python=False, tag=f"py3-none-{platform_name}")
        build_data["force_include"].update({str(p): f"fuseprop_numpy/native/{p.name}" for p in files})

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what is in the wheel now."""
        self.scratch.cleanup()


if __name__ == "__main__":
    try:
        print(*build(HERE)[0], sep="\n")  # noqa: T201
    except NotBuilt as error:
        sys.exit(f"Training steps cannot be compiled: {error}.")

"""Building compiled steps, choosing a build and loading it; and what is said where there is none."""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from fuseprop_numpy import diagnosis
from fuseprop_numpy.compiled import library as loading

from fuseprop.backend import BackendUnavailable

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "backends" / "fuseprop_numpy" / "native"
MOST = 3 << 20
"""Bytes that the libraries may take once they are installed."""

STUB = """
#include "interface.hpp"
static int threads = 2;
FUSEPROP_API void* fuseprop_new_float(const fuseprop::StepSpec*) { return nullptr; }
FUSEPROP_API void* fuseprop_new_double(const fuseprop::StepSpec*) { return nullptr; }
FUSEPROP_API int64_t fuseprop_run(void*, int64_t, int64_t, int64_t) { return 0; }
FUSEPROP_API int64_t fuseprop_resume(void*, int64_t) { return 0; }
FUSEPROP_API int64_t fuseprop_forward(
    void*, int64_t, const void*, const void*, const int64_t*, void*, void*, void*, int64_t) { return 0; }
FUSEPROP_API void fuseprop_store(void*) {}
FUSEPROP_API void fuseprop_free(void*) {}
FUSEPROP_API double fuseprop_operations(const void*) { return 0; }
FUSEPROP_API const char* fuseprop_kernels() { return ""; }
FUSEPROP_API int64_t fuseprop_bytes(const void*) { return 0; }
FUSEPROP_API int fuseprop_get_num_threads() { return threads; }
FUSEPROP_API void fuseprop_set_num_threads(int now) { threads = now; }
"""

ARITHMETIC = """
// What each of the switches that change floating point would compile to something else.
#include "interface.hpp"
FUSEPROP_API float stub_sum(const float* a, long n) {
  float sum = 0;
  for (long i = 0; i < n; i++) sum += a[i];
  return sum;
}
FUSEPROP_API void stub_joined(const float* a, const float* b, float* c, long n) {
  for (long i = 0; i < n; i++) c[i] = a[i] * b[i] + c[i] / 3.0f;
}
FUSEPROP_API int stub_nan(double a) { return a != a; }
FUSEPROP_API double stub_zero(double a) { return a + 0.0 - a * 0; }
"""


def require_compiler():
    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        reason = "no C++ compiler. Type: apt-get install g++"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@contextmanager
def warned_and_refused(match):
    """What is there and cannot be used is told to who trains, not to doctor alone."""
    with (
        pytest.warns(RuntimeWarning, match="not compiled, but run as calls"),
        pytest.raises(loading.NotCompiled, match=match),
    ):
        yield


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    """No wish of who runs the tests, and nothing chosen before or after."""
    for name in ("CXX", "CXXFLAGS", "LDFLAGS", "FUSEPROP_NATIVE", "FUSEPROP_ISA"):
        monkeypatch.delenv(name, raising=False)

    def forget():
        loading.load.cache_clear()
        loading._chosen.cache_clear()

    forget()
    yield
    monkeypatch.undo()
    forget()


@pytest.fixture
def hook():
    spec = spec_from_file_location("build_hook", NATIVE / "build.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def stub(tmp_path):
    """A folder of sources that compile in no time."""
    require_compiler()
    folder = tmp_path / "native"
    folder.mkdir()
    for name in ("cpu.cpp", "hashes.cpp", "interface.hpp"):
        shutil.copy(NATIVE / name, folder)
    (folder / "engine.cpp").write_text(STUB)
    return folder


@pytest.fixture
def built(hook, stub, monkeypatch):
    """The folder with libraries beside its sources, as an editable install has them, and as it is loaded."""
    hook.build(stub, stub)
    monkeypatch.setattr(loading, "FOLDER", stub)
    return stub


def compiled_finding():
    (found,) = (one for one in diagnosis.diagnose() if one.what == "compiled steps")
    return found


def level():
    """What this processor runs, as the build for every processor finds."""
    return loading._level() if os.uname().machine == "x86_64" else 0


def tools(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def needed(path):
    """The libraries that a library asks for."""
    return {
        line.split("[")[1].rstrip("]")
        for line in tools("readelf", "-dW", path).splitlines()
        if "NEEDED" in line
    }


def exported(path):
    return {line.split()[-1] for line in tools("nm", "-D", "--defined-only", path).splitlines()}


# The wheel.


def copied(folder, *ignored):
    """A copy of what wheels are built from."""
    for name in ("src", "backends"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", *ignored))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


def wheel(source, target, **environment):
    """Build a wheel as pip does; return it with all that pip said."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-v", "--no-deps"]
    pip += ["--no-build-isolation", "--wheel-dir", target, source]
    done = subprocess.run(
        pip, env={**os.environ, **environment}, capture_output=True, text=True, cwd=target.parent, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = target.glob("*.whl")
    return path, done.stdout + done.stderr


def unpacked(path, folder):
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
        return folder, set(archive.namelist())


def told_by(folder, script):
    """What a process prints that has fuseprop from a folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, cwd=folder.parent
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


DOCTOR = """
import fuseprop, json, sys
from fuseprop_numpy.diagnosis import diagnose
print(json.dumps([fuseprop.__file__, *(vars(one) for one in diagnose() if one.what == "compiled steps")]))
"""


def test_a_wheel_holds_the_libraries_and_no_sources(hook, tmp_path):
    require_compiler()
    (tmp_path / "wheels").mkdir()
    path, _ = wheel(copied(tmp_path / "copy"), tmp_path / "wheels", FUSEPROP_NATIVE="require")
    machine, platform = hook.target()
    assert path.name.endswith(f"-py3-none-{platform}.whl")
    folder, names = unpacked(path, tmp_path / "installed")
    made = {f"fuseprop_numpy/native/{one.name}" for one in hook.libraries(NATIVE, machine)}
    assert {name for name in names if "/native/" in name} == {*made, "fuseprop_numpy/native/build.json"}
    (record,) = (name for name in names if name.endswith(".dist-info/RECORD"))
    assert all(f"{name},sha256=" in (folder / record).read_text() for name in made)
    assert "Root-Is-Purelib: false" in (folder / record).with_name("WHEEL").read_text()
    assert sum((folder / name).stat().st_size for name in made) < MOST
    for name in made:
        assert needed(folder / name) <= {
            "libc.so.6",
            "libm.so.6",
            "libpthread.so.0",
            f"ld-linux-{machine}.so.1",
        }
        assert all(symbol.startswith("fuseprop_") for symbol in exported(folder / name))
    where, found = json.loads(told_by(folder, DOCTOR))
    assert Path(where).is_relative_to(folder)
    assert found["ok"], found


def test_without_a_compiler_the_wheel_is_pure_and_doctor_says_why(tmp_path):
    for name in ("wheels", "none"):
        (tmp_path / name).mkdir()
    source = copied(tmp_path / "copy", "*.so", "build.json")
    path, said = wheel(source, tmp_path / "wheels", PATH=str(tmp_path / "none"))
    assert path.name.endswith("-py3-none-any.whl")
    (line,) = (line.strip() for line in said.splitlines() if "training steps" in line)
    assert line == "fuseprop: training steps are not compiled: no C++ compiler was found (c++, g++, clang++)."
    folder, names = unpacked(path, tmp_path / "installed")
    assert {name for name in names if "/native/" in name} == {"fuseprop_numpy/native/build.json"}
    where, found = json.loads(told_by(folder, DOCTOR))
    assert Path(where).is_relative_to(folder)
    assert found["found"].startswith("none: no C++ compiler was found (c++, g++, clang++);")
    assert not found["ok"]
    assert found["fix"].startswith("in a clone of fuseprop, "), "where it came from is not there"
    assert found["fix"].endswith("pip install --no-cache-dir --no-deps --force-reinstall .")
    trained = "from fuseprop import train; train('iris', epochs=2, device='cpu'); print('trained')"
    assert told_by(folder, trained) == "trained\n"


def test_a_wheel_compiles_everything_once(stub, tmp_path):
    """pip asks for metadata and for the wheel; each file is compiled once for each library all the same."""
    (tmp_path / "wheels").mkdir()
    source = copied(tmp_path / "copy", "*.so", "build.json", "*.cpp", "*.hpp")
    for path in stub.iterdir():
        shutil.copy(path, source / "backends" / "fuseprop_numpy" / "native")
    log, compiler = tmp_path / "log", tmp_path / "compiler"
    compiler.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec c++ "$@"\n')
    compiler.chmod(0o755)
    wheel(source, tmp_path / "wheels", CXX=str(compiler))
    commands = [line for line in log.read_text().splitlines() if " -c " in line]
    assert len(commands) == len(set(commands)) > 0
    assert not any(path.suffix == ".so" for path in source.rglob("*"))


def test_the_sources_are_in_the_sdist_and_no_library_is(built, tmp_path):
    source = copied(tmp_path / "copy")
    shutil.copy(next(built.glob("*.so")), source / "backends" / "fuseprop_numpy" / "native")
    out = tmp_path / "out"
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", out], cwd=source, check=True
    )
    (archive,) = out.iterdir()
    names = tools("tar", "-tf", archive).splitlines()
    inside = {Path(name).name for name in names if "/fuseprop_numpy/native/" in name}
    assert inside == {path.name for path in NATIVE.iterdir() if path.suffix in (".py", ".cpp", ".hpp")}
    assert any(name.endswith("fuseprop_numpy/compiled/hashes.py") for name in names)


# The hook.


def test_no_flag_asks_for_this_machine_or_for_other_sums(hook):
    told = [
        *hook.COMPILE,
        *hook.LINK,
        *(flag for m in hook.BUILDS.values() for f in m.values() for flag in f),
    ]
    assert not {"-march=native", "-mtune=native", "-ffast-math", "-Ofast"} & set(told)
    assert {"-ffp-contract=off", "-fno-fast-math"} <= set(hook.COMPILE)


@pytest.mark.parametrize(
    "flags",
    [
        "-ffast-math -march=native",
        "-Ofast -mtune=native -flto",
        "-funsafe-math-optimizations -ffinite-math-only -fno-signed-zeros -fno-trapping-math -fno-math-errno",
        "-fassociative-math -freciprocal-math -frounding-math -ffp-contract=fast -O0",
    ],
)
def test_flags_from_outside_change_no_byte(hook, stub, tmp_path, monkeypatch, flags):
    (stub / "arithmetic.cpp").write_text(ARITHMETIC)
    made = {}
    for name, value in {"ours": "", "theirs": flags}.items():
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setenv("CXXFLAGS", value)
        files, _ = hook.build(folder, stub)
        made[name] = {path.name: path.read_bytes() for path in files if path.suffix == ".so"}
    assert made["ours"] == made["theirs"] != {}


def test_flags_from_outside_are_honoured(hook, stub, monkeypatch):
    (stub / "engine.cpp").write_text(STUB.replace("threads = 2", "threads = WANTED"))
    monkeypatch.setenv("CXXFLAGS", "-DWANTED=7")
    hook.build(stub, stub)
    monkeypatch.setattr(loading, "FOLDER", stub)
    assert loading.load(loading.runnable()[0]).functions.fuseprop_get_num_threads() == 7


def test_only_what_changed_is_built_again(hook, built, monkeypatch, tmp_path):
    def files():
        return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in built.glob("*.so")}

    first = files()
    assert set(hook.build(built, built)[0]) == {*first, built / "build.json"}
    assert files() == first
    monkeypatch.setenv("CXXFLAGS", "-DSOMETHING=1")
    hook.build(built, built)
    second = files()
    assert not set(first.values()) & set(second.values())
    (built / "engine.cpp").write_text(STUB.replace("threads = 2", "threads = 3"))
    hook.build(built, built)
    third = files()
    assert not set(second.values()) & set(third.values())
    next(built.glob("*.so")).unlink()
    hook.build(built, built)
    assert len(files()) == len(third)
    assert set(hook.build(tmp_path, built)[0]) == {*files(), built / "build.json"}, (
        "a wheel takes what is there"
    )


def test_no_library_needs_that_of_cpp(hook, stub, tmp_path):
    """Even where the engine takes memory by new and has values that are made once."""
    more = "\nFUSEPROP_API double* stub_make(long n) { static double* made = new double[n]; return made; }\n"
    (stub / "engine.cpp").write_text(STUB + more)
    for path in hook.build(stub, stub)[0]:
        if path.suffix == ".so":
            assert not any("stdc++" in name or "gcc" in name for name in needed(path))
            assert exported(path) <= {*loading.FUNCTIONS, "stub_make", "fuseprop_level"}


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"CXX": "/nonexistent"}, "no C++ compiler was found (/nonexistent)"),
        ({"CXX": "'"}, "CXX, CXXFLAGS or LDFLAGS cannot be read: No closing quotation"),
        ({"CXX": "false"}, "false failed: exit status 1"),
        ({"CXXFLAGS": "-no-such-flag"}, "-no-such-flag"),
        ({"CXXFLAGS": "-include nowhere.hpp"}, "nowhere.hpp"),
        ({"LDFLAGS": "-lnowhere"}, "cannot find -lnowhere"),
    ],
    ids=str,
)
def test_what_fails_is_kept_in_one_line(hook, stub, built, monkeypatch, environment, why):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    files, platform = hook.build_or_say_why(stub, "", stub)
    record = json.loads((stub / "build.json").read_text())
    assert (files, platform) == ([stub / "build.json"], "")
    assert why in record["why"]
    assert len(record["why"].splitlines()) == 1
    assert not list(stub.glob("*.so")), "what was built before is of other flags"
    found = compiled_finding()
    assert why in found.found
    assert (found.ok, found.fix) == (False, diagnosis._how_to_compile())


def test_a_compiler_that_is_too_old_is_told_so(hook, stub, monkeypatch, tmp_path):
    compiler = tmp_path / "old"
    flag = "error: bad value ('x86-64-v3') for '-march=' switch"
    compiler.write_text(
        f'#!/bin/sh\ncase "$*" in *--version*) echo old;; *) echo "{flag}" >&2; exit 1;; esac\n'
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    hook.build_or_say_why(stub, "", stub)
    why = json.loads((stub / "build.json").read_text())["why"]
    assert why == f"{compiler} failed: {flag} (GCC 11 and Clang 12 are the oldest that can)"


def test_a_mistake_in_the_sources_is_kept_too(hook, stub):
    (stub / "engine.cpp").write_text("#error of mine")
    hook.build_or_say_why(stub, "", stub)
    assert "of mine" in json.loads((stub / "build.json").read_text())["why"]
    with pytest.raises(SystemExit, match=r"FUSEPROP_NATIVE=require, but .*of mine"):
        hook.build_or_say_why(stub, "require", stub)


def test_off_is_no_fault(hook, built):
    assert hook.build_or_say_why(built, "off", built)[1] == ""
    found = compiled_finding()
    assert found.found.startswith("none: FUSEPROP_NATIVE was off;")
    assert found.ok


def test_what_the_variable_may_say(hook, stub):
    with pytest.raises(SystemExit, match=r"FUSEPROP_NATIVE is .*, not 'no'"):
        hook.build_or_say_why(stub, "no", stub)


@pytest.mark.parametrize(
    ("platform", "why"),
    [
        ("macosx-14.0-arm64", "steps are compiled on Linux alone, and this is macosx-14.0-arm64"),
        ("win-amd64", "steps are compiled on Linux alone, and this is win-amd64"),
        ("linux-ppc64le", "steps are not compiled for ppc64le"),
    ],
)
def test_other_systems_take_the_pure_wheel(hook, tmp_path, monkeypatch, platform, why):
    monkeypatch.setattr("sysconfig.get_platform", lambda: platform)
    assert hook.build_or_say_why(tmp_path, "", NATIVE)[1] == ""
    monkeypatch.setattr(loading, "FOLDER", tmp_path)
    found = compiled_finding()
    assert found.found.startswith(f"none: {why};")
    assert found.ok, "nothing can be done about it"


def test_the_machines(hook, monkeypatch):
    monkeypatch.setattr("sysconfig.get_platform", lambda: "linux-aarch64")
    assert hook.target() == ("aarch64", "linux_aarch64")
    assert [one.name for one in hook.libraries(NATIVE, "aarch64")] == ["fuseprop_engine_aarch64.so"]
    on_x86 = {f"fuseprop_engine_{build}.so" for build in loading.LEVELS[4]}
    assert {one.name for one in hook.libraries(NATIVE, "x86_64")} == {*on_x86, loading.CHOOSER}


# Choosing and loading.


def test_the_fastest_that_runs_is_loaded(built):
    loaded = loading.library()
    assert loaded.build == loading.runnable()[0]
    assert loading.library() is loaded
    assert (loaded.is_stale, loaded.functions.fuseprop_get_num_threads()) == (False, 2)
    found = compiled_finding()
    assert found.ok
    assert found.found == (
        f"{loaded.build}, 2 threads; steps leave equal bits with any number of threads, on any processor; "
        "by calls: formulas of more than 128 numbers or 32 to remember at a time"
    )


def test_the_level_is_that_of_the_system(built):
    if os.uname().machine != "x86_64":
        pytest.skip("for x86-64")
    words = set(Path("/proc/cpuinfo").read_text().split("flags")[1].splitlines()[0].split())
    three = {"avx2", "fma", "bmi1", "bmi2"}
    four = {*three, "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
    assert level() == (4 if four <= words else 3 if three <= words else 0)


@pytest.mark.parametrize(("found", "builds"), [(4, ["x86_64_v4", "x86_64_v3"]), (3, ["x86_64_v3"]), (0, [])])
def test_what_a_processor_runs(built, monkeypatch, found, builds):
    if os.uname().machine != "x86_64":
        pytest.skip("for x86-64")
    monkeypatch.setattr(loading, "_level", lambda: found)
    assert loading.runnable() == builds
    if not builds:
        with pytest.raises(loading.NotCompiled, match=r"runs none of .*, which need AVX2 and FMA"):
            loading.library()


@pytest.mark.parametrize("asked", ["x86_64_v4", "x86_64_v3", "aarch64", "mine"])
def test_a_build_that_is_asked_for_is_loaded_or_refused(built, monkeypatch, asked):
    monkeypatch.setenv("FUSEPROP_ISA", asked)
    runnable = loading.runnable()
    if asked in runnable:
        assert loading.library().build == asked
        return
    with pytest.raises(BackendUnavailable, match=f"'{asked}'.*; here {', '.join(runnable)} can be had"):
        loading.library()
    found = compiled_finding()
    assert (found.ok, found.fix) == (False, "unset FUSEPROP_ISA")


def test_a_build_that_is_asked_for_is_refused_where_there_is_none(hook, stub, monkeypatch):
    hook.build_or_say_why(stub, "off", stub)
    monkeypatch.setattr(loading, "FOLDER", stub)
    monkeypatch.setenv("FUSEPROP_ISA", "x86_64_v3")
    with pytest.raises(BackendUnavailable, match="here there is none: FUSEPROP_NATIVE was off"):
        loading.library()


def test_two_builds_are_loaded_at_once(hook, stub, monkeypatch):
    """Neither uses what is the other's."""
    machine, _ = hook.target()
    first = next(iter(hook.BUILDS[machine]))
    monkeypatch.setitem(hook.BUILDS[machine], "second", hook.BUILDS[machine][first])
    hook.build(stub, stub)
    monkeypatch.setattr(loading, "FOLDER", stub)
    one, two = loading.load(first).functions, loading.load("second").functions
    one.fuseprop_set_num_threads(5)
    assert (one.fuseprop_get_num_threads(), two.fuseprop_get_num_threads()) == (5, 2)


def test_changed_sources_are_told(built):
    (built / "engine.cpp").write_text(STUB + "// more\n")
    with pytest.warns(RuntimeWarning, match=r"have changed since these were built. Type: python .*build\.py"):
        assert loading.library().is_stale
    found = compiled_finding()
    assert found.found.endswith("older than the sources beside them")
    assert (found.ok, found.fix) == (False, loading.REBUILD)


@pytest.mark.parametrize("name", ["interface.hpp", "formulas.hpp"])
def test_a_library_of_another_interface_is_not_called(built, name):
    with (built / name).open("a") as file:
        file.write("// more\n")
    with warned_and_refused(r"is of other sources than these \(python .*build\.py renews"):
        loading.library()
    assert not compiled_finding().ok


@pytest.mark.parametrize("content", [b"", b"\x7fELF" + bytes(200)], ids=["empty", "damaged"])
def test_what_is_no_library_is_told(built, content):
    for path in built.glob("fuseprop_engine_*.so"):
        path.unlink()
        path.write_bytes(content)
    with warned_and_refused(r"fuseprop_engine_\w+\.so cannot be used: "):
        loading.library()


def test_without_the_library_that_asks_the_processor_there_is_none(built):
    (built / loading.CHOOSER).unlink(missing_ok=True)
    if os.uname().machine == "x86_64":
        with warned_and_refused(rf"{loading.CHOOSER} cannot be used: "):
            loading.library()


def test_a_library_that_lacks_a_function_is_told(hook, stub, monkeypatch):
    (stub / "engine.cpp").write_text(STUB.replace("fuseprop_store", "fuseprop_other"))
    hook.build(stub, stub)
    monkeypatch.setattr(loading, "FOLDER", stub)
    with warned_and_refused("fuseprop_store"):
        loading.library()


@pytest.mark.parametrize("text", [None, "", "[]", '{"why": "lost"}'])
def test_a_record_that_cannot_be_read_is_no_error(tmp_path, monkeypatch, text):
    if text is not None:
        (tmp_path / "build.json").write_text(text)
    monkeypatch.setattr(loading, "FOLDER", tmp_path)
    with pytest.raises(loading.NotCompiled, match="nothing was built"):
        loading.library()


def test_every_declared_function_stands_in_the_interface(stub):
    text = (NATIVE / "interface.hpp").read_text() + (NATIVE / "hashes.cpp").read_text()
    declared = {
        line.split("(")[0].split()[-1].lstrip("*")
        for line in text.splitlines()
        if line.startswith("FUSEPROP_API")
    }
    assert declared == set(loading.FUNCTIONS)
    types = {
        "void*": ctypes.c_void_p,
        "void": None,
        "int": ctypes.c_int,
        "int64_t": ctypes.c_int64,
        "double": ctypes.c_double,
        "const char*": ctypes.c_char_p,
    }
    for line in text.splitlines():
        if line.startswith("FUSEPROP_API"):
            head, _, arguments = line.removeprefix("FUSEPROP_API ").partition("(")
            result, name = head.rsplit(" ", 1)
            found, taken = loading.FUNCTIONS[name]
            assert found is types[result], name
            listed = [one for one in arguments.partition(")")[0].split(", ") if one]
            wanted = [ctypes.c_void_p if "*" in one else types[one.split()[0]] for one in listed]
            assert taken == wanted, name


@pytest.mark.parametrize(
    ("again", "advice"),
    [
        ("pip install --force-reinstall -e .", "pip install {} --force-reinstall -e ."),
        ("pip install --force-reinstall ./f", "pip install {} --force-reinstall ./f"),
        (
            'pip install --force-reinstall "a b.whl"',
            "in a clone of fuseprop, pip install {} --force-reinstall .",
        ),
        (
            'x/python -m pip install --force-reinstall "numpy>=2"',
            "in a clone of fuseprop, x/python -m pip install {} --force-reinstall .",
        ),
    ],
)
def test_sources_are_asked_for_that_can_be_compiled(monkeypatch, again, advice):
    monkeypatch.setattr(diagnosis, "how_to_install", lambda *, again: {True: text}[again])
    text = again
    assert diagnosis._how_to_compile().endswith(advice.format("--no-cache-dir --no-deps"))


def test_the_compilers_that_are_advised(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert diagnosis._how_to_compile().startswith("install a C++ compiler; ")
    for name in ("apk", "g++"):
        (tmp_path / name).touch(mode=0o755)
        advice = diagnosis._how_to_compile()
        assert advice.startswith("apk add g++; ") == (name == "apk")
        assert "pip install --no-cache-dir --no-deps --force-reinstall -e" in advice

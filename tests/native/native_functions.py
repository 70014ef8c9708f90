"""functions.cpp as a library, and how far its functions are from the C library's."""

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "backends" / "fuseprop_numpy" / "native"

FLAGS = ("-std=c++17", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden", "-shared", "-fPIC")
WARNINGS = (
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-psabi",
)  # of how vectors that no function passes would be passed

BOUNDS = {
    "exp": 2,
    "expm1": 2,
    "log": 2,
    "log1p": 2,
    "tanh": 2,
    "sin": 1,
    "cos": 1,
    "sigmoid": 4,
    "sqrt": 0.5,
}
"""Units of the last place by which a function may be off where its result is no denormal."""

FUNCTIONS = (*BOUNDS, "abs", "sign")
OF_TWO = ("maximum", "minimum")
TYPES = {"float32": "float", "float64": "double"}
C_TYPES = {"float": ctypes.c_float, "double": ctypes.c_double}


def compiler():
    """Return the C++ compiler; skip the test without one, but in CI fail."""
    found = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    if not found:
        reason = "no C++ compiler for the functions. Type: apt-get install g++, or set CXX"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found


def for_this_machine():
    """Return the flags for what it has; without the instruction FMA is a call, which gives the same bits."""
    try:
        has = " avx2 " in Path("/proc/cpuinfo").read_text() and " fma " in Path("/proc/cpuinfo").read_text()
    except OSError:
        has = False
    return ("-march=x86-64-v3",) if has else ()


class Native:
    """functions.cpp, compiled.

    Parameters
    ----------
    folder : Path
        Where the library is written.
    flags : tuple of str
    """

    def __init__(self, folder, *flags):
        target = Path(folder) / f"functions{'_'.join(flags)}.so"
        command = [compiler(), *FLAGS, *WARNINGS, *for_this_machine(), *flags, f"-I{NATIVE}"]
        command += [str(HERE / "functions.cpp"), "-o", str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
        self._library = ctypes.CDLL(str(target))

    def __call__(self, name, *arrays, flushes=False):
        """Return a function of arrays of one length and dtype."""
        arrays = [_padded(each) for each in arrays]
        out = np.empty_like(arrays[0])
        function = getattr(self._library, f"{name}_{TYPES[out.dtype.name]}")
        more = [ctypes.c_int(flushes)] if len(arrays) == 1 else []
        function(*(_pointer(each) for each in (*arrays, out)), ctypes.c_int64(out.size), *more)
        return out

    def errors(self, name, x, errors=None):
        """Return the largest errors at these numbers, and what is wrong; add to those before."""
        kind = TYPES[x.dtype.name]
        errors = _errors_of(kind)() if errors is None else errors
        x = _padded(x)
        getattr(self._library, f"{name}_{kind}_errors")(
            _pointer(x), ctypes.c_int64(x.size), ctypes.byref(errors)
        )
        return errors


def as_dict(errors):
    """What was found, as a record has it."""
    return {
        "units": round(errors.normal, 4),
        "at": repr(errors.normal_at),
        "units of denormals": round(errors.denormal, 4),
        "of the wrong kind": errors.wrong,
        "the first": repr(errors.wrong_at) if errors.wrong else None,
    }


def _errors_of(kind):
    return {"float": FloatErrors, "double": DoubleErrors}[kind]


def _fields(kind):
    names = ("normal_at", "denormal_at", "wrong_at")
    first = [("normal", ctypes.c_double), ("denormal", ctypes.c_double), ("wrong", ctypes.c_int64)]
    return [*first, *((name, C_TYPES[kind]) for name in names)]


class FloatErrors(ctypes.Structure):
    _fields_ = _fields("float")


class DoubleErrors(ctypes.Structure):
    _fields_ = _fields("double")


def _padded(x):
    return np.ascontiguousarray(np.concatenate([x, np.ones(-len(x) % 16, x.dtype)]) if len(x) % 16 else x)


def _pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)

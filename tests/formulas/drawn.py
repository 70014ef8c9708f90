"""Expressions drawn at random, the numbers at which they are computed, and their C++ on the host.

`draw(seed)` makes the same expression again, whatever was drawn before.
"""

import ctypes
import os
import random
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fuseprop.backend.cpp import statements
from fuseprop.backend.expression import COMPARISONS, OPERATIONS, apply, number, tiny, variable, variables

NUMBERS = (-3.0, -1.0, -0.5, -0.0, 0.0, 0.044715, 0.125, 1.0, 1.5, 2.0, 7.25, 1e-3, 12345.6, 1e20, -1e-30)
"""Each is written in 6 digits."""

FUNCTIONS = ("exp", "expm1", "log", "log1p", "tanh", "sin", "cos")
"""The operations whose last digits are those of a library: NumPy has its own."""

FLAGS = ("-std=c++20", "-O1", "-ffp-contract=off", "-fno-builtin", "-shared", "-fPIC")
"""Without built-ins the compiler leaves exp(T(1)) to the library that the rest is computed with."""

SCALARS = Path(__file__).parents[2] / "backends" / "fuseprop_cupy" / "kernels" / "scalars.cuh"

CPP = f"""
#include <math.h>
#define __device__
namespace drawn {{
#define IN_BOTH(name) \\
    inline float name(float x) {{ return ::name##f(x); }} \\
    inline double name(double x) {{ return ::name(x); }}
IN_BOTH(exp) IN_BOTH(expm1) IN_BOTH(fabs) IN_BOTH(log) IN_BOTH(log1p) IN_BOTH(sqrt) IN_BOTH(tanh) IN_BOTH(sin)
IN_BOTH(cos)
{SCALARS.read_text()}
"""
"""What the C++ of formulas stands on: the C library's functions by the names that CUDA has, and our own."""

TYPES = {"float32": "float", "float64": "double"}


def draw(seed, names=("y", "t"), size=14):
    """Return an expression of some of these variables, of up to `size` operations."""
    rng = random.Random(seed)
    parts = [variable(name) for name in names]
    while len(parts) < len(names) + rng.randint(2, size):
        parts.append(_operation(rng, parts))
    return parts[-1] if variables(parts[-1]) else parts[-1] + parts[0]


def _operation(rng, parts):
    op = rng.choice(list(OPERATIONS))
    if op in FUNCTIONS:  # of a variable: a compiler works out what is of numbers alone, in its own way
        return apply(op, rng.choice([part for part in parts if variables(part)]))
    if op == "where":
        condition = apply(rng.choice(sorted(COMPARISONS)), _operand(rng, parts), _operand(rng, parts))
        return apply(op, condition, _operand(rng, parts), _operand(rng, parts))
    return apply(op, *(_operand(rng, parts) for _ in range(OPERATIONS[op].arity)))


def _operand(rng, parts):
    kind = rng.random()
    if kind < 0.2:
        return number(rng.choice(NUMBERS))
    if kind < 0.23:
        return tiny()
    return rng.choice(parts[-4:]) if kind < 0.8 else rng.choice(parts)


def points(dtype, count, seed=0):
    """Return `count` rows of numbers of every kind, each with each, and as many of ordinary size."""
    kind, rng = np.finfo(dtype), np.random.default_rng(seed)
    magnitudes = [
        0.0,
        kind.smallest_subnormal,
        kind.tiny / 3,
        kind.tiny,
        1e-9,
        0.3,
        1,
        2.5,
        90,
        1e9,
        kind.max,
    ]
    special = np.array([*magnitudes, *(-each for each in magnitudes), np.inf, -np.inf, np.nan], dtype)
    each_with_each = np.stack(np.meshgrid(*[special] * min(count, 2)), -1).reshape(-1, min(count, 2))
    if count > 2:
        each_with_each = rng.choice(special, (600, count))
    return np.concatenate([each_with_each, rng.normal(0, 2, (len(each_with_each), count)).astype(dtype)]).T


def equal(a, b):
    """Return where two arrays are equal, NaN to NaN and 0 to -0 included."""
    return (a == b) | (np.isnan(a) & np.isnan(b))


def compiler():
    """Return the C++ compiler; skip the test without one, but in CI fail."""
    found = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    if not found:
        reason = "no C++ compiler for formulas. Type: apt-get install g++, or set CXX"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found


class Compiled:
    """Expressions as functions of a C++ library, and the functions of the library that it was made with.

    Parameters
    ----------
    folder : Path
        Where it is written and compiled.
    expressions : list of Expression
    names : sequence of str
        Their variables.
    """

    def __init__(self, folder, expressions, names):
        self.names = names
        lines = [CPP]
        for place, expression in enumerate(expressions):
            body = statements({"const T result": expression})
            lines += self._function(f"f{place}", names, [*body, "return result;"])
        for function in FUNCTIONS:
            lines += self._function(function + "_", ["x"], [f"return {function}(x);"])
        lines.append("}")
        source, library = folder / "drawn.cpp", folder / "drawn.so"
        source.write_text("\n".join(lines) + "\n")
        done = subprocess.run(
            [compiler(), *FLAGS, str(source), "-o", str(library)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        self._library = ctypes.CDLL(str(library))

    @staticmethod
    def _function(name, names, body):
        """Return C++ of a function of one number each, and of its loops over arrays in both dtypes."""
        yield f"template <typename T> static T {name}({', '.join(f'T {each}' for each in names)}) {{"
        yield from body
        yield "}"
        for kind in TYPES.values():
            pointers = ", ".join(f"const {kind}* {each}" for each in names)
            here = ", ".join(f"{each}[i]" for each in names)
            yield (
                f'extern "C" void {name}_{kind}({pointers}, {kind}* out, long n) '
                f"{{ for (long i = 0; i < n; ++i) out[i] = {name}<{kind}>({here}); }}"
            )

    def _call(self, name, arrays):
        arrays = [np.ascontiguousarray(each) for each in arrays]
        out = np.empty(arrays[0].shape, arrays[0].dtype)
        function = getattr(self._library, f"{name}_{TYPES[out.dtype.name]}")
        function(*(ctypes.c_void_p(each.ctypes.data) for each in (*arrays, out)), ctypes.c_long(out.size))
        return out

    def values(self, place, arrays):
        """Return the values of the expression at that place of the list, at (n,) numbers of each variable."""
        return self._call(f"f{place}", arrays)

    def module(self, doubtful):
        """Return what `evaluate` takes for NumPy, with this library's functions.

        Where a result may be 0 or -0 alike, `doubtful`, an array of flags, is set.
        """

        def function(name):
            return lambda x: self._call(name + "_", [x])

        def choosing(choose):
            def chosen(a, b):
                np.logical_or(doubtful, (a == 0) & (b == 0), out=doubtful)
                return choose(a, b)

            return chosen

        def sign(x):
            np.logical_or(doubtful, np.asarray(x) == 0, out=doubtful)
            return np.sign(x)

        ours = {
            **{name: function(name) for name in FUNCTIONS},
            "maximum": choosing(np.maximum),
            "minimum": choosing(np.minimum),
            "sign": sign,
        }
        return SimpleNamespace(**{"sqrt": np.sqrt, "where": np.where, "finfo": np.finfo, **ours})

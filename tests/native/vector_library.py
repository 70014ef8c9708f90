"""native/elementwise.cpp as a library of its own, for vectors of any width, and its functions over arrays."""

import ctypes
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from fuseprop_numpy.compiled.formulas import Kernels, encode_activation, encode_loss, encode_update

from fuseprop.backend import ActivationFormula, variable
from fuseprop.backend.expression import apply

sys.path.append(str(Path(__file__).parents[1] / "formulas"))

from drawn import compiler, draw, equal, points

__all__ = ["compiler", "draw", "equal", "points"]  # of drawn formulas, beside what is here

NATIVE = Path(__file__).parents[2] / "backends" / "fuseprop_numpy" / "native"

FLAGS = ("-std=c++17", "-O3", "-ffp-contract=off", "-fno-math-errno", "-shared", "-fPIC", "-Wall", "-Wextra")

NO_ABI = ("-Wno-psabi",)  # vectors that the machine does not have are never passed between files

TYPES = {"float32": "float", "float64": "double"}

ENTRIES = """
#include "elementwise.cpp"
using namespace fuseprop;
#define ENTRIES(T) \\
  extern "C" void activate_##T(const Formula* f, T* values, long count) { activate<T>(*f, values, count); } \\
  extern "C" void through_##T(const Formula* f, T* gradient, const T* point, long count) { \\
    through<T>(*f, gradient, point, count); \\
  } \\
  extern "C" void loss_##T(const Formula* f, double factor, const T* output, const T* target, \\
                           const T* weights, long k, long lanes, T* losses, T* gradient) { \\
    loss_of_rows<T>(*f, T(factor), output, target, weights, k, lanes, losses, gradient); \\
  } \\
  extern "C" void update_##T(const Formula* f, const Tile<T>* tile, const T* settings, long setting_count, \\
                             long moment_count, int decays) { \\
    update<T>(*f, *tile, settings, setting_count, moment_count, decays); \\
  }
ENTRIES(float)
ENTRIES(double)
"""

BESIDE = 64
"""Numbers behind each array that must stay as they are."""


class FormulaStruct(ctypes.Structure):
    _fields_ = [
        ("kernel", ctypes.c_int64),
        ("constants", ctypes.c_void_p),
        ("constant_count", ctypes.c_int64),
        ("code", ctypes.c_void_p),
        ("code_length", ctypes.c_int64),
    ]


class TileStruct(ctypes.Structure):
    _fields_ = [
        ("rows", ctypes.c_long),
        ("columns", ctypes.c_long),
        ("values", ctypes.c_void_p),
        ("values_stride", ctypes.c_long),
        ("gradients", ctypes.c_void_p),
        ("gradients_stride", ctypes.c_long),
        ("moments", ctypes.c_void_p),
        ("moments_stride", ctypes.c_long),
        ("moment_distance", ctypes.c_long),
    ]


def machine_flags():
    """Return the flags for the instructions that both this machine and the engine have."""
    if platform.machine() != "x86_64":
        return ()
    info = Path("/proc/cpuinfo")
    return ("-march=x86-64-v3",) if info.exists() and " avx2 " in info.read_text() else ()


def build(compiler, folder, widths, formulas=None):
    """Return a library for each width in bits; `formulas` is the text of formulas.hpp, if another one."""
    for file in NATIVE.glob("*.hpp"):
        shutil.copy(file, folder)
    shutil.copy(NATIVE / "elementwise.cpp", folder)
    if formulas is not None:
        (folder / "formulas.hpp").write_text(formulas)
    (folder / "entries.cpp").write_text(ENTRIES)

    def one(bits):
        library = folder / f"entries_{bits}.so"
        command = [compiler, *FLAGS, *NO_ABI, *machine_flags(), f"-DFUSEPROP_BITS={bits}"]
        done = subprocess.run(
            [*command, "entries.cpp", "-o", library], cwd=folder, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr[:5000]
        return Library(library)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(widths, pool.map(one, widths), strict=True))


class Library:
    """The functions of elementwise.hpp, on formulas that are encoded as the library has them or as code."""

    def __init__(self, path):
        self._library = ctypes.CDLL(str(path))
        self._library.fuseprop_kernels.restype = ctypes.c_char_p
        self.kernels = Kernels.of(self._library.fuseprop_kernels().decode())
        self.interpreting = Kernels(operations=self.kernels.operations)

    def _call(self, name, dtype, encoded, *arguments):
        struct = FormulaStruct(*encoded.fields)
        getattr(self._library, f"{name}_{TYPES[dtype.name]}")(ctypes.byref(struct), *arguments)

    def activate(self, formula, z, kernels=None):
        """Return f(z)."""
        values = Guarded(z)
        encoded, _ = encode_activation(formula, z.dtype, kernels or self.kernels)
        self._call("activate", z.dtype, encoded, values.pointer, ctypes.c_long(z.size))
        return values.checked()

    def through(self, formula, gradient, point, kernels=None):
        """Return gradient f'(point)."""
        made, points = Guarded(gradient), Guarded(point)
        _, encoded = encode_activation(formula, point.dtype, kernels or self.kernels)
        self._call("through", point.dtype, encoded, made.pointer, points.pointer, ctypes.c_long(point.size))
        return made.checked()

    def loss(self, formula, factor, output, target, weights, kernels=None):
        """Return the losses (lanes,) and gradients (k, lanes)."""
        losses, gradient = Guarded(np.full_like(weights, 7)), Guarded(np.full_like(output, 7))
        encoded = encode_loss(formula, output.dtype, kernels or self.kernels)
        given = [Guarded(each) for each in (output, target, weights)]
        self._call(
            "loss", output.dtype, encoded, ctypes.c_double(factor), *(each.pointer for each in given),
            *map(ctypes.c_long, output.shape), losses.pointer, gradient.pointer,
        )  # fmt: skip
        return losses.checked(), gradient.checked()

    def update(self, formula, w, g, moments, settings, kernels=None, *, decays=False, between=0):
        """Return the new w and moments of rows (n, columns), `between` numbers apart."""
        wide = [_spread(each, between) for each in (w, g, *moments)]
        values, gradients, together = (
            Guarded(wide[0]),
            Guarded(wide[1]),
            Guarded(np.array([*wide[2:], wide[0]])),
        )
        stride = w.shape[1] + between
        tile = TileStruct(
            *w.shape,
            values.pointer,
            stride,
            gradients.pointer,
            stride,
            together.pointer,
            stride,
            wide[0].size,
        )
        encoded = encode_update(formula, w.dtype, kernels or self.kernels)
        numbers = Guarded(settings)
        self._call(
            "update", w.dtype, encoded, ctypes.byref(tile), numbers.pointer, ctypes.c_long(settings.size - 1),
            ctypes.c_long(len(moments)), int(decays),
        )  # fmt: skip
        made = [values.checked(), *together.checked()[:-1]]
        for each, before in zip(made, [wide[0], *wide[2:]], strict=True):
            assert np.array_equal(each[:, w.shape[1] :], before[:, w.shape[1] :])
        return [each[:, : w.shape[1]] for each in made]

    def functions(self):
        """Return what `evaluate` takes for NumPy, with this library's functions."""

        def function(name):
            formula = ActivationFormula(apply(name, variable("z")), variable("z"))

            def computed(x):
                x = np.asarray(x)
                padded = np.zeros(-(-x.size // 8) * 8, x.dtype)
                padded[: x.size] = x.ravel()
                made = self.activate(formula, padded, self.interpreting)
                return made[: x.size].reshape(x.shape)

            return computed

        ours = ("exp", "expm1", "log", "log1p", "tanh", "sin", "cos")
        # Of 0 and -0 maximum and minimum take the second one.
        exact = {
            "maximum": lambda a, b: np.where((a > b) | (a != a), a, b),
            "minimum": lambda a, b: np.where((a < b) | (a != a), a, b),
        }
        numpys = {name: getattr(np, name) for name in ("sqrt", "sign", "where", "finfo")}
        return SimpleNamespace(**numpys, **exact, **{name: function(name) for name in ours})


class Guarded:
    """A copy of an array with numbers behind it that nobody may write to."""

    def __init__(self, array):
        self._all = np.full(array.size + BESIDE, 12345, array.dtype)
        self._all[: array.size] = array.ravel()
        self._shape, self._size = array.shape, array.size

    @property
    def pointer(self):
        return ctypes.c_void_p(self._all.ctypes.data)

    def checked(self):
        """Return what the array is now."""
        assert (self._all[self._size :] == 12345).all(), "something behind an array was written to"
        return self._all[: self._size].reshape(self._shape)


def _spread(array, between):
    return np.concatenate([array, np.full((len(array), between), 99, array.dtype)], 1)

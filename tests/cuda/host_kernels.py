"""Kernels as functions on host memory: the .cu files built over cuda_on_cpu.hpp."""

import ctypes
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import own
from fuseprop_cupy.device.kernel_list import DTYPES, kernels
from host_compiler import STRICT, compile_cpp, kernels_of, pointer_to, write_around_kernels


class Span(NamedTuple):
    """The memory of an array that a kernel is given."""

    address: int
    size: int
    written: bool


def every_kernel():
    """All kernels by name, for both dtypes."""
    return own.kernels(np.dtype("float32")) | own.kernels(np.dtype("float64"))


class HostKernels:
    """Kernels as functions on host memory.

    The C++ compiler checks each kernel's parameters: they must be exactly those of the function. With the
    text of one file `changed`, the kernels that it defines are built from that, and the others are as they
    are. Those of a formula that is not listed are built when they are first launched.
    """

    def __init__(self, listed, changed=None, flags=STRICT):
        for file in changed or ():
            listed = kernels_of(file, listed)
        names = {name: f"kernel_{i}" for i, name in enumerate(listed)}
        with tempfile.TemporaryDirectory() as folder:
            library = build(Path(folder), listed, names, changed or {}, flags)
        self.functions = dict(host_kernels().functions) if changed else {}
        self.functions.update((name, getattr(library, symbol)) for name, symbol in names.items())
        for function in self.functions.values():
            function.restype = ctypes.c_char_p

    def run(self, kernel, grid, arguments, spans):
        """Launch twice, with the threads taking turns in both orders, and require the same bytes.

        arguments are NumPy scalars; spans the memory of all arrays among them.
        """
        name = kernel.expression
        views = [view_of(span) for span in spans if span.written]
        before = [view.copy() for view in views]
        self._launch(kernel, grid, arguments, descending=True)
        backwards = [view.copy() for view in views]
        for view, old in zip(views, before, strict=True):
            view[...] = old
        self._launch(kernel, grid, arguments, descending=False)
        for view, other in zip(views, backwards, strict=True):
            assert np.array_equal(view, other), (
                f"{name}: the result depends on the order of threads; do they wait for each other?"
            )

    def run_ends(self, kernel, grid, arguments):
        """Launch the first and the last block of a grid alone, once."""
        self._launch(kernel, grid, arguments, descending=False, ends=True)

    def _launch(self, kernel, grid, arguments, *, descending, ends=False):
        shape = (ctypes.c_uint * 6)(*(*grid, 1, 1)[:3], *(*kernel.block, 1, 1)[:3])
        values = [ctypes.create_string_buffer(argument.tobytes()) for argument in arguments]
        pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        function = self.functions.get(kernel.expression) or of_a_formula(kernel)
        error = function(shape, pointers, ctypes.c_bool(descending), ctypes.c_bool(ends))
        assert error is None, f"{kernel.expression}: {error.decode()}"


def view_of(span):
    """Return the bytes themselves, not a copy."""
    return np.frombuffer((ctypes.c_char * span.size).from_address(span.address), np.uint8)


def build(folder, listed, names, changed, flags):
    """Compile kernels to a shared library, one C function for each."""
    lines = [
        f'extern "C" const char* {names[name]}'
        f"(const unsigned* shape, void** arguments, bool descending, bool ends)"
        f"{{ {pointer_to(name, kernel)} return cpu::launch(kernel, shape, arguments, descending, ends); }}"
        for name, kernel in listed.items()
    ]
    file = write_around_kernels(folder, listed, ['#include "cuda_on_cpu.hpp"'], lines, changed)
    library = compile_cpp(file, folder / "kernels.so", ("-shared", "-fPIC", *flags))
    return ctypes.PyDLL(str(library))  # it holds the lock: the fibers are one set for the process


@cache
def host_kernels():
    """All kernels, built once a process."""
    return HostKernels(every_kernel())


def of_a_formula(kernel):
    """Return the function of a kernel whose formula is none of those that are built for all."""
    return _built(kernel.functor, kernel.templates[0]).functions[kernel.expression]


@cache
def _built(functor, c_type):
    return HostKernels(kernels(DTYPES[c_type], [functor]))

"""The list of the CUDA kernels in kernels/*.cu, with their parameters and types, and how they are compiled.

`Launch` checks arguments against this list, and the tests compile, run and compare each of its kernels. A
declaration repeats the parameters of the `__global__` function, with T for its first template argument; a C++
compiler checks that the two agree (see tests/cuda).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

BLOCK = 128
"""Threads in a block, unless a kernel's `block` differs."""

ROWS = 16
"""Threads that share the rows of a column sum: with 16 threads and four loads in flight for each, 128 rows
take two waits for memory."""

MACROS = (f"-DBLOCK={BLOCK}", f"-DROWS={ROWS}")
"""The definitions by which the kernels get these numbers."""

OPTIONS = ("--std=c++17", *MACROS)
"""The compiler's options; CuPy adds its own."""

KERNELS = Path(__file__).parents[1] / "kernels"

HEADERS = ("scalars.cuh", "groups.cuh", "hits.cuh")
"""The kernels' headers, each after those that it includes."""

DTYPES: dict[str, np.dtype[Any]] = {
    "float": np.dtype(np.float32),
    "double": np.dtype(np.float64),
    "long long": np.dtype(np.int64),
    "int": np.dtype(np.int32),
}

C_TYPES = {dtype: c_type for c_type, dtype in DTYPES.items()}

FUNCTORS = {"identity": "Identity", "sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}
"""The struct in scalars.cuh of each activation."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel, such as ``const float* bias``; only an optional pointer may be null."""

    name: str
    c_type: str
    optional: bool

    @property
    def pointer(self) -> bool:
        """Whether the parameter takes an array rather than a number."""
        return self.c_type.endswith("*")

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the array or the number."""
        return DTYPES[self.c_type.removeprefix("const ").removesuffix("*")]


@dataclass(frozen=True)
class Kernel:
    """A `__global__` function for one choice of template arguments.

    Attributes
    ----------
    name : str
        The function's name.
    templates : tuple of str
        Its template arguments; none for a plain function.
    declaration : str
        Its parameters, as in C++.
    optional : tuple of str
        The pointers that may be null.
    block : tuple of int
        The shape of a block.
    registers : int
        The most registers a thread may use; at 80, an SM of 65536 runs 768 threads at once.
    architecture : int
        The smallest compute capability that it runs on, 75 for 7.5.
    """

    name: str
    templates: tuple[str, ...]
    declaration: str
    optional: tuple[str, ...] = ()
    block: tuple[int, ...] = (BLOCK,)
    registers: int = 80
    architecture: int = 75

    @property
    def expression(self) -> str:
        """The C++ name, such as ``softmax<float>``."""
        return f"{self.name}<{', '.join(self.templates)}>" if self.templates else self.name

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters, in order."""
        parameters = []
        for declared in self.declaration.split(", "):
            c_type, _, name = declared.rpartition(" ")
            if self.templates:
                c_type = c_type.replace("T", self.templates[0])
            parameters.append(Parameter(name, c_type, name in self.optional))
        return tuple(parameters)


def kernels(dtype: np.dtype[Any]) -> dict[str, Kernel]:
    """Return all kernels of a backend with this dtype, by their C++ names."""
    value = C_TYPES[dtype]
    rows = "long long rows, long long columns, int lanes"
    listed = [
        Kernel("advance", (), "long long* cursor, long long by", block=(1,)),
        Kernel(
            "take_batch",
            (value,),
            "const T* x, const T* target, const long long* labels, const long long* order, "
            "const long long* cursor, T* x_out, T* target_out, long long* labels_out, long long rows, "
            "long long columns, long long outputs, int lanes",
            ("target", "labels", "target_out", "labels_out"),
        ),
    ]
    for element in (value, "long long"):
        listed += [
            Kernel(
                "take_rows",
                (element,),
                f"const T* source, const long long* order, const long long* cursor, T* out, {rows}",
            ),
            Kernel(
                "put_rows", (element,), "const T* values, const long long* cursor, T* out, long long rows"
            ),
        ]
    for functor in FUNCTORS.values():
        listed += [
            Kernel(
                "bias_activation", (value, functor), f"const T* z, const T* bias, T* out, {rows}", ("bias",)
            ),
            Kernel(
                "activation_backward",
                (value, functor),
                "const T* gradient, const T* output, T* out, T* sums, long long rows, long long columns, "
                "long long slice",
                block=(32, ROWS),
            ),
        ]
    listed.append(
        Kernel(
            "sum_slices",
            (value,),
            "const T* gradient, T* sums, long long rows, long long columns, long long slice",
            block=(32, ROWS),
        )
    )
    for name, output in {
        "squared_error": "const T* output, const T* bias, const T* target, const T* row_weights, T factor",
        "absolute_error": "const T* output, const T* bias, const T* target, const T* row_weights, T factor",
        "sigmoid_cross_entropy": "const T* logits, const T* bias, const T* target, const T* row_weights",
        "half_poisson_deviance": "const T* logits, const T* bias, const T* target, const T* row_weights",
        "softmax_cross_entropy": "const T* logits, const T* bias, const long long* labels, "
        "const T* row_weights",
    }.items():
        sides = (
            "" if "labels" in output else "const long long* classes, T score_threshold, T target_threshold, "
        )
        listed.append(
            Kernel(
                name,
                (value,),
                f"{output}, T* losses, T* gradient, {'' if 'labels' in output else sides}T* hits, "
                f"const long long* cursor, {rows}",
                ("bias", "classes", "hits", "cursor"),
            )
        )
    for name, declaration in {
        "dropout": "const T* values, const long long* step, T* out, T scale, long long seed, "
        "long long threshold, long long size",
        "exponential": "const T* logits, T* out, long long size",
        "softmax": f"const T* logits, T* out, {rows}",
        "argmax_equals": f"const T* scores, const long long* labels, T* out, {rows}",
        "threshold_equals": "const T* scores, const T* target, T score_threshold, T target_threshold, "
        f"T* out, {rows}",
        "sum_squares": "const T* array, T* partial, long long size",
        "inner_product": "const T* a, const T* b, T* out, long long size",
        "sum_columns": "const T* array, T* out, long long rows, long long columns",
        "sum_partials": "const T* partial, T* out, long long count",
        "scale_to_limit": "T* gradients, const T* partial, long long count, T* norm, T limit, long long size",
    }.items():
        listed.append(Kernel(name, (value,), declaration))
    listed.append(
        Kernel(
            "gradient_squares",
            (value,),
            "T* gradients, const T* parts, const long long* summed, int sums, T* partial, long long size",
            ("parts", "summed"),
        )
    )
    for nesterov in ("false", "true"):
        listed.append(
            Kernel(
                "momentum_sgd",
                (value, nesterov),
                "T* values, T* gradients, T* velocities, const T* settings, "
                "const long long* decay_ranges, int ranges, const T* parts, const long long* summed, "
                "int sums, long long* cursor, long long by, long long size",
                ("decay_ranges", "parts", "summed", "cursor"),
            )
        )
    listed.append(
        Kernel(
            "adam",
            (value,),
            "T* values, T* gradients, T* first, T* second, const T* settings, "
            "const long long* decay_ranges, int ranges, const T* parts, const long long* summed, int sums, "
            "long long* cursor, long long by, long long size",
            ("decay_ranges", "parts", "summed", "cursor"),
        )
    )
    return {kernel.expression: kernel for kernel in listed}


def source() -> str:
    """Return all kernels as one text: the headers, each once, and then every .cu file.

    CuPy caches compiled code by a hash of the text that it is given, so an include would hide changes of the
    included file from it.
    """
    files = [*(KERNELS / header for header in HEADERS), *sorted(KERNELS.glob("*.cu"))]
    lines = "".join(path.read_text() for path in files).splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith('#include "'))

"""The CUDA kernels in kernels/*.cu, as their declarations have them, and how they are compiled.

The declaration of a `__global__` function says all that a launch must know: its parameters with their types,
an `/* or null */` behind each pointer that may be null, and in `__launch_bounds__` the shape of a block. The
names of its template parameters say for what it is compiled: T is the backend's dtype, Element that or int64,
and Activation, Loss and Rule are structs of formulas. `Launch` checks arguments against these, and the tests
compile, run and compare each kernel.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ..formulas import Functor, built_in

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

HEADERS = ("scalars.cuh", "groups.cuh", "formulas.cuh", "hits.cuh")
"""The kernels' headers, each after those that it includes."""

DTYPES: dict[str, np.dtype[Any]] = {
    "float": np.dtype(np.float32),
    "double": np.dtype(np.float64),
    "long long": np.dtype(np.int64),
    "int": np.dtype(np.int32),
}

C_TYPES = {dtype: c_type for c_type, dtype in DTYPES.items()}

OR_NULL = "/* or null */"
"""What stands behind a pointer that may be null."""


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
    parameters : tuple of Parameter
        In order.
    block : tuple of int
        The shape of a block.
    functor : Functor, optional
        The formula that it computes.
    registers : int
        The most registers a thread may use; at 80, an SM of 65536 runs 768 threads at once.
    architecture : int
        The smallest compute capability that it runs on, 75 for 7.5.
    """

    name: str
    templates: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    block: tuple[int, ...] = (BLOCK,)
    functor: Functor | None = None
    registers: int = 80
    architecture: int = 75

    @cached_property
    def expression(self) -> str:
        """The C++ name, such as ``softmax<float>``."""
        return f"{self.name}<{', '.join(self.templates)}>" if self.templates else self.name


@dataclass(frozen=True)
class Declaration:
    """A `__global__` function as its file declares it.

    Attributes
    ----------
    name : str
    templates : tuple of str
        The names of its template parameters.
    parameters : tuple of Parameter
        With the types as they stand there.
    block : tuple of int
    """

    name: str
    templates: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    block: tuple[int, ...]

    def kernels(self, dtype: np.dtype[Any], functors: Iterable[Functor]) -> list[Kernel]:
        """Return the kernels of a backend with this dtype: for each of the formulas, or the one without."""
        value, choices = C_TYPES[dtype], []
        for template in self.templates:
            elements: dict[str, list[str | Functor]] = {"T": [value], "Element": [value, "long long"]}
            choices.append(elements.get(template) or [each for each in functors if each.kind == template])
        return [self._kernel(chosen) for chosen in product(*choices)]

    def _kernel(self, chosen: tuple[str | Functor, ...]) -> Kernel:
        types = {name: c for name, c in zip(self.templates, chosen, strict=True) if isinstance(c, str)}
        parameters = tuple(
            Parameter(each.name, _with_types(each.c_type, types), each.optional) for each in self.parameters
        )
        functor = next((each for each in chosen if isinstance(each, Functor)), None)
        arguments = tuple(each if isinstance(each, str) else each.name for each in chosen)
        return Kernel(self.name, arguments, parameters, self.block, functor)


def kernels(dtype: np.dtype[Any], functors: Iterable[Functor] | None = None) -> dict[str, Kernel]:
    """Return the kernels of a backend with this dtype by their C++ names: all, with the built-in formulas.

    With `functors`, those that compute these formulas alone; without any of them, those that compute none.
    """
    chosen = built_in() if functors is None else tuple(functors)
    listed = [kernel for each in declarations() for kernel in each.kernels(dtype, chosen)]
    return {
        kernel.expression: kernel
        for kernel in listed
        if functors is None or (kernel.functor is not None) == bool(chosen)
    }


@cache
def declarations() -> tuple[Declaration, ...]:
    """Return what the .cu files declare, in order."""
    texts = (path.read_text(encoding="utf-8") for path in sorted(KERNELS.glob("*.cu")))
    return tuple(found for text in texts for found in declared_in(text))


def source_hashes() -> dict[str, str]:
    """Return a hash for each .cu file, of all that the compiler sees of it: options and headers too."""
    from hashlib import sha256

    shared = "\n".join([*OPTIONS, *((KERNELS / header).read_text() for header in HEADERS)])
    return {
        path.name: sha256((shared + path.read_text()).encode()).hexdigest()
        for path in sorted(KERNELS.glob("*.cu"))
    }


_DECLARATION = re.compile(
    r"(?:template <(?P<templates>[^>]*)>\s*)?__global__ void\s*"
    r"(?:__launch_bounds__\((?P<block>[^)]*)\)\s*)?(?P<name>\w+)\((?P<parameters>[^)]*)\)"
)


def declared_in(text: str) -> list[Declaration]:
    """Return what a .cu file declares. Raises ValueError for what is no declaration as in the docstring."""
    found = [_declaration(match) for match in _DECLARATION.finditer(text)]
    if len(found) != text.count("__global__"):
        raise ValueError(f"only {len(found)} of {text.count('__global__')} kernels are declared as expected.")
    return found


def _declaration(match: re.Match[str]) -> Declaration:
    templates = tuple(each.split()[-1] for each in (match["templates"] or "").split(",") if each)
    numbers = {"BLOCK": BLOCK, "ROWS": ROWS}
    factors = (match["block"] or "1").split(" * ")
    block = tuple(numbers[each] if each in numbers else int(each) for each in factors)
    parameters = tuple(_parameter(match["name"], each, templates) for each in match["parameters"].split(","))
    return Declaration(match["name"], templates, parameters, block)


def _parameter(kernel: str, text: str, templates: tuple[str, ...]) -> Parameter:
    declared = " ".join(text.replace(OR_NULL, "").split())
    c_type, _, name = declared.rpartition(" ")
    base = c_type.removeprefix("const ").removesuffix("*")
    if (base not in DTYPES and base not in templates) or (OR_NULL in text and not c_type.endswith("*")):
        raise ValueError(f"the kernel {kernel} declares {declared!r}, which no launch could check.")
    return Parameter(name, c_type, OR_NULL in text)


def _with_types(c_type: str, types: dict[str, str]) -> str:
    base = c_type.removeprefix("const ").removesuffix("*")
    return c_type.replace(base, types.get(base, base))


def source(functors: Iterable[Functor] = ()) -> str:
    """Return all kernels as one text: the headers, each once, formulas of users' own, and every .cu file.

    CuPy caches compiled code by a hash of the text that it is given, so an include would hide changes of the
    included file from it.
    """
    headers = [(KERNELS / header).read_text(encoding="utf-8") for header in HEADERS]
    own = [functor.text for functor in functors if not functor.built_in]
    files = [path.read_text(encoding="utf-8") for path in sorted(KERNELS.glob("*.cu"))]
    lines = "".join([*headers, *own, *files]).splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith('#include "'))

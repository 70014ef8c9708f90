"""What the tests need of CuPy beyond its documented interface, in this one place.

Checked with CuPy 14.2; a test that breaks with another CuPy is mended here.
"""

import io
import re
from dataclasses import dataclass
from functools import cache

import cupy
import own
from cupy._core import core
from cupy._core._scalar import CScalar
from cupy.cuda import MemoryPointer, UnownedMemory, compiler
from cupy.cuda.function import Function
from fuseprop_cupy.device.kernel_list import OPTIONS


@dataclass(frozen=True)
class Resources:
    """What a thread of a compiled kernel uses."""

    registers: int
    stack: int
    spilled: int


@cache
def _compile(expressions, architecture, method, text):
    """Compile as `cupy.RawModule` does, for a given architecture instead of the device's."""
    options = (
        *core.assemble_cupy_compiler_options(OPTIONS),
        "-ftz=true",
        f"-arch={architecture}",
        "--device-as-default-execution-space",
        *(("--ptxas-options=-v",) if method == "cubin" else ()),
    )
    program = compiler._NVRTCProgram(
        text or own.source(), "kernels.cu", name_expressions=list(expressions), method=method
    )
    log = io.StringIO()
    code, mangled = program.compile(options, log)
    return code, {lowered: name for name, lowered in mangled.items()}, log.getvalue()


def resources(expressions, architecture, text=None):
    """Compile to machine code for sm_`architecture`; return the `Resources` by name, and all warnings."""
    _, names, log = _compile(tuple(expressions), f"sm_{architecture}", "cubin", text)
    found = {}
    for part in log.split("Compiling entry function ")[1:]:
        symbol = re.match(r"'(\w+)'", part)[1]
        stack, stores, loads = map(int, re.search(r"(\d+) bytes stack.* (\d+) .*, (\d+) ", part).groups())
        registers = int(re.search(r"Used (\d+) registers", part)[1])
        found[names[symbol]] = Resources(registers, stack, stores + loads)
    return found, [line for line in log.splitlines() if "warning" in line.lower()]


def ptx(expressions, architecture, text=None):
    """Compile to PTX; return each kernel's text by name."""
    code, names, _ = _compile(tuple(expressions), f"compute_{architecture}", "ptx", text)
    parts = code.decode().rstrip("\0").split(".entry ")[1:]
    return {names[re.match(r"\w+", part)[0]]: part for part in parts}


def array_over(owner, address, shape, dtype):
    """Return a real `cupy.ndarray` over host memory, which the array keeps alive through `owner`."""
    size = int(dtype.itemsize)
    for length in shape:
        size *= length
    memory = UnownedMemory(address, size, owner, device_id=0)
    return cupy.ndarray(shape, dtype, memptr=MemoryPointer(memory, 0))


def base_address(array):
    """Return where the allocation that an array is a view of begins."""
    return array.data.mem.ptr


def width(number):
    """Return how many bytes of a number a launch hands over."""
    return CScalar(number).dtype.itemsize


def function_without_code():
    """Return a kernel as launches have it, which the driver will refuse."""
    return Function.__new__(Function)

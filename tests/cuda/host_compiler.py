"""The host's C++ compiler on the .cu files, unmodified but for mistakes that a test asks for."""

import os
import shutil
import subprocess
from pathlib import Path

import own
import pytest
from fuseprop_cupy.device.kernel_list import HEADERS, KERNELS, MACROS
from verification import defined_in

HERE = Path(__file__).parent

FLAGS = ("-std=c++20", "-O1", "-ffp-contract=off", "-pthread", "-x", "c++", *MACROS)
STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wno-float-conversion", "-Werror", "-Wno-unknown-pragmas")
"""-Wconversion refuses what would cut an index of 64 bits to 32 unseen; precision, the numbers show."""


def require(available, reason):
    """Skip the test for this reason unless `available`; in CI it fails instead."""
    if not available:
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


def compiler():
    """The C++ compiler."""
    found = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    require(found, "no C++ compiler to run the CUDA kernels with. Type: apt-get install g++, or set CXX")
    return found


def kernels_of(file, listed):
    """Return those of the listed kernels that a file defines: all for a header, but those of its formulas."""
    if file in ("formulas.cuh", own.FILE):
        built_in = file != own.FILE
        return {n: k for n, k in listed.items() if k.functor is not None and k.functor.built_in == built_in}
    if file in HEADERS:
        return dict(listed)
    defined = defined_in(read(file))
    return {name: kernel for name, kernel in listed.items() if kernel.name in defined}


def read(file):
    """Return the text of a file of kernels/, or of the formulas in `own`."""
    return own.text() if file == own.FILE else (KERNELS / file).read_text()


def write_around_kernels(folder, listed, before, after, changed):
    """Write what the listed kernels need into a folder, and a C++ file that includes it between other lines.

    changed : dict of str to str
        Other texts for some of the files, to see a check fail.
    """
    for path in KERNELS.iterdir():
        (folder / path.name).write_text(changed.get(path.name, path.read_text()))
    functors = {k.functor: None for k in listed.values() if k.functor is not None and not k.functor.built_in}
    (folder / own.FILE).write_text(changed.get(own.FILE, own.text(functors)))
    files = [*(path.name for path in sorted(KERNELS.glob("*.cu"))), own.FILE]
    lines = [*before, *(f'#include "{name}"' for name in files), *after]
    file = folder / "all.cpp"
    file.write_text("\n".join(lines) + "\n")
    return file


def pointer_to(name, kernel):
    """The C++ declaration of a pointer to a kernel: the compiler refuses it unless the list is exact."""
    return f"void (*kernel)({', '.join(parameter.c_type for parameter in kernel.parameters)}) = {name};"


def compile_cpp(file, target, flags):
    """Compile and link one C++ file beside which other files lie."""
    command = [compiler(), *FLAGS, *flags, f"-I{HERE}", str(file), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    return target

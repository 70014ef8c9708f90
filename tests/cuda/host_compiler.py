"""The host's C++ compiler on the .cu files, unmodified but for mistakes that a test asks for."""

import os
import shutil
import subprocess
from pathlib import Path

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
    """Return those of the listed kernels that a file of kernels/ defines, or all of them for a header."""
    if file in HEADERS:
        return dict(listed)
    defined = defined_in(read(file))
    return {name: kernel for name, kernel in listed.items() if kernel.name in defined}


def read(file):
    """Return the text of a file of kernels/."""
    return (KERNELS / file).read_text()


def write_around_kernels(folder, before, after, changed):
    """Write the kernels into a folder, and one C++ file that includes them between other lines.

    changed : dict of str to str
        Other texts for some of the files, to see a check fail.
    """
    for path in KERNELS.iterdir():
        (folder / path.name).write_text(changed.get(path.name, path.read_text()))
    lines = [*before, *(f'#include "{path.name}"' for path in sorted(KERNELS.glob("*.cu"))), *after]
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

"""What Python tells the library is laid out as the library reads it."""

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import fuseprop_numpy
import pytest
from fuseprop_numpy.compiled import interface

HEADER = Path(fuseprop_numpy.__file__).parent / "native" / "interface.hpp"

pytestmark = pytest.mark.skipif(not HEADER.exists(), reason="sources of the library are in a clone only")

TYPES = {
    "int64_t": ctypes.c_int64,
    "uint32_t": ctypes.c_uint32,
    "double": ctypes.c_double,
    "Formula": interface.Formula,
    "Gather": interface.Gather,
}


@pytest.fixture(scope="module")
def text():
    return re.sub(r"//[^\n]*", "", HEADER.read_text())


def declared(text):
    """Return the fields of each struct of the header, as (name, C type or "*")."""
    found = {}
    for name, body in re.findall(r"struct (\w+) \{(.*?)\};", text, re.DOTALL):
        found[name] = fields = []
        for line in filter(None, map(str.strip, body.split(";"))):
            kind, names = re.fullmatch(r"(?:const )?(\w+)\s*(.*)", line, re.DOTALL).groups()
            for each in names.split(","):
                fields.append((each.strip(" *"), "*" if "*" in each else kind))
    return found


def test_fields_are_the_headers(text):
    structs = declared(text)
    assert structs.keys() == interface.STRUCTS.keys()
    for name, struct in interface.STRUCTS.items():
        assert [each for each, _ in struct._fields_] == [each for each, _ in structs[name]]
        for (field, ours), (_, theirs) in zip(struct._fields_, structs[name], strict=True):
            if theirs == "*":
                assert ours is ctypes.c_void_p or issubclass(ours, ctypes._Pointer), (name, field)
            else:
                assert ours is TYPES[theirs], (name, field)


def test_numbers_are_the_headers(text):
    seen = 0
    for body in re.findall(r"enum \w+ : int64_t \{(.*?)\}", text, re.DOTALL):
        value = -1
        for each in body.split(","):
            name, _, given = map(str.strip, each.partition("="))
            value = int(given) if given else value + 1
            assert getattr(interface, name) == value
            seen += 1
    assert seen == 5 + 2 + 3 + 3 + 3 + 2 + 3


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_offsets_are_the_compilers(tmp_path):
    lines = []
    for name, struct in interface.STRUCTS.items():
        lines.append(f'std::printf("{name} %zu\\n", sizeof(fuseprop::{name}));')
        lines += [
            f'std::printf("{name}.{field} %zu\\n", offsetof(fuseprop::{name}, {field}));'
            for field, _ in struct._fields_
        ]
    source, program = tmp_path / "offsets.cpp", tmp_path / "offsets"
    included = "".join(f"#include {each}\n" for each in (f'"{HEADER}"', "<cstddef>", "<cstdio>"))
    source.write_text(included + "int main() {\n" + "\n".join(lines) + "\n}\n")
    subprocess.run(["g++", "-std=c++17", "-Wno-invalid-offsetof", source, "-o", program], check=True)
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    found = {name: int(number) for name, number in map(str.split, printed.splitlines())}
    for name, struct in interface.STRUCTS.items():
        assert found.pop(name) == ctypes.sizeof(struct)
        for field, _ in struct._fields_:
            assert found.pop(f"{name}.{field}") == getattr(struct, field).offset
    assert not found

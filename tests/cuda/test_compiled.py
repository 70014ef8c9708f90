"""Every kernel compiles for every architecture, by CuPy's own compiler and options, within its budget.

A landing compiles for each architecture in one dtype, and `.ci/long` for each in both.
"""

import re
from math import prod

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

from cupy_private import ptx, resources
from fuseprop_cupy.device import probe
from fuseprop_cupy.device.kernel_list import declared_in
from own import kernels, source

ARCHITECTURES = [75, 80, 90, 120]


def problems(dtype, architecture, text=None, names=None):
    """What is wrong with the kernels of a backend on an architecture, all or named; warnings come last."""
    listed = {
        name: kernel for name, kernel in chosen(dtype, names).items() if kernel.architecture <= architecture
    }
    found, warnings = resources(listed, architecture, text)
    assert found.keys() == listed.keys()
    over = [
        f"{name}: {used}, the budget is {listed[name].registers} registers, no stack and no spills"
        for name, used in found.items()
        if used.stack or used.spilled or used.registers > listed[name].registers
    ]
    bounds = {name: max_threads(code) for name, code in ptx(listed, architecture, text).items()}
    unlike = [
        f"{name}: bound to {bounds[name]} threads, launched with blocks of {kernel.block}"
        for name, kernel in listed.items()
        if bounds[name] not in (None, prod(kernel.block))
    ]
    return over + unlike + warnings


def max_threads(code):
    """The threads of a block for which the compiler shared out registers; a launch of more fails."""
    found = re.search(r"\.maxntid\s+([\d, ]+)", code)
    return prod(map(int, found[1].split(","))) if found else None


def chosen(dtype, names=None):
    """The kernels of a backend, all or those of these names."""
    listed = kernels(np.dtype(dtype))
    return listed if names is None else {name: listed[name] for name in names}


def in_double(dtype, architecture, text=None, names=None):
    """The names of kernels that compute in double precision, of all or of these."""
    listed = chosen(dtype, names)
    return {name for name, code in ptx(listed, architecture, text).items() if ".f64" in code}


@pytest.mark.values
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_warnings_no_spills_no_stack_and_registers_within_budget(dtype, architecture):
    assert problems(dtype, architecture) == []


@pytest.mark.parametrize(
    "architecture", [75, *(pytest.param(each, marks=pytest.mark.long) for each in ARCHITECTURES[1:])]
)
def test_nothing_is_computed_in_double_by_accident(architecture):
    assert in_double("float32", architecture) == set()


def loads_before_a_store(text):
    """The most loads of each float32 kernel, of one formula, that stand in its code with no store between."""
    found, one_of_each = {}, {name.partition("<")[0]: name for name in kernels(np.dtype("float32"))}
    for name, code in ptx(one_of_each.values(), 90, text).items():
        loads_and_stores = "".join(re.findall(r"\b([ls])[dt]\.global", code))
        found[name] = max(map(len, loads_and_stores.split("s")))
    return found


def test_memory_is_asked_for_several_items_at_a_time():
    """Else a thread waits for memory at each, because no load may pass a store that may be to its place."""
    text = seeded("if (hits) asked", "if (false) asked")  # the loads of hits are not those of losses
    several = loads_before_a_store(text)
    one_by_one = loads_before_a_store(re.sub(r"in_flight<[^(]*>\(", "in_flight<1>(", text))
    alike = {name.partition("<")[0] for name in several if several[name] <= one_by_one[name]}
    assert alike == {
        *("argmax_equals", "threshold_equals", "inner_product", "sum_columns"),  # store once
        "small_product",  # loads a chunk of its factors before it stores one
        *("put_rows", "advance"),  # have one item a thread, up to MAX_BLOCKS of them
    }


def test_every_kernel_states_an_architecture_that_the_probe_asks_for():
    for kernel in kernels(np.dtype("float64")).values():
        assert min(ARCHITECTURES) <= kernel.architecture <= probe.ARCHITECTURE


def test_every_kernel_of_the_files_is_listed():
    listed = {kernel.name for kernel in kernels(np.dtype("float32")).values()}
    assert source().count("__global__ void") == len(listed)


@pytest.mark.parametrize(
    "text",
    [
        "__global__ void lost(const half* z) {",
        "template <typename T> __global__ void lost(const U* z) {",
        "__global__ void lost(long long size /* or null */) {",
    ],
)
def test_a_parameter_that_no_launch_could_check_is_refused(text):
    with pytest.raises(ValueError, match="the kernel lost declares"):
        declared_in(text)


def test_a_kernel_that_is_declared_in_another_way_is_refused():
    with pytest.raises(ValueError, match="only 0 of 1 kernels"):
        declared_in("__global__ int lost(int size) {")


def seeded(old, new):
    """The kernels with a mistake in them."""
    text = source()
    assert old in text
    return text.replace(old, new)


SOME = ["activation_backward<float, Sigmoid>", "activation_backward<float, Tanh>", "sum_slices<float>"]
SOME += ["sum_squares<float>", "gradient_squares<float>", "small_product<float>", "advance"]
"""What a mistake is to be seen in, and others: to compile all takes several seconds."""


def test_an_accidental_double_is_seen():
    text = seeded("return y * (T(1) - y);", "return y * (1.0 - y);")
    assert in_double("float32", 90, text, SOME) == {"activation_backward<float, Sigmoid>"}
    double = "activation_backward<double, Sigmoid>"
    assert in_double("float64", 90, names=[double, "advance"]) == {double}


def test_a_stack_frame_is_seen():
    text = seeded(
        "if (threadIdx.x == 0) partial[blockIdx.x] = sum;",
        "T kept[64]; for (int k = 0; k < 64; ++k) kept[k] = sum * k; partial[blockIdx.x] = kept[size % 64];",
    )
    found = [problem.partition(":")[0] for problem in problems("float32", 90, text, SOME)]
    assert found == ["sum_squares<float>", "gradient_squares<float>"]


def test_another_block_than_the_launchs_is_seen():
    text = seeded("__launch_bounds__(32 * ROWS)", "__launch_bounds__(16 * ROWS)")
    found = [problem.partition("<")[0] for problem in problems("float32", 90, text, SOME)]
    assert set(found) == {"activation_backward", "sum_slices"}


def test_a_warning_is_seen():
    text = seeded("*cursor += by;", "int unused; *cursor += by;")
    assert any("unused" in problem for problem in problems("float32", 90, text, SOME))

"""Every mistake in mistakes.py is found, by the rung that is named there.

A landing takes the first of each file and of each rung.
"""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

from accuracy import activation_errors, activation_ulps, loss_errors, softmax_errors
from comparisons import ACTIVATIONS, ELEMENTWISE, Comparison
from far import compare_far
from fuseprop_cupy.device.kernel_list import KERNELS, Parameter
from host_compiler import kernels_of, read
from host_device import HostRunBackend
from host_kernels import HostKernels
from landing import first_of_each
from mistakes import MISTAKES
from own import FILE, kernels, source
from recorded import recorded
from replay import HUNG, SANITIZERS, build, replay
from test_compiled import in_double

FLOAT32 = kernels(np.dtype("float32"))


def executed(built, dtype):
    """What the executed rung asks of a backend, at a few shapes and far beyond."""
    backend = HostRunBackend(dtype, built=built)
    comparison = Comparison(backend)
    for n, k in ((300, 5), (7, 40)):
        comparison.everything(n, k, np.random.default_rng(0))
    assert activation_ulps(backend, ACTIVATIONS["sigmoid"]) <= 4, "more than 4 ulp"
    for formula in ACTIVATIONS.values():
        errors = activation_errors(backend, formula)
        assert max(errors.values()) <= 20, "more than 20 eps"
    compare_far(dtype, built)
    for k in (1, 10):
        assert max(softmax_errors(backend, k, 1e4).values()) <= 4, "more than 4 eps"
        for loss in ELEMENTWISE.values():
            assert max(loss_errors(backend, loss, k, 1e4).values()) <= 4, "more than 4 eps"


def climb(rung, file, old, new, folder):
    """Run one rung over a file with a mistake in it; raises AssertionError with what it finds."""
    changed = {file: read(file).replace(old, new)}
    if rung == "compiled":
        names = in_double("float32", 90, source().replace(old, new))
        assert not names, f"in double precision: {sorted(names)}"
    elif rung in SANITIZERS:
        listed = kernels_of(file, FLOAT32)
        program = build(folder, listed, rung, changed)
        found = replay(program, recorded().recording(listed), seconds=5)
        assert not found, found
    else:
        dtype = "float64" if rung == "executed64" else "float32"
        built = HostKernels(kernels(np.dtype(dtype)), changed)
        assert rung != "built", "the compiler takes it"
        executed(built, dtype)


MADE = [(file, mistake) for file, mistakes in MISTAKES.items() for mistake in mistakes]


def file_of(file, mistake):
    return file


def rung_of(file, mistake):
    return MISTAKES[file][mistake][2]


@pytest.mark.parametrize(("file", "mistake"), first_of_each(MADE, file_of, rung_of))
def test_mistakes_are_found(file, mistake, tmp_path):
    old, new, rung, finding = MISTAKES[file][mistake]
    assert old in read(file)
    with pytest.raises(AssertionError, match=finding):
        climb(rung, file, old, new, tmp_path)


@pytest.mark.parametrize(
    ("file", "mistake"), first_of_each([made for made in MADE if rung_of(*made) in SANITIZERS], rung_of)
)
def test_what_is_a_sanitizers_leaves_the_numbers_right(file, mistake):
    """This is why there are sanitizers."""
    old, new, *_ = MISTAKES[file][mistake]
    executed(HostKernels(FLOAT32, {file: read(file).replace(old, new)}), "float32")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_without_a_mistake_nothing_is_found(dtype):
    executed(None, dtype)


def test_every_file_has_mistakes():
    files = {path.name for path in KERNELS.iterdir() if path.suffix in (".cu", ".cuh")}
    assert set(MISTAKES) == files | {FILE}


NO_BARRIER = {
    "read before it is written": ("groups.cuh", "    __syncthreads();\n", ""),
    "written before it is read": (
        "activations.cu",
        "    sums[blockIdx.y * columns + j] = sum;\n  }\n",
        "    sums[blockIdx.y * columns + j] = sum;\n  }\n  partial[threadIdx.y][threadIdx.x] = 0;\n",
    ),
}


@pytest.mark.parametrize("race", NO_BARRIER)
def test_threads_race_where_a_barrier_is_missing(race, tmp_path):
    """Fibers find these too, by the order of threads; here it is the sanitizer that must."""
    file, old, new = NO_BARRIER[race]
    assert old in read(file)
    names = ("sum_squares<float>", "activation_backward<float, Tanh>")
    listed = {name: FLOAT32[name] for name in names}
    program = build(tmp_path, listed, "thread", {file: read(file).replace(old, new)})
    assert "data race" in replay(program, recorded().recording(listed))


def test_a_divergent_barrier_ends_when_its_time_is_up(tmp_path):
    """On fibers it is an error at once; threads would wait for ever."""
    old = "  partial[threadIdx.x] = x;\n"
    changed = {"groups.cuh": read("groups.cuh").replace(old, f"{old}  if (threadIdx.x == 0) return x;\n")}
    listed = {"sum_squares<float>": FLOAT32["sum_squares<float>"]}
    found = replay(build(tmp_path, listed, "thread", changed), recorded().recording(listed), seconds=1)
    assert found == f"sum_squares<float>: {HUNG}"


def test_a_declaration_that_is_not_the_functions_does_not_build():
    softmax = FLOAT32["softmax<float>"]
    wrong = replace(softmax, parameters=(*softmax.parameters[:2], Parameter("rows", "int", False)))
    with pytest.raises(AssertionError, match="no matches converting function"):
        HostKernels({"softmax<float>": wrong})

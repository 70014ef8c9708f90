"""Findings of compute-sanitizer, told apart: samples in the forms that its manual and its users show."""

import pytest

pytest.importorskip("cupy", reason="needs CuPy, not a GPU; tests/README.md says how to install it")

from launched import ALL, PRODUCT
from sanitizer import CALL, COPY, LIBRARY, OURS, findings, kernels_in, verdict

HOST = """\
=========     Saved host backtrace up to driver entry point at kernel launch time
=========     Host Frame: [0x2f26a0]
=========                in /lib/x86_64-linux-gnu/libcuda.so.1
{}=========     Host Frame:_PyEval_EvalFrameDefault [0x1d3b0e]
=========                in /usr/bin/python3
=========
"""
PLAIN = HOST.format("")
BY_CUBLAS = HOST.format(
    "=========     Host Frame:cublasLtSSSMatmul [0x9f3e1]\n"
    "=========                in /venv/lib/python3.12/site-packages/nvidia/cu13/lib/libcublasLt.so.13\n"
)

IN_CUBLAS = (
    """\
========= Uninitialized __global__ memory read of size 4 bytes
=========     at void cutlass::Kernel2<cutlass_80_simt_sgemm_32x128_8x5_nn_align1>(T1::Params)+0x1a60
=========     by thread (33,0,0) in block (0,0,0)
=========     Address 0x7f3c7ec000fc
"""
    + PLAIN
)

NAMED_BY_ITS_LIBRARY = (
    """\
========= Uninitialized __global__ memory read of size 16 bytes
=========     at void internal_kernel_17<float, float>(float const *, float *)+0x90
=========     by thread (0,0,0) in block (0,0,0)
=========     Address 0x7f3c7ec00000
"""
    + BY_CUBLAS
)

IN_OURS = (
    """\
========= Uninitialized __global__ memory read of size 4 bytes
=========     at void bias_activation<float, Sigmoid>(const T1 *, T1 *, long long, long long, int)+0x110
=========     by thread (31,0,0) in block (1,0,0)
=========     Address 0x7f3c7ec000fc
"""
    + BY_CUBLAS
)  # whatever the stack says, the kernel is ours

OLDER = (
    """\
========= Uninitialized __global__ memory read of size 8
=========     at 0x250 in void update<double, Nesterov>(double*, double*, double*, double const*)
=========     by thread (16,0,0) in block (0,0,0)
=========     Address 0x7fdff720250c
"""
    + PLAIN
)

MANGLED = (
    """\
========= Invalid __global__ read of size 4 bytes
=========     at _Z10take_batchIfEvPKT_S2_PKx+0x90
=========     by thread (0,0,0) in block (0,0,0)
=========     Address 0x7fdff7202500 is out of bounds
"""
    + PLAIN
)

OF_A_PRODUCT = (
    """\
========= Invalid __global__ write of size 4 bytes
=========     at ampere_sgemm_32x32_sliced1x4_nn+0x1c0
=========     by thread (0,0,0) in block (0,0,0)
=========     Address 0x7fdff7202500 is out of bounds
"""
    + PLAIN
)

RACE = """\
========= Error: Race reported between Write access at void sum_slices<float>(T1 *, long long)+0x2f0
=========     and Read access at void sum_slices<float>(const T1 *, T1 *, long long)+0x3a0 [508 hazards]
=========
========= Error: Race reported between Read access at void gemmSN_NN_kernel<float, (int)128>(T1)+0x50
=========     and Write access at void gemmSN_NN_kernel<float, (int)128>(T1)+0x90 [16 hazards]
=========
"""

BARRIER = (
    """\
========= Barrier error detected. Divergent thread(s) in block
=========     at void softmax<double>(const T1 *, T1 *, long long, long long, int)+0x2c8
=========     by thread (37,0,0) in block (0,0,0)
"""
    + PLAIN
)

COPIED = (
    """\
========= Host API memory access error at host access to 0x7f7fcdc01200 of size 400 bytes
=========     Uninitialized access at 0x7f7fcdc01300 on access by cudaMemcpy source
"""
    + PLAIN
)

FAILED_CALL = (
    """\
========= Program hit cudaErrorInvalidValue (error 1) due to "bad value" on CUDA API call to cudaMalloc.
"""
    + PLAIN
)

UNKNOWN = (
    """\
========= Uninitialized __global__ memory read of size 4 bytes
=========     at cupy_copy__float32_float32+0x30
=========     by thread (0,0,0) in block (0,0,0)
"""
    + PLAIN
)


def watched(*reports, errors=None, hidden=0):
    """The output of a tool around a program that prints lines of its own."""
    errors = len(reports) if errors is None else errors
    lines = ["========= COMPUTE-SANITIZER", '{"launched": []}', *reports, '{"trained": true}']
    lines.append(f"========= ERROR SUMMARY: {errors} error{'s' * (errors != 1)}")
    if hidden:
        lines.append(
            f"========= ERROR SUMMARY: {hidden} errors were not printed. Use --print-limit option to adjust "
            "the number of printed errors"
        )
    return "\n".join(lines) + "\n"


def judged(tool, text, status=86, *, done=True):
    return verdict(tool, text, status=status, seconds=3.14, watched=[], done=done)


@pytest.mark.parametrize(
    ("report", "whose", "where"),
    [
        (IN_CUBLAS, LIBRARY, ("void cutlass::Kernel2<cutlass_80_simt_sgemm_32x128_8x5_nn_align1>",)),
        (NAMED_BY_ITS_LIBRARY, LIBRARY, ("void internal_kernel_17<float, float>",)),
        (IN_OURS, OURS, ("bias_activation<float, Sigmoid>",)),
        (OLDER, OURS, ("update<double, Nesterov>",)),
        (COPIED, OURS, (COPY,)),
        (UNKNOWN, OURS, ("cupy_copy__float32_float32",)),
        (FAILED_CALL, CALL, ("Program hit cudaErrorInvalidValue in cudaMalloc",)),
    ],
)
def test_whose_a_finding_of_initcheck_is(report, whose, where):
    (finding,) = findings("initcheck", watched(report))
    assert (finding.whose, finding.where) == (whose, where)


def test_false_positives_inside_cublas_do_not_fail_the_tool_and_are_listed():
    said = judged("initcheck", watched(IN_CUBLAS, NAMED_BY_ITS_LIBRARY, IN_CUBLAS))
    assert said["verdict"] == "clean"
    assert said[OURS] == {}
    assert sorted(said[LIBRARY].values()) == [1, 2]
    assert all("Uninitialized" in said["examples"][where] for where in said[LIBRARY])


def test_one_of_ours_among_them_does():
    said = judged("initcheck", watched(IN_CUBLAS, IN_OURS, IN_CUBLAS))
    assert said["verdict"] == "findings"
    assert said[OURS] == {"bias_activation<float, Sigmoid>": 1}


def test_an_access_of_a_product_outside_its_arrays_is_ours():
    said = judged("memcheck", watched(OF_A_PRODUCT))
    assert said["verdict"] == "findings"
    assert said[OURS] == {PRODUCT: 1}
    assert "ampere_sgemm_32x32_sliced1x4_nn" in said["examples"][PRODUCT]


def test_a_mangled_name_without_its_types_is_every_kernel_of_that_name():
    (finding,) = findings("memcheck", watched(MANGLED))
    assert finding.where == ("take_batch<float>", "take_batch<double>")


def test_both_places_of_a_race_are_one_finding():
    ours, theirs = findings("racecheck", RACE)
    assert (ours.whose, ours.where) == (OURS, ("sum_slices<float>",))
    assert (theirs.whose, theirs.where) == (LIBRARY, ("void gemmSN_NN_kernel<float, 128>",))


def test_a_barrier_is_found():
    assert judged("synccheck", watched(BARRIER))[OURS] == {"softmax<double>": 1}


def test_every_kernel_is_known_by_the_names_that_the_tool_gives():
    for expression in ALL:
        if expression != PRODUCT:
            assert kernels_in(f"at void {expression}(const T1 *)+0x110") == (expression,)
            spelled = expression.replace("true", "(bool)1").replace("false", "(bool)0")
            assert kernels_in(f"at 0x90 in {spelled}(float const*)") == (expression,)
    assert kernels_in("at void cub::softmax<float>(T1)+0x1, at my_softmax<float>(T1)") == ()


def test_calls_that_failed_alone_do_not_fail_the_tool():
    said = judged("memcheck", watched(FAILED_CALL, FAILED_CALL))
    assert said["verdict"] == "clean"
    assert said[CALL] == {"Program hit cudaErrorInvalidValue in cudaMalloc": 2}


def test_what_was_not_printed_may_be_ours():
    said = judged("initcheck", watched(IN_CUBLAS, errors=500, hidden=499))
    assert (said["verdict"], said["not_printed"]) == ("undecided", 499)


@pytest.mark.parametrize(
    ("text", "status", "done", "expected"),
    [
        (watched(errors=0), 0, True, "clean"),
        ("========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)\n", 0, True, "clean"),
        (watched(errors=0), 1, False, "failed"),
        ("========= Error: Device not supported.\n", 1, False, "did not run"),
        (watched("========= Internal Sanitizer Error: kernel could not be patched"), 0, True, "undecided"),
        (watched(IN_CUBLAS).partition('{"trained"')[0], None, False, "not finished"),
        (watched(IN_OURS).partition("by thread")[0], None, False, "findings"),
    ],
)
def test_verdicts(text, status, done, expected):
    said = judged("racecheck", text, status, done=done)
    assert said["verdict"] == expected
    assert ("said" in said) == (expected != "clean")

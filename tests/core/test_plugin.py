"""The public pytest plugin: which backends run, and that naming one that cannot run is a failure."""

import re

import pytest

from fuseprop.testing import BackendContract

pytest_plugins = ["pytester"]

TEST = "def test_it(backend):\n    assert backend.dtype\n"
ABSENT = """
from fuseprop.backend import registry

class Absent:
    def load(self):
        raise ImportError("no module named absent_library")

registry._installed()["numpy"] = Absent()
"""
LATE = """
import pytest
from fuseprop.backend import registry
from fuseprop.backend import BackendUnavailable

def full(dtype):
    raise BackendUnavailable("the device is taken")

@pytest.fixture(autouse=True, scope="session")
def taken():
    registry._installed()["numpy"] = type("Entry", (), {"load": lambda self: full})()
"""
STRICT = """
import pytest

@pytest.fixture
def benchmark():
    used = []
    yield used
    assert used, "the fixture was not used"
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Run pytest with the plugin in a process of its own."""
    monkeypatch.delenv("REQUIRE_GPU", raising=False)

    def run(*arguments):
        return pytester.runpytest_subprocess("-p", "fuseprop.testing", "-p", "no:cacheprovider", *arguments)

    return run


def test_both_dtypes_of_a_named_backend(pytester, run):
    pytester.makepyfile(TEST)
    result = run("-v", "--backends=numpy")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_it?numpy-float32? PASSED*", "*test_it?numpy-float64? PASSED*"])


def test_a_backend_may_be_named_by_its_device(pytester, run):
    pytester.makepyfile(TEST)
    run("--backends=cpu").assert_outcomes(passed=2)


MANY = """
import pytest

@pytest.mark.parametrize("size", range(5))
def test_it(benchmark, backend, size):
    benchmark.append(size)

def test_other():
    pass
"""


@pytest.mark.parametrize("options", [(), ("-q",), ("-qq",)])
def test_one_test_is_skipped_for_a_backend_that_cannot_be_used(pytester, run, options):
    """With the reason, which stands once under the collection too; no other fixture hears of it."""
    pytester.makeconftest(ABSENT + STRICT)
    pytester.makepyfile(MANY)
    result = run("-rs", "-k", "numpy or other", *options)
    result.assert_outcomes(passed=1, skipped=1, deselected=19) if not options else None
    assert result.ret == 0
    assert result.stdout.str().count("absent_library") == 2
    result.stdout.fnmatch_lines(
        [
            "backend 'numpy' cannot be used, and one of its 10 tests stands for all: *absent_library*",
            "SKIPPED*numpy*cannot be imported*absent_library*",
        ]
    )


def test_a_backend_that_can_be_used_in_one_dtype_runs_in_that(pytester, run):
    pytester.makeconftest("""
from fuseprop.backend import registry
from fuseprop.backend import BackendUnavailable
from fuseprop_numpy import NumpyBackend

def half(dtype):
    if dtype == "float64":
        raise BackendUnavailable("this device has no float64")
    return NumpyBackend(dtype)

registry._installed()["numpy"] = type("Entry", (), {"load": lambda self: half})()
""")
    pytester.makepyfile("def test_it(backend): pass\ndef test_other(backend64): pass\n")
    result = run("-k", "numpy", "-rs")
    result.assert_outcomes(passed=1, skipped=1, deselected=result.parseoutcomes()["deselected"])
    result.stdout.fnmatch_lines(["*'numpy' cannot be used*its 2 tests*: this device has no float64"])


def test_named_and_unavailable_fails(pytester, run):
    pytester.makeconftest(ABSENT + STRICT)
    pytester.makepyfile(MANY)
    result = run("--backends=numpy")
    result.assert_outcomes(passed=1, errors=1, deselected=9)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*was asked for and cannot be used*absent_library*"])


def test_required_and_unavailable_fails(pytester, run, monkeypatch):
    monkeypatch.setenv("REQUIRE_GPU", "1")
    pytester.makeconftest(ABSENT)
    pytester.makepyfile(TEST)
    result = run("-k", "numpy")
    assert result.parseoutcomes()["errors"] == 1
    assert "skipped" not in result.parseoutcomes()


@pytest.mark.parametrize(("option", "outcome"), [("-rs", "skipped"), ("--backends=numpy", "errors")])
def test_a_backend_that_is_lost_after_the_collection(pytester, run, option, outcome):
    pytester.makeconftest(LATE)
    pytester.makepyfile(TEST)
    result = run("-k", "numpy", option)
    assert result.parseoutcomes()[outcome] == 2
    assert "the device is taken" in result.stdout.str()


def test_what_is_not_selected_is_not_looked_at(pytester, run):
    """Whether a GPU can be used takes seconds to find out."""
    pytester.makeconftest(ABSENT.replace("no module named", "looked at:"))
    pytester.makepyfile(MANY)
    result = run("-k", "other")
    result.assert_outcomes(passed=1, deselected=result.parseoutcomes()["deselected"])
    assert "looked at" not in result.stdout.str()


def test_a_name_that_nobody_registered_is_a_usage_error(pytester, run):
    pytester.makepyfile(TEST)
    result = run("--backends=numpy,numpi")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(['*--backends: *numpi*is not installed*Did you mean "numpy"*'])


STAGES = {
    **dict.fromkeys(("memory", "epoch", "elementwise", "losses", "inference", "update"), 0),
    **dict.fromkeys(("access", "nan", "repeated"), 1),
    **dict.fromkeys(("replay", "reduction"), 2),
    "whole": 3,
}
"""By file of the contract: single operations, what holds of all of them, steps, networks."""


def test_the_contract_goes_from_operations_to_whole_networks(pytester, run):
    """In a subclass, whose own tests come last: where an operation is wrong, that is the first to be told."""
    pytester.makepyfile("""
from fuseprop.testing import BackendContract

class TestMine(BackendContract):
    def test_of_my_own(self, backend):
        pass
""")
    result = run("-q", "--backends=numpy", "-k", "float64", "--collect-only")
    names = re.findall(r"::TestMine::(\w+)", result.stdout.str())
    assert names[-1] == "test_of_my_own"
    names = list(dict.fromkeys(names[:-1]))
    assert set(names) == {name for name in dir(BackendContract) if name.startswith("test_")}
    stages = [STAGES[getattr(BackendContract, name).__module__.rpartition(".")[2]] for name in names]
    assert stages == sorted(stages)
    assert set(stages) == {0, 1, 2, 3}


def test_the_contract_can_fail(pytester, run):
    """A wrong operation is found by the contract: sigmoid's slope without its second factor."""
    pytester.makeconftest("""
from fuseprop_numpy import NumpyBackend

def wrong(self, gradient, point, activation, *, out, bias_gradient):
    out[...] = gradient * point
    bias_gradient[...] = out.sum(axis=0)

NumpyBackend.activation_backward = wrong
""")
    pytester.makepyfile("from fuseprop.testing import BackendContract\nclass TestIt(BackendContract): pass\n")
    result = run("-q", "--backends=numpy", "-k", "activation_backward or trajectory")
    assert result.parseoutcomes()["failed"] > 10


def test_a_test_may_choose_for_itself(pytester, run):
    pytester.makepyfile("""
import pytest

@pytest.fixture
def backend(request):
    return request.param

@pytest.mark.parametrize("backend", ["mine"], indirect=True)
class TestIt:
    def test_it(self, backend):
        assert backend == "mine"
""")
    run("-q").assert_outcomes(passed=1)


REPLAYS = """
import pytest

@pytest.mark.replays
def test_marked(backend64):
    assert backend64.replay == "calls"

def test_unmarked(backend64):
    pass
"""
CALLS_ALONE = """
from fuseprop.backend import BackendUnavailable
from fuseprop_numpy import NumpyBackend

start = NumpyBackend.__init__

def some(self, dtype="float32", device="cpu", replay=None):
    if replay == "compiled":
        raise BackendUnavailable("nothing was built")
    start(self, dtype, device, replay)

NumpyBackend.__init__ = some
"""


def test_every_way_in_which_a_backend_replays(pytester, run):
    """Where a test asks for them."""
    pytester.makepyfile(REPLAYS)
    result = run("-v", "--strict-markers", "--backends=numpy")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*test_marked?numpy-float64-compiled? FAILED*",
            "*test_marked?numpy-float64-calls? PASSED*",
            "*test_marked?numpy-float64-eager? FAILED*",
            "*test_unmarked?numpy-float64? PASSED*",
        ]
    )


def test_a_way_that_cannot_be_had_is_skipped_with_the_reason(pytester, run):
    """Also where the backend is named: it can be used."""
    pytester.makeconftest(CALLS_ALONE)
    pytester.makepyfile(REPLAYS.replace("def test_unm", "@pytest.mark.replays\ndef test_unm"))
    result = run("-rs", "--backends=numpy", "-k", "compiled or calls")
    result.assert_outcomes(passed=2, skipped=1, deselected=result.parseoutcomes()["deselected"])
    result.stdout.fnmatch_lines(
        [
            "*'numpy' cannot be used with replay='compiled', and one of its 2 tests *: nothing was built",
            "SKIPPED*",
        ]
    )


def test_without_a_list_a_backend_is_tested_as_it_is(pytester, run):
    pytester.makeconftest("from fuseprop_numpy import NumpyBackend\n\nNumpyBackend.replays = ()\n")
    pytester.makepyfile(REPLAYS.replace('replay == "calls"', "dtype"))
    run("--backends=numpy").assert_outcomes(passed=2)

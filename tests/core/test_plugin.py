"""The public pytest plugin: which backends run, and that naming one that cannot run is a failure."""

import pytest

pytest_plugins = ["pytester"]

TEST = "def test_it(backend):\n    assert backend.dtype\n"
ABSENT = """
import pytest
from fuseprop.backend import BackendUnavailable
from fuseprop import registry

@pytest.fixture(autouse=True, scope="session")
def no_backend():
    class Absent:
        def load(self):
            raise ImportError("no module named absent_library")
    registry._installed()["numpy"] = Absent()
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


def test_unavailable_is_skipped_with_the_reason(pytester, run):
    pytester.makeconftest(ABSENT)
    pytester.makepyfile(TEST)
    result = run("-rs", "-k", "numpy")
    result.assert_outcomes(skipped=2, deselected=result.parseoutcomes().get("deselected", 0))
    result.stdout.fnmatch_lines(["*numpy*cannot be imported*absent_library*"])


def test_named_and_unavailable_fails(pytester, run):
    pytester.makeconftest(ABSENT)
    pytester.makepyfile(TEST)
    result = run("--backends=numpy")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*was asked for and cannot be used*absent_library*"])


def test_required_and_unavailable_fails(pytester, run, monkeypatch):
    monkeypatch.setenv("REQUIRE_GPU", "1")
    pytester.makeconftest(ABSENT)
    pytester.makepyfile(TEST)
    result = run("-k", "numpy")
    assert result.parseoutcomes()["errors"] == 2


def test_a_name_that_nobody_registered_is_a_usage_error(pytester, run):
    pytester.makepyfile(TEST)
    result = run("--backends=numpy,numpi")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(['*--backends: *numpi*is not installed*Did you mean "numpy"*'])


def test_the_contract_can_fail(pytester, run):
    """A wrong operation is found by the contract: sigmoid's slope without its second factor."""
    pytester.makeconftest("""
from fuseprop_numpy import NumpyBackend

def wrong(self, gradient, output, activation, *, out, bias_gradient):
    out[...] = gradient * output
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

"""Every mistake in contract_mistakes.py is found by the check of the contract that is named there."""

import re
import warnings

import pytest
from contract_mistakes import MISTAKES, RIGHT

from fuseprop.testing import BackendContract

pytest_plugins = ["pytester"]


def check(mistake, backend):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        getattr(BackendContract(), mistake.check)(backend, *mistake.arguments)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_the_contract_finds(mistake):
    """And says where, in which call; without the mistake it finds nothing."""
    check(mistake, RIGHT("float32"))
    with pytest.raises((AssertionError, pytest.fail.Exception)) as raised:
        check(mistake, mistake.backend())
    assert re.search(mistake.says, str(raised.value)), raised.value


def test_every_kind_of_mistake_is_one_of_its_own():
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES) > 20
    assert len({mistake.check for mistake in MISTAKES}) > 20


def test_what_an_operation_raises_gets_the_call():
    """As a note, which pytest and Python show below the error."""

    def fails(self, logits, *, out):
        raise MemoryError("no room")

    backend = type("Failing", (RIGHT,), {"softmax": fails})("float64")
    with pytest.raises(MemoryError, match="no room") as raised:
        BackendContract().test_softmax(backend, (3, 5))
    (note,) = raised.value.__notes__
    assert note == "This is of the call softmax(logits float64 (3, 5), out float64 (3, 5))."
    with pytest.raises(MemoryError) as raised:
        BackendContract().test_exactly_the_declared_arrays_change(backend, "softmax", True)
    assert raised.value.__notes__[-1].startswith("This is of the call softmax(logits float64 (6, 5), out")
    assert raised.value.__notes__[-1].endswith(", replayed.")


MISTAKEN = """
import sys
sys.path.insert(0, {folder!r})
from contract_mistakes import MISTAKES
from fuseprop.backend import registry

(kind,) = (type(mistake.backend()) for mistake in MISTAKES if mistake.name == {name!r})
kind.replays = ()
registry._installed()["numpy"] = type("Entry", (), {{"load": lambda self: kind}})()
"""


@pytest.mark.long
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_backend_with_it_fails_the_contract(mistake, pytester, monkeypatch, request):
    """As somebody else would run it: the check that is named is among what fails, in both dtypes."""
    pytester.makeconftest(MISTAKEN.format(folder=str(request.path.parent), name=mistake.name))
    pytester.makepyfile("from fuseprop.testing import BackendContract\nclass TestIt(BackendContract): pass\n")
    options = ["-q", "-p", "fuseprop.testing", "-p", "no:cacheprovider", "--backends=numpy", "--tb=no"]
    result = pytester.runpytest_subprocess(*options, "-k", mistake.check)
    failed = [line for line in result.outlines if line.startswith("FAILED") and f"::{mistake.check}" in line]
    assert failed

"""Launches, copies and allocations of the CuPy backend fail, one after the other, while a network trains."""

import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

from failing_operations import Count, FailingTraining, failing
from host_device import HostDevice, HostRunBackend

CALLS = ("run", "multiply", "copy", "upload", "download", "empty", "fill_zero", "synchronize")


@pytest.fixture(scope="module", params=["captured", pytest.param("eager", marks=pytest.mark.long)])
def training(request):
    count = Count()
    device = failing(HostDevice, CALLS, count)

    class Failing(HostRunBackend):
        def _open(self, ordinal):
            return device(ordinal, self.dtype, self._built)

    return FailingTraining(Failing(replay=request.param), count, rows=10)


def test_whatever_fails_is_raised_and_the_network_goes_on(training):
    """The first, second and last call of each kind."""
    wrong = [training.wrong_where_fails(number) for number in training.telling()]
    assert [what for one in wrong for what in one] == []
    assert {"run", "upload", "download", "empty"} <= set(training.operations)


@pytest.mark.long
def test_whatever_else_fails_is_too(training):
    left = set(range(1, len(training.operations) + 1)) - set(training.telling())
    wrong = [training.wrong_where_fails(number) for number in sorted(left)]
    assert [what for one in wrong for what in one] == []

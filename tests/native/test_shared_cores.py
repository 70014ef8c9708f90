"""Processes that share cores take their part of the threads while they train, unless a user has said it."""

import pytest
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.compiled.threads import Default
from fuseprop_numpy.threads import sharing
from threadpoolctl import threadpool_info, threadpool_limits

from fuseprop.backend import Call, Program
from fuseprop.testing.contract.reduction import Alike


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    """Eight cores, and six threads of each library."""
    for name in {name for names in sharing.SAID_BY.values() for name in names}:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sharing, "default_threads", lambda _: Default(8, "said"))
    NumpyBackend()  # the library is loaded
    with threadpool_limits(6):
        yield


def threads():
    """Return how many threads libraries take, by their kinds; those of others are none of ours."""
    found = {each["user_api"]: each["num_threads"] for each in threadpool_info()}
    return {kind: number for kind, number in found.items() if kind in sharing.SAID_BY}


def program_of(processes, *, named=False):
    """Return a program of a process that shares its cores with so many; None for one that does not say it."""
    world = Alike(4)
    if processes is not None:
        world.sharing = processes
    call = Call("all_reduce", (None,), {"world": world}) if named else Call("all_reduce", (None, world), {})
    return Program((call,))


@pytest.mark.parametrize(
    ("processes", "share"), [(None, 6), (1, 6), (2, 4), (3, 2), (8, 1), (20, 1)], ids=str
)
def test_each_takes_its_share(processes, share):
    kinds = threads().keys()
    assert kinds
    for named in (False, True):
        with sharing.shared([Program(()), program_of(processes, named=named)]):
            assert threads() == dict.fromkeys(kinds, share)
        assert threads() == dict.fromkeys(kinds, 6)


def test_less_is_left_as_it_is():
    with threadpool_limits(3), sharing.shared([program_of(2)]):
        assert set(threads().values()) == {3}


def test_what_a_user_has_said_counts(monkeypatch):
    for kind, names in sharing.SAID_BY.items():
        for name in names:
            with monkeypatch.context() as said:
                said.setenv(name, "6")
                with sharing.shared([program_of(4)]):
                    found = {each: 6 if name in sharing.SAID_BY[each] else 2 for each in sharing.SAID_BY}
                    assert threads() == {each: found[each] for each in threads()}, (kind, name)
    with pytest.raises(KeyError), sharing.shared([program_of(4)]):
        raise KeyError
    assert set(threads().values()) == {6}

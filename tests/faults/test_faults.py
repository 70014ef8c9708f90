"""Calls that fail, one after the other: typed errors, whole files, objects that go on; and what proves it.

A landing lets calls fail in one way each, and few where there are many; `.ci/long faults` all in every way.
"""

import pytest
from faulty import complaints, faults
from scenarios import SCENARIOS
from shim import ALWAYS, ERRORS, FULL, ONCE, Fault
from wrong_writers import SAID


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_whatever_fails_leaves_whole_files_and_objects_that_go_on(faulty, scenario):
    found = faulty.run_all(scenario, most=40)
    assert complaints(found) == []
    assert len(found) > 5


@pytest.mark.parametrize("mistake", SAID, ids=lambda mistake: mistake.__name__)
def test_mistakes_are_found(faulty, mistake):
    said = complaints(faulty.run_all(mistake.__name__, thorough=True, kinds=["write"]))
    assert any(SAID[mistake] in line for line in said), said


def test_the_writer_that_others_are_changed_from_has_none(faulty):
    assert complaints(faulty.run_all("Careless", thorough=True, kinds=["write"])) == []


def test_calls_are_synchronized_in_their_order(faulty):
    assert faulty.run("write").order == ["write", "sync file", "rename", "sync directory"]


def test_a_fault_is_told_as_it_is(faulty):
    found = faulty.run("write", Fault("write", 1, FULL, ALWAYS))
    assert (found.error, found.warned) == ("OSError", [])
    assert found.struck > 1
    found = faulty.run("best", Fault("sync", 7, ERRORS["sync"][0], ALWAYS))
    assert found.error == ""
    assert len(found.warned) == 1
    assert "could not be saved" in found.warned[0]


def test_a_fault_that_never_comes_is_told(faulty):
    assert faulty.run("write", Fault("write", 9, ERRORS["write"][0])).struck == 0


def test_a_child_that_dies_or_fails_is_told(faulty):
    assert faulty.run("Dying").wrong == ["the child ended with -9 and found nothing"]
    assert "ZeroDivisionError" in faulty.run("Failing").wrong[0]


def test_the_faults_of_a_run():
    some = list(faults({"write": 2, "sync": 1}, thorough=False))
    assert [(one.kind, one.number) for one in some] == [("write", 1), ("write", 2), ("sync", 1)]
    all_ = list(faults({"write": 2, "sync": 1}, thorough=True))
    assert len(all_) == len(set(all_)) == 2 * (2 * len(ERRORS["write"]) + len(ERRORS["sync"]))
    assert {one.times for one in all_} == {ONCE, ALWAYS}

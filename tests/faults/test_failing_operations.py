"""Each operation of the NumPy backend fails, one after the other, while a network trains.

A landing lets the first, the second and the last of each kind fail.
"""

import pytest
from failing_operations import Count, FailingTraining, failing
from fuseprop_numpy import NumpyBackend
from fuseprop_numpy.compiled.library import NotCompiled, library

from fuseprop.backend import OPERATIONS

MOVES = ("empty", "zeros", "from_host", "to_host")


def counted(replay):
    """A training on a backend whose operations are counted: "compiled" takes a run of steps as one."""
    count, names = Count(), MOVES
    if replay == "eager":
        names = [*MOVES, *(name for name in OPERATIONS if hasattr(NumpyBackend, name))]

    class Failing(failing(NumpyBackend, names, count)):
        def compile(self, program):
            runner = super().compile(program)

            def run(times):
                count.operation("replay")
                runner(times)

            return run

    return FailingTraining(Failing(replay=replay), count)


@pytest.mark.parametrize("replay", ["eager", "compiled"])
@pytest.mark.parametrize("which", ["telling", pytest.param("other", marks=pytest.mark.long)])
def test_whatever_fails_is_raised_and_the_network_goes_on(replay, which):
    if replay == "compiled":
        try:
            library()
        except NotCompiled as why:
            pytest.skip(f"steps are not compiled here: {why}")
    training = counted(replay)
    assert "replay" in training.operations
    assert len(training.operations) > (60 if replay == "eager" else 20)
    numbers = set(training.telling())
    if which == "other":
        numbers = set(range(1, len(training.operations) + 1)) - numbers
    wrong = [training.wrong_where_fails(number) for number in sorted(numbers)]
    assert [what for one in wrong for what in one] == []


def test_a_training_that_is_not_set_back_is_found(monkeypatch):
    training = counted("eager")
    number = training.operations.index("replay") + 1
    assert training.wrong_where_fails(number) == []
    monkeypatch.setattr(training.network, "set_weights", lambda weights: None)
    assert "trains another way" in training.wrong_where_fails(number)[0]


def test_an_error_that_is_swallowed_or_another_one_is_found(monkeypatch):
    training = counted("eager")
    learned, number = training.learned, training.operations.index("replay") + 1

    def swallowed(callbacks=(), number=0):
        try:
            return learned(callbacks, number)
        except RuntimeError:
            return training.expected

    monkeypatch.setattr(training, "learned", swallowed)
    assert "nothing is raised" in training.wrong_where_fails(number)[0]

    def other(callbacks=(), number=0):
        try:
            return learned(callbacks, number)
        except RuntimeError as error:
            raise ValueError("something else") from error

    monkeypatch.setattr(training, "learned", other)
    assert "something else" in training.wrong_where_fails(number)[0]

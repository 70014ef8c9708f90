"""Callbacks called as one: those that raise do not skip the others, no error is lost; who asks to stop."""

import numpy as np
import pytest

from fuseprop import DivergenceError, MLPClassifier, MomentumSGD, Network, Perceptron, mlp  # noqa: F401
from fuseprop.callbacks import Together
from fuseprop.callbacks.history import History

X = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]] * 3
Y = [0, 1, 1, 0] * 3


class Told:
    """Writes down what it is told, and raises where it is asked to."""

    def __init__(self, log, name, **raises):
        self.log, self.name, self.raises = log, name, raises

    def note(self, what):
        self.log.append(f"{self.name} {what}")
        if what in self.raises:
            raise self.raises[what]

    def start(self, epochs, history):
        self.note("start")

    def epoch_end(self, history):
        self.note("epoch")

    def end(self, history):
        self.note("end")


def network(callbacks, **given):
    made = Network(mlp([2, 4, 1], "tanh"), "sigmoid_cross_entropy", seed=0, device="cpu")
    return made.fit(X, Y, given.pop("optimizer", None), epochs=2, callbacks=callbacks, **given)


def estimator(solver, **given):
    def fit(callbacks):
        model = MLPClassifier((3,), solver=solver, max_iter=2, tol=0.0, random_state=0, callbacks=callbacks)
        return model.set_params(**given).fit(X, Y)

    return fit


def partial(callbacks):
    return MLPClassifier((3,), random_state=0, callbacks=callbacks).partial_fit(X, Y, classes=[0, 1])


DOORS = {
    "network": network,
    "sgd": estimator("sgd"),
    "adam": estimator("adam"),
    "lbfgs": estimator("lbfgs"),
    "partial_fit": partial,
}
every_door = pytest.mark.parametrize("fit", DOORS.values(), ids=DOORS)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@every_door
def test_every_end_runs_and_the_first_error_comes_through(fit):
    log = []
    first, second = LookupError("first"), OSError(28, "second")
    callbacks = [Told(log, "a"), Told(log, "b", end=first), Told(log, "c", end=second), Told(log, "d")]
    with pytest.raises(LookupError, match="first") as caught:
        fit(callbacks)
    assert [line for line in log if line.endswith("end")] == ["a end", "b end", "c end", "d end"]
    assert caught.value.__notes__ == ["Told raised OSError too: [Errno 28] second"]


@every_door
def test_a_start_that_fails_starts_no_other_and_ends_those_that_were_started(fit):
    log = []
    callbacks = [Told(log, "a"), Told(log, "b", start=LookupError("mine")), Told(log, "c")]
    with pytest.raises(LookupError, match="mine"):
        fit(callbacks)
    assert log == ["a start", "b start", "a end", "b end"]


@every_door
def test_an_epoch_is_told_to_all_before_an_error_ends_training(fit):
    log = []
    callbacks = [Told(log, "a", epoch=LookupError("mine"), end=KeyError("x")), Told(log, "b")]
    with pytest.raises(LookupError, match="mine") as caught:
        fit(callbacks)
    assert log == ["a start", "b start", "a epoch", "b epoch", "a end", "b end"]
    assert caught.value.__notes__ == ["Told raised KeyError too: 'x'"]


def test_what_ended_training_stays_what_is_raised():
    log = []
    made = Network(mlp([2, 4, 1], "tanh"), "sigmoid_cross_entropy", seed=0, device="cpu")
    callbacks = [Told(log, "a", end=OSError(28, "full")), Told(log, "b")]
    rows = np.multiply(X, 1e6)  # steps of 3e38 make weights whose sums overflow, in whatever order
    with pytest.raises(DivergenceError) as caught:
        made.fit(rows, Y, MomentumSGD(3e38), epochs=2, batch_size=1, callbacks=callbacks)
    assert log[-2:] == ["a end", "b end"]
    assert caught.value.__notes__ == ["Told raised OSError too: [Errno 28] full"]


@pytest.mark.parametrize("urgent", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_is_no_note(urgent):
    log = []
    together = Together([Told(log, "a", end=ValueError("bad")), Told(log, "b", end=urgent()), Told(log, "c")])
    together.start(1, History("loss"))
    with pytest.raises(urgent) as caught:
        together.end(History("loss"), LookupError("training"))
    assert log[-3:] == ["a end", "b end", "c end"]
    assert caught.value.__notes__ == [
        "training raised LookupError too: training",
        "Told raised ValueError too: bad",
    ]


@pytest.mark.parametrize("door", ["network", "sgd"])
def test_ctrl_c_in_a_callback_interrupts_training_and_every_end_runs(door):
    log = []
    callbacks = [Told(log, "a", epoch=KeyboardInterrupt()), Told(log, "b")]
    with pytest.warns(UserWarning, match="interrupted"):
        DOORS[door](callbacks)
    assert log == ["a start", "b start", "a epoch", "b epoch", "a end", "b end"]


def test_errors_of_others_do_not_count_where_fit_is_called_while_one_is_handled():
    log = []
    try:
        raise ZeroDivisionError("outside")
    except ZeroDivisionError:
        with pytest.raises(LookupError, match="mine"):
            network([Told(log, "a", end=LookupError("mine"))])


class Asking(Told):
    """Asks training to end with a reason, and writes down that it was asked."""

    def __init__(self, log, name, reason):
        super().__init__(log, name)
        self.reason = reason

    def asks_to_stop(self):
        self.note("asked")
        return self.reason


def test_the_first_reason_to_stop_stands_and_the_others_are_not_asked():
    log = []
    asking = [
        Asking(log, "a", None),
        Told(log, "b"),
        Asking(log, "c", "terminated"),
        Asking(log, "d", "late"),
    ]
    assert Together(asking).asks_to_stop() == "terminated"
    assert log == ["a asked", "c asked"]
    assert Together(asking[:2]).asks_to_stop() is None
    assert Together([]).asks_to_stop() is None

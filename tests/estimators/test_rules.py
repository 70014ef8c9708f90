"""The estimators' rules, taken apart into plain data after an epoch and put together again, go on alike."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone

from fuseprop import MLPClassifier
from fuseprop.training.loop import Training

EPOCHS = 9


class AtEpoch:
    """Call a function when an epoch has ended; with 0, when training begins."""

    def __init__(self, epoch, function):
        self.epoch, self.function = epoch, function

    def start(self, epochs, history):
        if self.epoch == 0:
            self.function()

    def epoch_end(self, history):
        if self.epoch == history.epochs:
            self.function()

    def end(self, history):
        pass


@pytest.fixture
def running(monkeypatch):
    """The trainings that were begun, in their order."""
    found, run = [], Training.run
    monkeypatch.setattr(Training, "run", lambda self, *given: found.append(self) or run(self, *given))
    return found


def fitted(model, data, callback):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clone(model).set_params(callbacks=[callback]).fit(*data)


def parts_of(training):
    return {"rules": training.rules, "orders": training.orders, "optimizer": training.epoch.optimizer}


@pytest.mark.parametrize("ended_after", [1, 3, 6])
@pytest.mark.parametrize(
    "options",
    [
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.5, "n_iter_no_change": 2},
        {"solver": "sgd", "learning_rate": "invscaling", "tol": 0},
        {"solver": "adam", "early_stopping": True, "validation_fraction": 0.3},
    ],
    ids=["adaptive", "invscaling", "early stopping"],
)
def test_rules_go_on_from_their_state(classes, running, options, ended_after):
    model = MLPClassifier((7,), max_iter=EPOCHS, batch_size=16, random_state=3, dtype="float64", **options)
    states = []

    def take():
        (training,) = running
        values = training.epoch.backend.to_host(training.epoch.stack.parameters.values)
        states.append({name: part.state_dict() for name, part in parts_of(training).items()})
        states.append(values)

    whole = fitted(model, classes, AtEpoch(ended_after, take))
    assert whole.n_iter_ == EPOCHS
    state, values = states

    def load():
        training = running[-1]
        training.epoch.backend.from_host(values, out=training.epoch.stack.parameters.values)
        for name, part in parts_of(training).items():
            part.load_state_dict(state[name])

    other = fitted(model.set_params(max_iter=EPOCHS - ended_after), classes, AtEpoch(0, load))
    assert other.loss_curve_ == whole.loss_curve_
    assert (other.n_iter_, other.t_, other.best_loss_) == (whole.n_iter_, whole.t_, whole.best_loss_)
    assert other.validation_scores_ == whole.validation_scores_
    assert other.history_.learning_rate == whole.history_.learning_rate[ended_after:]
    assert other._no_improvement_count == whole._no_improvement_count
    if not options.get("early_stopping"):  # which ends with the best epoch, whatever its number here
        np.testing.assert_array_equal(other.coefs_[0], whole.coefs_[0])

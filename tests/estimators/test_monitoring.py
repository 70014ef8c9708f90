"""The callbacks of `sklearn.callback`, which came with scikit-learn 1.9."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fuseprop import MLPClassifier

callback = pytest.importorskip("sklearn.callback", reason="needs scikit-learn 1.9 or newer")

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:.*does not support callbacks.*:UserWarning"),
]


class Watch:
    """Writes down what happens; asks for the end after some epochs."""

    max_propagation_depth = None

    def __init__(self, epochs=None):
        self.epochs = epochs
        self.events = []
        self.scores = []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.events.append(f"end {context.task_name}")
        if context.task_name == "epoch":
            self.scores.append(fitted_estimator.score(X, y))
            return len(self.scores) == self.epochs
        return None


@pytest.fixture
def iris():
    X, y = load_iris(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def test_each_epoch_is_a_task(iris):
    watch = Watch()
    model = MLPClassifier(max_iter=2, random_state=0).set_callbacks(watch).fit(*iris)
    epoch = ["begin epoch", "end epoch"]
    assert watch.events == ["setup", "begin fit", *epoch, *epoch, "end fit", "teardown"]
    assert watch.scores[-1] == model.score(*iris)
    assert watch.scores[0] != watch.scores[-1]


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_a_callback_may_ask_for_the_end(iris, solver):
    watch = Watch(epochs=3)
    model = MLPClassifier(solver=solver, max_iter=9, random_state=0).set_callbacks(watch).fit(*iris)
    assert (model.n_iter_, model.stop_reason_) == (3, "callback")
    assert watch.events.count("begin epoch") == watch.events.count("end epoch") == 3


def test_callbacks_reach_it_in_a_pipeline(iris):
    watch = Watch()
    make_pipeline(StandardScaler(), MLPClassifier(max_iter=2)).set_callbacks(watch).fit(*iris)
    assert watch.events.count("end epoch") == 2


def test_scoring_monitor(iris):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    MLPClassifier(max_iter=3, random_state=0).set_callbacks(monitor).fit(*iris)
    assert monitor.get_logs() is not None


def test_they_change_nothing(iris):
    plain, watched = (MLPClassifier(max_iter=3, random_state=0) for _ in range(2))
    watched.set_callbacks(Watch())
    np.testing.assert_array_equal(plain.fit(*iris).coefs_[0], watched.fit(*iris).coefs_[0])


def test_partial_fit_tells_them_nothing(iris):
    watch = Watch()
    MLPClassifier().set_callbacks(watch).partial_fit(*iris, classes=[0, 1, 2])
    assert watch.events == []

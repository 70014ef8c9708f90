"""The estimators among scikit-learn's tools: clone, pickle, Pipeline, GridSearchCV; and without any."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from fuseprop_numpy import NumpyBackend
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fuseprop
from fuseprop import MLPClassifier, MLPRegressor
from fuseprop.installing import how_to_install
from fuseprop.training.epoch import CompiledEpoch
from fuseprop.training.orders import Orders

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def arrays_in(value):
    """Every array-like object in a fitted estimator, however deep."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from arrays_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from arrays_in(part)
    elif type(value).__module__.startswith("fuseprop"):
        yield from arrays_in(vars(value))


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_a_fitted_estimator_holds_host_arrays_only(classes, solver):
    model = MLPClassifier(solver=solver, max_iter=5, random_state=0).fit(*classes)
    found = list(arrays_in(vars(model)))
    assert found
    assert {type(array) for array in found} <= {np.ndarray, np.float64, np.int64}
    assert "backend" not in pickle.dumps(model).decode("latin-1")


def test_training_goes_on_after_pickling(classes):
    X, y = classes
    one = MLPClassifier(solver="sgd", random_state=np.random.RandomState(0), max_iter=5).fit(X, y)
    other = pickle.loads(pickle.dumps(one))
    for model in (one, other):
        for _ in range(3):
            model.partial_fit(X, y)
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])


def test_clone_forgets_what_was_learned(classes):
    schedule = fuseprop.schedules.Cosine(0.1, 10)
    model = MLPClassifier(learning_rate=schedule, dropout=0.1, max_iter=3).fit(*classes)
    fresh = clone(model)
    assert fresh.get_params()["learning_rate"] == schedule
    assert not hasattr(fresh, "coefs_")


def test_grid_search_in_two_processes(classes):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), MLPClassifier(max_iter=20, random_state=0)),
        {"mlpclassifier__alpha": [1e-4, 1e-1], "mlpclassifier__activation": ["relu", ("tanh",)]},
        cv=2,
        n_jobs=2,
    ).fit(*classes)
    assert search.best_score_ > 0.5
    np.testing.assert_array_equal(
        search.predict(classes[0][:5]), search.best_estimator_.predict(classes[0][:5])
    )


def test_cross_validation(numbers):
    assert len(cross_val_score(MLPRegressor(max_iter=5), *numbers, cv=3)) == 3


def test_threads_share_a_fitted_estimator(classes):
    from concurrent.futures import ThreadPoolExecutor

    X, y = classes
    model = MLPClassifier(max_iter=5, random_state=0).fit(X, y)
    expected = model.predict_proba(X)
    with ThreadPoolExecutor(8) as pool:
        for result in pool.map(lambda _: model.predict_proba(X), range(32)):
            np.testing.assert_array_equal(result, expected)


WITHOUT = """
import sys
sys.modules["sklearn"] = None
import fuseprop
try:
    fuseprop.MLPClassifier
except ImportError as error:
    print(error)
"""


def test_without_scikit_learn_the_error_names_the_extra():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert f"Type: {how_to_install('sklearn')}." in done.stdout


def test_other_names_are_still_unknown():
    with pytest.raises(AttributeError, match="no attribute 'MLP'"):
        fuseprop.MLP  # noqa: B018


def test_the_next_order_is_sent_before_the_host_waits(classes, monkeypatch):
    """When the device has been asked for all of an epoch: on a GPU the host has time then."""
    events = []
    for kind, name in (
        (Orders, "begin"),
        (Orders, "send_next"),
        (CompiledEpoch, "take"),
        (NumpyBackend, "to_host"),
    ):
        own = getattr(kind, name)
        monkeypatch.setattr(
            kind,
            name,
            lambda *given, own=own, name=name, **named: events.append(name) or own(*given, **named),
        )
    MLPClassifier((4,), max_iter=2, random_state=0).fit(*classes)
    start = events.index("begin")
    assert events[start : start + 8] == 2 * ["begin", "take", "send_next", "to_host"]
